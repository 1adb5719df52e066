// SPDX-License-Identifier: MIT
/*L:758 Lines for addresses
 *
 * vm_fault+0x3c is better than a number, and kernel/vm.c:123 is better still.  The
 * compiler knew, and wrote it down: section .debug_line (DWARF, chapter 6.2).  As a table
 * it would be larger than the kernel, so it is a program for a tiny machine, which
 * produces the table row by row when it is run.  Most of its opcodes are one byte and mean
 * "some bytes further in the code, some lines further in the file: a row".
 *
 *	address		file		line
 *	c0101000	kernel/vm.c	25
 *	c0101004	kernel/vm.c	28	<- up to here, all belongs to line 25
 *
 * We want two dozen addresses, once.  So nothing is kept: each row that comes out is held
 * against all of them, and forgotten.
 *
 * The file is somebody's work in progress, or an attack.  Whatever we read goes through a
 * cursor that cannot leave its section, every opcode eats at least a byte, and what makes
 * no sense ends the unit it is in.  Then there are no lines; nothing else happens.
 :*/
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "launcher.h"

/* DWARF 5, 7.22 and 7.5.6. */
enum {
	LNS_copy = 1, LNS_advance_pc, LNS_advance_line, LNS_set_file, LNS_set_column,
	LNS_negate_stmt, LNS_set_basic_block, LNS_const_add_pc, LNS_fixed_advance_pc,
};
enum { LNE_end_sequence = 1, LNE_set_address };
enum { LNCT_path = 1, LNCT_directory_index };
enum {
	FORM_block2 = 0x03, FORM_block4, FORM_data2, FORM_data4, FORM_data8, FORM_string,
	FORM_block, FORM_block1, FORM_data1, FORM_sdata = 0x0d, FORM_strp, FORM_udata,
	FORM_data16 = 0x1e, FORM_line_strp,
};

#define FORMATS_MAX	16	/* columns in a table of files; five are defined */
#define VERSION_MIN	2
#define VERSION_MAX	5

struct cursor {
	const uint8_t *at, *end;
	bool bad;			/* something reached past the end; all is zero then */
};

struct text {
	char *bytes;			/* with a NUL behind the last */
	size_t size;
};

struct tables {
	struct text lines, line_strings, strings;
};

/* What a unit says before its program begins. */
struct unit {
	const struct tables *tables;
	struct cursor names, program;
	unsigned version, least, line_range, opcode_base;
	int line_base;
	uint8_t operands[256];		/* of standard opcodes that we may not know */
};

struct row {
	uint32_t address;
	unsigned file, line;
};

/*L:759 A cursor that cannot fall */
static const uint8_t *take(struct cursor *c, uint64_t n)
{
	const uint8_t *p = c->at;

	if (n > (size_t)(c->end - c->at)) {
		c->bad = true;
		c->at = c->end;
		return NULL;
	}
	c->at += n;
	return p;
}

static uint64_t number(struct cursor *c, unsigned bytes)
{
	const uint8_t *p = take(c, bytes);
	uint64_t value = 0;

	for (unsigned i = 0; p && i < bytes; i++)
		value |= (uint64_t)p[i] << (8 * i);
	return value;
}

/* Seven bits a byte, the lowest first (7.6); bits past the 64th are nobody's. */
static uint64_t leb(struct cursor *c, bool is_signed)
{
	uint64_t value = 0;
	unsigned shift = 0;
	uint8_t byte;

	do {
		byte = (uint8_t)number(c, 1);
		if (shift < 64)
			value |= (uint64_t)(byte & 0x7f) << shift;
		shift += shift < 64 ? 7 : 0;
	} while (byte & 0x80);
	if (is_signed && shift < 64 && byte & 0x40)
		value |= ~0ull << shift;
	return value;
}

/* Up to a NUL, which must come before the end. */
static const char *string(struct cursor *c)
{
	const char *s = (const char *)c->at;
	const uint8_t *nul = memchr(c->at, 0, (size_t)(c->end - c->at));

	if (!nul) {
		take(c, UINT64_MAX);
		return "";
	}
	c->at = nul + 1;
	return s;
}

static const char *string_at(const struct text *t, uint64_t offset)
{
	return offset < t->size ? t->bytes + offset : "";
}
/*:*/

/* ---- Names of files ---------------------------------------------------------------- */

/* One field of a table of files of DWARF 5: its number or its string, whichever it is. */
static uint64_t field(const struct unit *u, struct cursor *c, uint64_t form, const char **text)
{
	switch (form) {
	case FORM_string:
		*text = string(c);
		return 0;
	case FORM_line_strp:
		*text = string_at(&u->tables->line_strings, number(c, 4));
		return 0;
	case FORM_strp:
		*text = string_at(&u->tables->strings, number(c, 4));
		return 0;
	case FORM_udata:
		return leb(c, false);
	case FORM_sdata:
		return leb(c, true);
	case FORM_data1:
		return number(c, 1);
	case FORM_data2:
		return number(c, 2);
	case FORM_data4:
		return number(c, 4);
	case FORM_data8:
		return number(c, 8);
	case FORM_data16:
		take(c, 16);
		return 0;
	case FORM_block:
		take(c, leb(c, false));
		return 0;
	case FORM_block1:
		take(c, number(c, 1));
		return 0;
	case FORM_block2:
		take(c, number(c, 2));
		return 0;
	case FORM_block4:
		take(c, number(c, 4));
		return 0;
	}
	c->bad = true;
	return 0;
}

/* Entry `index` of the table at *c, which is left behind it.  False: there is none. */
static bool table_entry(const struct unit *u, struct cursor *c, uint64_t index,
			const char **path, uint64_t *directory)
{
	uint64_t type[FORMATS_MAX], form[FORMATS_MAX], count;
	unsigned formats = (unsigned)number(c, 1);
	bool found = false;

	if (formats > FORMATS_MAX)
		c->bad = true;
	for (unsigned i = 0; i < formats && !c->bad; i++) {
		type[i] = leb(c, false);
		form[i] = leb(c, false);
	}
	count = leb(c, false);
	for (uint64_t n = 0; n < count && !c->bad && c->at < c->end; n++) {
		const char *text = "";

		for (unsigned i = 0; i < formats; i++) {
			uint64_t value = field(u, c, form[i], &text);

			if (n == index && type[i] == LNCT_path)
				*path = text;
			if (n == index && type[i] == LNCT_directory_index)
				*directory = value;
		}
		found |= n == index;
		if (!formats)
			break;		/* nothing, a billion times */
	}
	return found && !c->bad;
}

/* The nth string (from 1) of a list that ends with an empty one; up to DWARF 4. */
static const char *old_entry(struct cursor *c, uint64_t index, bool files, uint64_t *directory)
{
	const char *found = NULL;

	for (uint64_t n = 1; !c->bad; n++) {
		const char *s = string(c);
		uint64_t dir;

		if (!*s)
			break;
		dir = files ? leb(c, false) : 0;
		if (files) {		/* its time and its length */
			leb(c, false);
			leb(c, false);
		}
		if (n == index) {
			found = s;
			*directory = dir;
		}
	}
	return found;
}

/* directory/path, where directory 0 is the one that the compiler was started in. */
static void name_file(const struct unit *u, unsigned file, char *to, size_t size)
{
	const char *path = NULL, *directory = NULL;
	struct cursor c = u->names, directories = u->names;
	uint64_t index = 0, unused;

	if (u->version >= 5) {
		table_entry(u, &c, UINT64_MAX, &path, &unused);		/* the directories */
		table_entry(u, &c, file, &path, &index);
		table_entry(u, &directories, index, &directory, &unused);
	} else {
		old_entry(&c, 0, false, &unused);
		path = old_entry(&c, file, true, &index);
		directory = old_entry(&directories, index, false, &unused);
	}
	to[0] = '\0';
	if (!path || !*path)
		return;
	if (index && directory && *directory && path[0] != '/')
		snprintf(to, size, "%s/%s", directory, path);
	else
		snprintf(to, size, "%s", path);
	for (; *to; to++)		/* it goes to a terminal */
		if ((unsigned char)*to < 0x20 || (unsigned char)*to > 0x7e)
			*to = '?';
}

/* ---- The program ------------------------------------------------------------------- */

/* All from `from` up to the next row's address belongs to it. */
static void hold_against(const struct unit *u, const struct row *from, uint32_t to,
			 struct line *sought, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!sought[i].number && from->line && sought[i].address >= from->address &&
		    sought[i].address < to) {
			/* Found, with or without a name: nobody can make us look twice. */
			sought[i].number = from->line;
			name_file(u, from->file, sought[i].file, sizeof(sought[i].file));
		}
}

struct machine {
	struct row now, last;		/* last: the row before, if has_row */
	bool has_row, real;
};

static void emit_row(const struct unit *u, struct machine *m, struct line *sought, unsigned n)
{
	if (m->has_row && m->real)
		hold_against(u, &m->last, m->now.address, sought, n);
	m->last = m->now;
	m->has_row = true;
}

static void begin_sequence(struct machine *m)
{
	*m = (struct machine){ .now = { .file = 1, .line = 1 } };
}

static void extended(const struct unit *u, struct cursor *c, struct machine *m,
		     struct line *sought, unsigned n)
{
	uint64_t length = leb(c, false);
	const uint8_t *p = take(c, length);
	struct cursor op = { .at = p, .end = p ? p + length : p };

	switch (p ? number(&op, 1) : 0) {
	case LNE_end_sequence:
		emit_row(u, m, sought, n);
		begin_sequence(m);
		break;
	case LNE_set_address:
		m->now.address = (uint32_t)number(&op, 4);
		/* A function that the linker threw away is left over at 0. */
		m->real |= m->now.address != 0;
		break;
	}
}

static void run_program(const struct unit *u, struct line *sought, unsigned n)
{
	struct cursor c = u->program;
	struct machine m;

	begin_sequence(&m);
	while (c.at < c.end && !c.bad) {
		unsigned op = (unsigned)number(&c, 1);

		if (op >= u->opcode_base) {	/* both steps, and a row */
			unsigned code = op - u->opcode_base;

			m.now.address += code / u->line_range * u->least;
			m.now.line += (unsigned)u->line_base + code % u->line_range;
			emit_row(u, &m, sought, n);
			continue;
		}
		switch (op) {
		case 0:
			extended(u, &c, &m, sought, n);
			break;
		case LNS_copy:
			emit_row(u, &m, sought, n);
			break;
		case LNS_advance_pc:
			m.now.address += (uint32_t)leb(&c, false) * u->least;
			break;
		case LNS_advance_line:
			m.now.line += (unsigned)leb(&c, true);
			break;
		case LNS_set_file:
			m.now.file = (unsigned)leb(&c, false);
			break;
		case LNS_const_add_pc:
			m.now.address += (255 - u->opcode_base) / u->line_range * u->least;
			break;
		case LNS_fixed_advance_pc:
			m.now.address += (uint32_t)number(&c, 2);
			break;
		default:
			for (unsigned i = 0; i < u->operands[op]; i++)
				leb(&c, false);
		}
	}
}

/* From the unit's version to the first byte of its program.  False: not one of ours. */
static bool read_header(struct unit *u, struct cursor *c)
{
	uint64_t length;

	u->version = (unsigned)number(c, 2);
	if (u->version < VERSION_MIN || u->version > VERSION_MAX)
		return false;
	if (u->version >= 5 && number(c, 2) != sizeof(uint32_t))	/* of addresses, of segments */
		return false;
	length = number(c, 4);
	u->program = *c;
	if (!take(&u->program, length))
		return false;
	c->end = u->program.at;
	u->least = (unsigned)number(c, 1);
	if (u->version >= 4)
		number(c, 1);		/* operations in an instruction: one, on our processors */
	number(c, 1);			/* is each row a statement? */
	u->line_base = (int8_t)number(c, 1);
	u->line_range = (unsigned)number(c, 1);
	u->opcode_base = (unsigned)number(c, 1);
	for (unsigned i = 1; i < u->opcode_base; i++)
		u->operands[i] = (uint8_t)number(c, 1);
	u->names = *c;
	return !c->bad && u->line_range && u->opcode_base;
}

static void search(const struct tables *t, struct line *sought, unsigned n)
{
	struct cursor all = { .at = (uint8_t *)t->lines.bytes,
			      .end = (uint8_t *)t->lines.bytes + t->lines.size };

	while (all.at < all.end) {
		uint64_t length = number(&all, 4);
		const uint8_t *p = take(&all, length);
		struct cursor c = { .at = p, .end = p ? p + length : p };
		struct unit u = { .tables = t };

		if (!p)			/* also the sign of 64-bit DWARF: 0xffffffff */
			return;
		if (read_header(&u, &c))
			run_program(&u, sought, n);
	}
}

static struct text section(const struct image *img, const char *name)
{
	struct text t = { NULL, 0 };

	t.bytes = symbols_section(img, name, &t.size);
	return t;
}

void lines_find(const struct image *img, struct line *sought, unsigned n)
{
	struct tables t = {
		.lines = section(img, ".debug_line"),
		.line_strings = section(img, ".debug_line_str"),
		.strings = section(img, ".debug_str"),
	};

	for (unsigned i = 0; i < n; i++) {
		sought[i].number = 0;
		sought[i].file[0] = '\0';
	}
	if (t.lines.bytes)
		search(&t, sought, n);
	free(t.lines.bytes);
	free(t.line_strings.bytes);
	free(t.strings.bytes);
}
