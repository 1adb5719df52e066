// SPDX-License-Identifier: MIT
/*L:767 What gdb may touch
 *
 * Registers come from the Host.  Memory is our own, found by the Guest's tables (L:760).
 * A breakpoint is the byte 0xcc, INT3, in the Guest's code; gdb never sees it, for when
 * it reads there we show what was there before.
 :*/
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gdb.h"

/*L:763 Peek and poke */
#define BREAKPOINTS	64
#define INT3		0xcc

struct breakpoint {
	bool used;
	uint32_t gva;
	uint64_t gpa;
	uint8_t byte;			/* what was there */
};

static struct breakpoint breakpoint[BREAKPOINTS];
static const struct guest_memory *memory;
static const struct image *image;
static struct lg_state state;		/* the processor's */
static struct lg_state shown;		/* of the thread that gdb looks at */
static bool other;			/* it is not the one that runs */

void target_use(const struct guest_memory *m, const struct image *img)
{
	memory = m;
	image = img;
}

static void show_the_processor(void)
{
	shown = state;
	other = false;
}

void target_refresh(void)
{
	host_state(&state);
	show_the_processor();
}

bool target_select(unsigned thread)
{
	show_the_processor();
	if (thread == threads_current())
		return true;
	other = threads_registers(thread, &shown.regs, &shown.cr3);
	return other;
}

/* ---- Memory and breakpoints -------------------------------------------------- */

static bool find(uint32_t gva, uint64_t *gpa)
{
	struct walk w;

	if (!walk_guest(memory, image, shown.cr3, shown.pae, gva, &w))
		return false;
	*gpa = w.gpa;
	return true;
}

static struct breakpoint *breakpoint_at(uint64_t gpa)
{
	for (unsigned i = 0; i < BREAKPOINTS; i++)
		if (breakpoint[i].used && breakpoint[i].gpa == gpa)
			return &breakpoint[i];
	return NULL;
}

/* A byte as the Guest means it: our own INT3s are not its code. */
static bool read_byte(uint32_t gva, uint8_t *byte)
{
	struct breakpoint *b;
	uint64_t gpa;

	if (!find(gva, &gpa) || !memory_fetch(memory, gpa, byte, 1))
		return false;
	b = breakpoint_at(gpa);
	if (b)
		*byte = b->byte;
	return true;
}

bool target_read(uint32_t gva, void *to, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!read_byte(gva + (uint32_t)i, (uint8_t *)to + i))
			return false;
	return true;
}

static bool write_byte(uint32_t gva, uint8_t byte)
{
	struct breakpoint *b;
	uint64_t gpa;

	if (!find(gva, &gpa))
		return false;
	b = breakpoint_at(gpa);
	if (b)
		b->byte = byte;
	return b || memory_store(memory, gpa, &byte, 1);
}

static bool insert(struct breakpoint *b)
{
	static const uint8_t int3 = INT3;

	return find(b->gva, &b->gpa) && memory_fetch(memory, b->gpa, &b->byte, 1) &&
	       memory_store(memory, b->gpa, &int3, 1);
}

static const char *breakpoint_set(uint32_t gva)
{
	uint64_t gpa;

	if (!find(gva, &gpa))
		return "E14";		/* EFAULT: nothing is mapped there yet */
	if (breakpoint_at(gpa))
		return "OK";
	for (unsigned i = 0; i < BREAKPOINTS; i++) {
		if (breakpoint[i].used)
			continue;
		breakpoint[i] = (struct breakpoint){ .gva = gva };
		if (!insert(&breakpoint[i]))
			return "E14";
		breakpoint[i].used = true;
		return "OK";
	}
	return "E28";			/* ENOSPC */
}

static void breakpoint_remove(struct breakpoint *b)
{
	uint8_t byte;

	b->used = false;
	/* Somebody may have loaded another program over it. */
	if (memory_fetch(memory, b->gpa, &byte, 1) && byte == INT3)
		memory_store(memory, b->gpa, &b->byte, 1);
}

static void breakpoint_clear(uint32_t gva)
{
	for (unsigned i = 0; i < BREAKPOINTS; i++)
		if (breakpoint[i].used && breakpoint[i].gva == gva)
			breakpoint_remove(&breakpoint[i]);
}

static void watches_clear(void);

void target_breakpoints_clear(void)
{
	for (unsigned i = 0; i < BREAKPOINTS; i++)
		if (breakpoint[i].used)
			breakpoint_remove(&breakpoint[i]);
	watches_clear();
}

/*:*/

/*L:773 Watching
 * A real processor has registers that watch four addresses for it.  We have patience: step,
 * compare, step.  gdb could do that by itself, with two packets over the wire for each
 * instruction; here it is a hundred times as fast.  What is watched is the place in memory
 * that the address meant when it was set, so that it stays the same for whoever runs.
 */
#define WATCHES		8
#define WATCH_BYTES	16

static struct {
	size_t len;			/* 0: free */
	uint32_t gva;
	uint64_t gpa;
	uint8_t was[WATCH_BYTES];
} watched[WATCHES];

const char *target_watch(bool set, uint32_t gva, size_t len)
{
	for (unsigned i = 0; i < WATCHES; i++) {
		if (watched[i].len && watched[i].gva == gva && watched[i].len == len) {
			watched[i].len = set ? len : 0;
			return "OK";
		}
	}
	if (!set)
		return "OK";
	if (!len || len > WATCH_BYTES || (gva & (PAGE_SIZE - 1)) + len > PAGE_SIZE)
		return "E22";
	for (unsigned i = 0; i < WATCHES; i++) {
		if (watched[i].len)
			continue;
		if (!find(gva, &watched[i].gpa) ||
		    !memory_fetch(memory, watched[i].gpa, watched[i].was, len))
			return "E14";
		watched[i].gva = gva;
		watched[i].len = len;
		return "OK";
	}
	return "E28";
}

static void watches_clear(void)
{
	memset(watched, 0, sizeof(watched));
}

bool target_watches(void)
{
	bool any = false;

	for (unsigned i = 0; i < WATCHES; i++) {
		if (watched[i].len)	/* gdb may have written there itself */
			memory_fetch(memory, watched[i].gpa, watched[i].was, watched[i].len);
		any |= watched[i].len != 0;
	}
	return any;
}

bool target_watch_hit(uint32_t *gva)
{
	uint8_t now[WATCH_BYTES];
	bool hit = false;

	for (unsigned i = 0; i < WATCHES; i++) {
		if (!watched[i].len || !memory_fetch(memory, watched[i].gpa, now, watched[i].len) ||
		    !memcmp(now, watched[i].was, watched[i].len))
			continue;
		memcpy(watched[i].was, now, watched[i].len);
		*gva = watched[i].gva;
		hit = true;
	}
	return hit;
}
/*:*/

/*L:770 Registers, by gdb's numbers
 *
 * Those of i386 first, then ours.  What we cannot know stands as x's.
 */
#define REG_ST0		16
#define REG_FCTRL	24
#define REG_CR3		32
#define REG_CR2		33
#define REGS		34

static const char *const register_name[REGS] = {
	"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "eip", "eflags", "cs", "ss",
	"ds", "es", "fs", "gs", "st0", "st1", "st2", "st3", "st4", "st5", "st6", "st7",
	"fctrl", "fstat", "ftag", "fiseg", "fioff", "foseg", "fooff", "fop", "cr3", "cr2",
};

/* What our registers are called and how large they are, so that gdb need not guess
 * (gdb's manual, appendix G). */
void target_describe(char *to)
{
	to += sprintf(to, "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\">"
		      "<target version=\"1.0\"><architecture>i386</architecture>"
		      "<feature name=\"org.gnu.gdb.i386.core\">");
	for (unsigned n = 0; n < REGS; n++) {
		const char *name = register_name[n];
		bool x87 = n >= REG_ST0 && n < REG_FCTRL;

		if (n == REG_CR3)
			to += sprintf(to, "</feature><feature name=\"org.lguest.paging\">");
		to += sprintf(to, "<reg name=\"%s\" bitsize=\"%d\" type=\"%s\"/>", name,
			      x87 ? 80 : 32, x87 ? "i387_ext" : !strcmp(name, "eip") ? "code_ptr" :
			      !strcmp(name, "esp") || !strcmp(name, "ebp") ? "data_ptr" : "int32");
	}
	strcpy(to, "</feature></target>");
}

/* NULL: not a register that the Host gives us. */
static uint32_t *register_at(unsigned n)
{
	struct lg_regs *r = &shown.regs;
	uint32_t *const place[REG_ST0] = {
		&r->eax, &r->ecx, &r->edx, &r->ebx, &r->esp, &r->ebp, &r->esi, &r->edi,
		&r->eip, &r->eflags, &r->cs, &r->ss, &r->ds, &r->es, &r->fs, &r->gs,
	};

	/* eax, ecx, edx and eflags of one that waits are nowhere. */
	if (other && (n < 3 || n == 9))
		return NULL;
	return n < REG_ST0 ? place[n] : n == REG_CR3 ? &shown.cr3 :
	       n == REG_CR2 ? &shown.cr2 : NULL;
}

static char *put_register(char *to, unsigned n)
{
	const uint32_t *value = register_at(n);
	size_t digits = n >= REG_ST0 && n < REG_FCTRL ? 20 : 8;

	if (value)
		return hex_put(to, value, 4);
	memset(to, 'x', digits);
	to[digits] = '\0';
	return to + digits;
}

static const char *set_registers(void)
{
	int error = other ? 1 : -host_set_regs(&shown.regs);

	target_refresh();		/* as they really are now */
	return error ? "E22" : "OK";
}

const char *target_set_register(const char *p)
{
	char *end;
	unsigned long n = strtoul(p, &end, 16);
	uint32_t *value = n < REG_ST0 ? register_at((unsigned)n) : NULL;
	const char *digits = end + 1;

	if (*end != '=' || !value || !hex_get(&digits, value, 4))
		return "E22";
	return set_registers();
}

const char *target_set_registers(const char *p)
{
	for (unsigned n = 0; n < REG_ST0; n++)
		if (other || !hex_get(&p, register_at(n), 4))
			return "E22";
	return set_registers();
}


void target_memory(const char *p, char *out)
{
	char *end;
	unsigned long at = strtoul(p, &end, 16);
	unsigned long length = *end == ',' ? strtoul(end + 1, NULL, 16) : 0;
	uint8_t byte;
	char *to = out;

	if (length > GDB_PACKET_MAX / 2 - 1)
		length = GDB_PACKET_MAX / 2 - 1;
	for (; length && read_byte((uint32_t)at, &byte); at++, length--)
		to = hex_put(to, &byte, 1);
	if (to == out)
		strcpy(out, "E14");
}

const char *target_set_memory(const char *p)
{
	char *end;
	unsigned long at = strtoul(p, &end, 16);
	unsigned long length = *end == ',' ? strtoul(end + 1, &end, 16) : 0;
	const char *digits = end + 1;
	uint8_t byte;

	if (*end != ':')
		return "E22";
	for (; length; at++, length--)
		if (!hex_get(&digits, &byte, 1) || !write_byte((uint32_t)at, byte))
			return "E14";
	return "OK";
}

void target_registers(char *out)
{
	for (unsigned n = 0; n < REGS; n++)
		out = put_register(out, n);
}

void target_register(const char *p, char *out)
{
	unsigned long n = strtoul(p, NULL, 16);

	if (n < REGS)
		put_register(out, (unsigned)n);
	else
		strcpy(out, "E22");
}

const char *target_breakpoint(bool set, uint32_t gva)
{
	if (set)
		return breakpoint_set(gva);
	breakpoint_clear(gva);
	return "OK";
}

void target_breakpoints_again(void)
{
	for (unsigned i = 0; i < BREAKPOINTS; i++)
		if (breakpoint[i].used && !insert(&breakpoint[i]))
			breakpoint[i].used = false;
}

bool target_was_breakpoint(void)
{
	uint64_t gpa;

	if (!find(state.regs.eip - 1, &gpa) || !breakpoint_at(gpa))
		return false;
	state.regs.eip--;
	host_set_regs(&state.regs);
	show_the_processor();
	return true;
}

void target_walk(uint32_t gva, char *text, size_t size)
{
	struct walk w;
	bool there = walk_guest(memory, image, shown.cr3, shown.pae, gva, &w);
	int n = snprintf(text, size, "%08x:", gva);

	for (unsigned i = 0; i < w.levels; i++)
		n += snprintf(text + n, size - (size_t)n, " [%08" PRIx64 "]=%0*" PRIx64,
			      w.level[i].gpa, shown.pae ? 16 : 8, w.level[i].entry);
	if (!there)
		snprintf(text + n, size - (size_t)n, "  not mapped\n");
	else
		snprintf(text + n, size - (size_t)n, "  guest-physical %08" PRIx64 "%s\n", w.gpa,
			 shown.cr3 ? "" : " (no page tables yet)");
}
/*:*/
