// SPDX-License-Identifier: MIT
/*L:750 Why did it die?
 *
 * The Host kills a Guest with a code and a sentence.  That is the diagnosis; here is
 * the file that goes with it, the most important things first: where it was, in words of
 * the source; why a trap could not be delivered, if that was it; the address it stumbled
 * over; who called; the registers; and the exits before, so that you see how the Guest
 * came to be there.
 *
 * Read the list of exits from the bottom up.  Its last line is the end; the cause is
 * usually one or two lines above it.
 :*/
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "launcher.h"

/*L:751 What was there
 * More witnesses.  The bytes at eip: is this the code you compiled, or did the Guest jump
 * into the void?  The walk: what the Guest's own tables say of the address that it died
 * of, entry by entry, and what the Host's shadow has for it.  And the chain of frame
 * pointers on the stack: who called whom, as long as the links look sane.
 *
 * All of it is read from the memory of a Guest that is dead and may have been mad, so
 * every address is walked and checked like any other.  First we look, then we speak:
 * the same obituary is printed here, and written as JSON by death.c.
 */
/* Reads bytes of the Guest's virtual memory.  Returns how many could be read. */
static size_t read_virtual(const struct obituary *o, uint32_t gva, void *to, size_t len)
{
	size_t done = 0;

	for (; done < len; done++) {
		struct walk w;

		if (!walk_guest(o->mem, o->img, o->st.cr3, o->st.pae, gva + (uint32_t)done, &w) ||
		    !memory_fetch(o->mem, w.gpa, (char *)to + done, 1))
			break;
	}
	return done;
}

/* An address in the Guest's tables, and what the Host's shadow has for it. */
static void look_at(const struct obituary *o, struct look *l, uint32_t gva)
{
	struct lg_shadow *sh = calloc(1, sizeof(*sh));

	l->taken = true;
	l->gva = gva;
	l->mapped = walk_guest(o->mem, o->img, o->st.cr3, o->st.pae, gva, &l->walk);
	if (!sh)
		return;
	sh->gva = gva;
	l->shadow_known = !host_shadow(sh);
	if (l->shadow_known && sh->found == LG_SHADOW_TABLE)
		l->shadow = sh->entry[gva >> 12 & 511];
	free(sh);
}

/* [ebp] is the caller's ebp, [ebp + 4] where it goes on.  Stacks grow down, so each link
 * must point up; else it is no link. */
static void find_callers(struct obituary *o)
{
	uint32_t link[2], ebp = o->st.regs.ebp;

	while (o->callers < CALLERS_MAX) {
		if ((o->st.regs.cs & 3) == 3 || ebp & 3 ||
		    read_virtual(o, ebp, link, sizeof(link)) != sizeof(link) || !link[1])
			return;
		o->caller[o->callers++] = link[1];
		if (link[0] <= ebp)
			return;
		ebp = link[0];
	}
}

/*:*/

/*L:752 In words of the source
 * A kernel that gives up says where, if it can: "page fault at vm_fault+0x3c".  It knows
 * names and no lines, and what it knew of registers went to its console.  The first word
 * of that form whose name is in the symbol table is a place, and lines.c (L:758) knows the
 * lines of all places.
 */
static bool find_said(struct obituary *o, uint32_t *address)
{
	for (const char *p = o->end->run.text; (p = strstr(p, "+0x")); p += 3) {
		const char *from = p;
		char name[64];
		int n;

		while (from > o->end->run.text && from[-1] > ' ')
			from--;
		n = snprintf(name, sizeof(name), "%.*s", (int)(p - from), from);
		if (n < (int)sizeof(name) && symbols_address(&o->sym, name, address)) {
			uint32_t offset = (uint32_t)strtoul(p + 3, NULL, 16);

			*address += offset;
			snprintf(o->said, sizeof(o->said), "%s+0x%x", name, offset);
			return true;
		}
	}
	return false;
}

/* Where a caller is: in the call, the last byte of which is before the return address. */
static void find_lines(struct obituary *o)
{
	enum { EIP, SAID, CALLER, EXIT = CALLER + CALLERS_MAX, LINES = EXIT + LG_EXIT_RECORDS };
	struct line line[LINES] = { 0 }, again[LINES];

	line[EIP].address = o->st.regs.eip;
	if (o->end->run.what == LG_RUN_POWEROFF)
		find_said(o, &line[SAID].address);
	for (unsigned i = 0; i < o->callers; i++)
		line[CALLER + i].address = o->caller[i] - 1;
	for (unsigned i = 0; i < o->st.exits; i++)
		line[EXIT + i].address = o->st.exit[i].eip;
	lines_find(o->img, line, LINES);
	/* Before it has tables, a Guest is where it was loaded, not where it was linked. */
	for (unsigned i = 0; i < LINES; i++)
		again[i].address = line[i].address + SYMBOLS_HIGHER_HALF;
	if (!o->st.cr3)
		lines_find(o->img, again, LINES);
	for (unsigned i = 0; i < LINES && !o->st.cr3; i++)
		if (!line[i].number)
			line[i] = again[i];
	o->line_of_eip = line[EIP];
	o->line_of_said = line[SAID];
	memcpy(o->line_of_caller, &line[CALLER], sizeof(o->line_of_caller));
	memcpy(o->line_of_exit, &line[EXIT], sizeof(o->line_of_exit));
}

bool obituary_take(struct obituary *o, const struct guest_memory *mem, const struct image *img,
		   const struct ending *end)
{
	memset(o, 0, sizeof(*o));
	o->mem = mem;
	o->img = img;
	o->end = end;
	if (host_state(&o->st) < 0)
		return false;
	if (o->st.exits > LG_EXIT_RECORDS)
		o->st.exits = LG_EXIT_RECORDS;
	symbols_read(&o->sym, img);
	o->code_bytes = read_virtual(o, o->st.regs.eip, o->code, sizeof(o->code));
	if (o->st.vector == 13)
		o->forbidden = forbidden_instruction(o->code, o->code_bytes);
	if (o->st.undelivered && o->st.undelivered_at)
		look_at(o, &o->stack, o->st.undelivered_at);
	find_callers(o);
	find_lines(o);
	/* Since a Guest that gives up has tripped, its pages may have been filled in. */
	if (o->st.cr3 && (o->st.vector == 14 || o->said[0]))
		look_at(o, &o->fault, o->st.vector == 14 ? o->st.cr2 : o->st.told_cr2);
	for (unsigned i = 0; i < o->st.exits; i++)
		o->exits_of[exit_class(o->st.exit[i].cs, o->st.exit[i].vector)]++;
	return true;
}

void obituary_free(struct obituary *o)
{
	symbols_free(&o->sym);
}

/* P RW US A D, NX: SDM vol. 3, tables 4-5 and 4-19. */
const char *entry_bits(uint64_t entry, char text[32])
{
	if (!(entry & 1))
		return strcpy(text, "not present");
	snprintf(text, 32, "P%s%s%s%s%s", entry & 2 ? " RW" : "", entry & 4 ? " US" : "",
		 entry & 0x20 ? " A" : "", entry & 0x40 ? " D" : "", entry >> 63 ? " NX" : "");
	return text;
}

const char *level_name(bool pae, uint32_t gva, unsigned i, unsigned *index)
{
	static const char *const two[] = { "directory", "table" };
	static const char *const three[] = { "pointers", "directory", "table" };

	if (pae) {
		*index = i == 0 ? gva >> 30 : gva >> (i == 1 ? 21 : 12) & 511;
		return three[i];
	}
	*index = gva >> (i ? 12 : 22) & 1023;
	return two[i];
}
/*:*/

/* ---- In words ---------------------------------------------------------------------- */

/* " <vm_fault+0x3c> kernel/vm.c:123", or what is known of it. */
static void print_place(const struct obituary *o, uint32_t eip, const struct line *line)
{
	char name[80];

	if (symbols_name(&o->sym, eip, name, sizeof(name))[0])
		fprintf(stderr, " <%s>", name);
	if (line->number && line->file[0])
		fprintf(stderr, " %s:%u", line->file, line->number);
}

/* " at c0101234: not present, read" */
static int put_fault(char *to, size_t size, uint32_t cr2, uint32_t error)
{
	return snprintf(to, size, " at %08x: %s, %s", cr2,
			error & 1 ? "not allowed" : "not present",
			error & 16 ? "fetch" : error & 2 ? "write" : "read");
}

static void print_exit(const struct obituary *o, unsigned i)
{
	const struct lg_exit_record *e = &o->st.exit[i];
	char what[128], vector[48];
	int n;

	if (e->vector == LGUEST_TRAP_ENTRY)
		n = snprintf(what, sizeof(what), "hypercall %u %s", e->number,
			     hypercall_name(e->number));
	else
		n = snprintf(what, sizeof(what), "%s", vector_name(e->vector, vector, sizeof(vector)));
	if (e->vector == 14)
		put_fault(what + n, sizeof(what) - (size_t)n, e->cr2, e->error);
	else if (e->error)
		snprintf(what + n, sizeof(what) - (size_t)n, ", error 0x%x", e->error);
	fprintf(stderr, "  %+10" PRId64 "  %-46s at %02x:%08x",
		(int64_t)(e->tsc - o->st.exit[i ? i - 1 : 0].tsc), what, e->cs, e->eip);
	print_place(o, e->eip, &o->line_of_exit[i]);
	fputc('\n', stderr);
}

static void print_where(const struct obituary *o)
{
	fprintf(stderr, "  at eip %02x:%08x", o->st.regs.cs, o->st.regs.eip);
	print_place(o, o->st.regs.eip, &o->line_of_eip);
	fprintf(stderr, "\n  instruction ");
	for (size_t i = 0; i < o->code_bytes; i++)
		fprintf(stderr, " %02x", o->code[i]);
	fprintf(stderr, "%s\n", o->code_bytes ? "" : " cannot be read");
	if (o->forbidden)
		fprintf(stderr, "    that is %s\n", o->forbidden);
}

static void print_look(const struct obituary *o, const struct look *l)
{
	char bits[32];

	for (unsigned i = 0; i < l->walk.levels; i++) {
		const struct walk_level *level = &l->walk.level[i];
		unsigned index;
		const char *name = level_name(o->st.pae, l->gva, i, &index);

		fprintf(stderr, "    %-9s entry %3u at %08x: %0*" PRIx64 "  %s\n", name, index,
			(unsigned)level->gpa, o->st.pae ? 16 : 8, level->entry,
			entry_bits(level->entry, bits));
	}
	if (l->mapped)
		fprintf(stderr, "    so it is at physical %08x", (unsigned)l->walk.gpa);
	else
		fprintf(stderr, "    so it is nowhere in the Guest's memory");
	if (l->shadow_known)
		fprintf(stderr, "; the Host's shadow: %s",
			l->shadow ? entry_bits(l->shadow, bits) : "nothing there");
	fputc('\n', stderr);
}

/*L:753 Three faults
 * What a PC calls a triple fault is three sentences: something went wrong; the kernel
 * could not be told; and neither could it be told of that.  The third is the same for all
 * (a PC resets), and the first two are what you want to know.
 */
static void print_undelivered(const struct obituary *o)
{
	uint32_t vector = o->st.undelivered - 1;
	bool from_user = (o->st.regs.cs & 3) == 3;
	char what[48], where[64];

	snprintf(where, sizeof(where), ", vector %u", vector);
	if (vector == 14)
		put_fault(where, sizeof(where), o->st.cr2, o->st.error);
	fprintf(stderr, "  first   %s%s", vector < 32 ? vector_name(vector, what, sizeof(what)) :
		"interrupt", where);
	fprintf(stderr, "\n  then    the Guest's kernel could not be told: ");
	if (!o->st.undelivered_at) {
		fprintf(stderr, "it has set no gate for vector %u%s\n", vector,
			vector < 32 ? ", or not said LGUEST_INIT" : "");
	} else {
		fprintf(stderr, "the frame goes onto the stack at %02x:%08x\n"
			"          (%s), and there is no place for it:\n",
			from_user ? o->st.ss1 : o->st.regs.ss,
			from_user ? o->st.esp1 : o->st.regs.esp,
			from_user ? "the one of SET_STACK, as it came from ring 3" :
			"its own, as it came from ring 1");
		print_look(o, &o->stack);
	}
	fprintf(stderr, "  a PC    would find no way to tell of that either, and reset: a triple "
		"fault\n");
}
/*:*/

static void print_callers(const struct obituary *o)
{
	if (o->callers)
		fprintf(stderr, "  called from\n");
	for (unsigned i = 0; i < o->callers; i++) {
		fprintf(stderr, "    %08x", o->caller[i]);
		print_place(o, o->caller[i], &o->line_of_caller[i]);
		fputc('\n', stderr);
	}
}

static void print_registers(const struct obituary *o)
{
	const struct lg_state *st = &o->st;
	const struct lg_regs *r = &st->regs;

	fprintf(stderr, "  eax %08x  ebx %08x  ecx %08x  edx %08x\n"
		"  esi %08x  edi %08x  ebp %08x  esp %02x:%08x\n"
		"  ds %02x  es %02x  fs %02x  gs %02x  eflags %08x  eip %02x:%08x\n",
		r->eax, r->ebx, r->ecx, r->edx, r->esi, r->edi, r->ebp, r->ss, r->esp,
		r->ds, r->es, r->fs, r->gs, r->eflags, r->cs, r->eip);
	if (st->recorded) {
		fprintf(stderr, "  changed since the last entry, from");
#define CHANGED(name) if (r->name != st->entry.name) \
		fprintf(stderr, "  " #name " %08x", st->entry.name);
		CHANGED(eax) CHANGED(ebx) CHANGED(ecx) CHANGED(edx) CHANGED(esi) CHANGED(edi)
		CHANGED(ebp) CHANGED(esp) CHANGED(eip) CHANGED(eflags) CHANGED(cs) CHANGED(ds)
		CHANGED(es) CHANGED(fs) CHANGED(gs) CHANGED(ss)
#undef CHANGED
		fputc('\n', stderr);
	}
	fprintf(stderr, "  page tables %08x%s  cr2 %08x  ring-1 stack %02x:%08x%s",
		st->cr3, st->cr3 ? "" : " (none yet: virtual = physical)", st->cr2, st->ss1,
		st->esp1, st->halted ? "  halted" : "");
	if (st->irq_pending)
		fprintf(stderr, "  interrupts waiting: 0x%x", st->irq_pending);
	fputc('\n', stderr);
}

/* The codes have hints of their own; Guests that say themselves what was wrong have not. */
static void print_hints(const struct obituary *o)
{
	if (o->end->run.code[0])
		fprintf(stderr, "  what the rule is: " OBITUARY_RULE "%s\n", o->end->run.code);
	fprintf(stderr, "  " OBITUARY_HINT "\n");
}

void postmortem(const struct guest_memory *mem, const struct image *img,
		const struct ending *end)
{
	struct obituary o;

	if (!obituary_take(&o, mem, img, end))
		return;
	if (o.said[0] && o.line_of_said.number)
		fprintf(stderr, "  %s is in %s:%u\n", o.said, o.line_of_said.file,
			o.line_of_said.number);
	print_where(&o);
	if (o.st.undelivered)
		print_undelivered(&o);
	if (o.fault.taken) {
		fprintf(stderr, "  %s %08x, in the Guest's own tables:\n", o.st.vector == 14 ?
			"cr2" : "its last page fault was at", o.fault.gva);
		print_look(&o, &o.fault);
	}
	print_callers(&o);
	print_registers(&o);
	fprintf(stderr, "  the last %u exits, oldest first (left: TSC ticks since the one before)\n",
		o.st.exits);
	for (unsigned i = 0; i < o.st.exits; i++)
		print_exit(&o, i);
	fprintf(stderr, "  of these: %u of programs, %u of the Guest's kernel, %u hypercalls, "
		"%u interrupts of the real machine\n", o.exits_of[EXIT_USER],
		o.exits_of[EXIT_KERNEL], o.exits_of[EXIT_HYPERCALL], o.exits_of[EXIT_INTERRUPT]);
	print_hints(&o);
	obituary_free(&o);
}
