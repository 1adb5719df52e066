// SPDX-License-Identifier: MIT
/*L:757 Names for numbers
 *
 * 0xc010203c tells nobody anything; vm_fault+0x3c does.  A kernel that was not stripped
 * brings the table along: a section of addresses, each with the place of its name in
 * another section.  We read both, keep what is code, and sort it, because a trace asks
 * a hundred thousand times.
 *
 * The file is somebody's work in progress, so whatever is odd about its tables only
 * means that there are no names.
 :*/
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "launcher.h"

#define SECTION_MAX	(16u * MIB)	/* no kernel has more; a broken file may say so */

static void *read_section(const struct image *img, const Elf32_Shdr *s, size_t extra)
{
	char *p;

	if (s->sh_size > SECTION_MAX || (uint64_t)s->sh_offset + s->sh_size > img->size)
		return NULL;
	p = calloc(1, s->sh_size + extra);
	if (p && read_exactly(img->fd, p, s->sh_size, s->sh_offset))
		return p;
	free(p);
	return NULL;
}

static bool section_header(const struct image *img, const Elf32_Ehdr *h, unsigned i,
			   Elf32_Shdr *s)
{
	return i < h->e_shnum &&
	       read_exactly(img->fd, s, sizeof(*s), h->e_shoff + (uint64_t)i * sizeof(*s));
}

static bool file_header(const struct image *img, Elf32_Ehdr *h)
{
	return !img->bzimage && read_exactly(img->fd, h, sizeof(*h), 0) &&
	       h->e_shentsize == sizeof(Elf32_Shdr);
}

void *symbols_section(const struct image *img, const char *name, size_t *size)
{
	Elf32_Ehdr h;
	Elf32_Shdr names, s;
	char here[32];
	size_t n = strlen(name) + 1;

	*size = 0;
	if (n > sizeof(here) || !file_header(img, &h) ||
	    !section_header(img, &h, h.e_shstrndx, &names))
		return NULL;
	for (unsigned i = 0; section_header(img, &h, i, &s); i++)
		if (s.sh_type == SHT_PROGBITS && !(s.sh_flags & SHF_COMPRESSED) &&
		    read_exactly(img->fd, here, n, (uint64_t)names.sh_offset + s.sh_name) &&
		    !memcmp(here, name, n)) {
			void *p = read_section(img, &s, 1);

			*size = p ? s.sh_size : 0;
			return p;
		}
	return NULL;
}

static int by_address(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	return x->address < y->address ? -1 : x->address > y->address;
}

/* Keeps what may stand for code and has a name inside the table of names. */
static void keep_code(struct symbols *sym, const Elf32_Sym *s, size_t count, size_t names_size)
{
	sym->symbol = calloc(count + 1, sizeof(*sym->symbol));
	for (size_t i = 0; sym->symbol && i < count; i++) {
		unsigned type = ELF32_ST_TYPE(s[i].st_info);

		if ((type != STT_FUNC && type != STT_NOTYPE) || s[i].st_shndx == SHN_UNDEF ||
		    s[i].st_shndx >= SHN_LORESERVE || !s[i].st_name ||
		    s[i].st_name >= names_size)
			continue;
		sym->symbol[sym->count].address = s[i].st_value;
		sym->symbol[sym->count++].name = sym->names + s[i].st_name;
	}
	if (sym->symbol)
		qsort(sym->symbol, sym->count, sizeof(*sym->symbol), by_address);
}

/* The table as it is, and its names, with a NUL behind the last one.  NULL: none. */
static Elf32_Sym *read_table(const struct image *img, size_t *count, char **name,
			     size_t *name_bytes)
{
	Elf32_Shdr table = { .sh_type = SHT_NULL }, names;
	Elf32_Sym *raw;
	Elf32_Ehdr h;

	if (!file_header(img, &h))
		return NULL;
	for (unsigned i = 0; section_header(img, &h, i, &table) && table.sh_type != SHT_SYMTAB; i++)
		;
	if (table.sh_type != SHT_SYMTAB || !section_header(img, &h, table.sh_link, &names))
		return NULL;
	*name = read_section(img, &names, 1);
	raw = *name ? read_section(img, &table, 0) : NULL;
	if (!raw) {
		free(*name);
		*name = NULL;
		return NULL;
	}
	*name_bytes = names.sh_size;
	*count = table.sh_size / sizeof(*raw);
	for (size_t i = 0; i < *name_bytes; i++) {	/* they go to a terminal */
		unsigned char c = (unsigned char)(*name)[i];

		if (c && (c < 0x20 || c > 0x7e))
			(*name)[i] = '?';
	}
	return raw;
}

void symbols_read(struct symbols *sym, const struct image *img)
{
	size_t count, name_bytes;
	Elf32_Sym *raw;

	memset(sym, 0, sizeof(*sym));
	raw = read_table(img, &count, &sym->names, &name_bytes);
	if (raw)
		keep_code(sym, raw, count, name_bytes);
	free(raw);
}

bool symbols_lookup(const struct image *img, const char *name, uint32_t *address)
{
	size_t count = 0, name_bytes = 0;
	char *names = NULL;
	Elf32_Sym *raw = read_table(img, &count, &names, &name_bytes);
	bool found = false;

	for (size_t i = 0; raw && i < count && !found; i++) {
		found = raw[i].st_name < name_bytes && !strcmp(names + raw[i].st_name, name);
		if (found)
			*address = raw[i].st_value;
	}
	free(raw);
	free(names);
	return found;
}

void symbols_free(struct symbols *sym)
{
	free(sym->symbol);
	free(sym->names);
	memset(sym, 0, sizeof(*sym));
}

/* The last one at or below the address: a binary search. */
static const struct symbol *nearest(const struct symbols *sym, uint32_t address)
{
	size_t low = 0, high = sym->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (sym->symbol[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &sym->symbol[low - 1] : NULL;
}

const char *symbols_name(const struct symbols *sym, uint32_t address, char *text, size_t size)
{
	const struct symbol *s = nearest(sym, address);

	text[0] = '\0';
	if (s && address - s->address < MIB)
		snprintf(text, size, "%.60s+0x%x", s->name, address - s->address);
	else if (address < SYMBOLS_HIGHER_HALF / 4)	/* before paging: look where it will be */
		symbols_name(sym, address + SYMBOLS_HIGHER_HALF, text, size);
	return text;
}

bool symbols_address(const struct symbols *sym, const char *name, uint32_t *address)
{
	for (size_t i = 0; i < sym->count; i++)
		if (!strcmp(sym->symbol[i].name, name)) {
			*address = sym->symbol[i].address;
			return true;
		}
	return false;
}
