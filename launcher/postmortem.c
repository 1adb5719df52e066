// SPDX-License-Identifier: MIT
/*L:750 Why did it die?
 *
 * The Host kills a Guest with a code and a sentence.  That is the diagnosis; here is
 * the file that goes with it: the registers at the last exit, and the exits before,
 * so that you see how the Guest came to be there.  The kernel's own symbol table
 * turns addresses into names of functions, if the file has one.
 *
 * Read the list from the bottom up.  The last line is the end; the cause is usually
 * one or two lines above it.
 :*/
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "launcher.h"

/* " <vm_fault+0x3c>", or "". */
static const char *name_of(const struct symbols *sym, uint32_t eip, char *text, size_t size)
{
	char name[80];

	snprintf(text, size, symbols_name(sym, eip, name, sizeof(name))[0] ? " <%s>" : "%s", name);
	return text;
}

static void print_exit(const struct symbols *sym, const struct lg_exit_record *e, uint64_t last)
{
	char where[96], what[48];

	name_of(sym, e->eip, where, sizeof(where));
	if (e->vector == LGUEST_TRAP_ENTRY)
		fprintf(stderr, "  %+10" PRId64 "  hypercall %u %s", (int64_t)(e->tsc - last),
			e->number, hypercall_name(e->number));
	else
		fprintf(stderr, "  %+10" PRId64 "  %s", (int64_t)(e->tsc - last),
			vector_name(e->vector, what, sizeof(what)));
	if (e->vector == 14)
		fprintf(stderr, " at %08x: %s, %s, from ring %u;", e->cr2,
			e->error & 1 ? "not allowed" : "not present",
			e->error & 16 ? "fetch" : e->error & 2 ? "write" : "read", e->cs & 3);
	else if (e->error)
		fprintf(stderr, " error 0x%x", e->error);
	fprintf(stderr, " at eip %02x:%08x%s\n", e->cs, e->eip, where);
}

/*L:752 What was there
 * Three more witnesses.  The bytes at eip: is this the code you compiled, or did the
 * Guest jump into the void?  The walk: what the Guest's own tables say of the address
 * that it died of, entry by entry, and what the Host's shadow has for it.  And the chain
 * of frame pointers on the stack: who called whom, as long as the links look sane.
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

/* What the Host's shadow has for an address. */
static void look_at_shadow(struct obituary *o, uint32_t gva)
{
	struct lg_shadow *sh = calloc(1, sizeof(*sh));

	if (!sh)
		return;
	sh->gva = gva;
	o->shadow_known = !host_shadow(sh);
	if (o->shadow_known && sh->found == LG_SHADOW_TABLE)
		o->shadow = sh->entry[gva >> 12 & 511];
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

bool obituary_take(struct obituary *o, const struct guest_memory *mem, const struct image *img)
{
	memset(o, 0, sizeof(*o));
	o->mem = mem;
	o->img = img;
	if (host_state(&o->st) < 0)
		return false;
	if (o->st.exits > LG_EXIT_RECORDS)
		o->st.exits = LG_EXIT_RECORDS;
	symbols_read(&o->sym, img);
	o->code_bytes = read_virtual(o, o->st.regs.eip, o->code, sizeof(o->code));
	o->walked = o->st.vector == 14 && o->st.cr3;
	if (o->walked) {
		o->mapped = walk_guest(mem, img, o->st.cr3, o->st.pae, o->st.cr2, &o->walk);
		look_at_shadow(o, o->st.cr2);
	}
	find_callers(o);
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

const char *level_name(const struct obituary *o, unsigned i, unsigned *index)
{
	static const char *const two[] = { "directory", "table" };
	static const char *const pae[] = { "pointers", "directory", "table" };
	uint32_t gva = o->st.cr2;

	if (o->st.pae) {
		*index = i == 0 ? gva >> 30 : gva >> (i == 1 ? 21 : 12) & 511;
		return pae[i];
	}
	*index = gva >> (i ? 12 : 22) & 1023;
	return two[i];
}
/*:*/

static void print_code(const struct obituary *o)
{
	fprintf(stderr, "  code at eip ");
	for (size_t i = 0; i < o->code_bytes; i++)
		fprintf(stderr, " %02x", o->code[i]);
	fprintf(stderr, "%s\n", o->code_bytes ? "" : " cannot be read");
}

static void print_walk(const struct obituary *o)
{
	char bits[32];

	fprintf(stderr, "  cr2 %08x, in the Guest's own tables:\n", o->st.cr2);
	for (unsigned i = 0; i < o->walk.levels; i++) {
		const struct walk_level *level = &o->walk.level[i];
		unsigned index;
		const char *name = level_name(o, i, &index);

		fprintf(stderr, "    %-9s entry %3u at %08x: %0*" PRIx64 "  %s\n", name, index,
			(unsigned)level->gpa, o->st.pae ? 16 : 8, level->entry,
			entry_bits(level->entry, bits));
	}
	if (o->mapped)
		fprintf(stderr, "    so it is at physical %08x\n", (unsigned)o->walk.gpa);
	else
		fprintf(stderr, "    so it is nowhere in the Guest's memory\n");
	if (o->shadow_known)
		fprintf(stderr, "    the Host's shadow: %s\n",
			o->shadow ? entry_bits(o->shadow, bits) : "nothing there");
}

static void print_callers(const struct obituary *o)
{
	char where[96];

	if (o->callers)
		fprintf(stderr, "  called from\n");
	for (unsigned i = 0; i < o->callers; i++)
		fprintf(stderr, "    %08x%s\n", o->caller[i],
			name_of(&o->sym, o->caller[i], where, sizeof(where)));
}

static void print_registers(const struct obituary *o)
{
	const struct lg_state *st = &o->st;
	const struct lg_regs *r = &st->regs;
	char where[96];

	fprintf(stderr, "  eax %08x  ebx %08x  ecx %08x  edx %08x\n"
		"  esi %08x  edi %08x  ebp %08x  esp %02x:%08x\n"
		"  ds %02x  es %02x  fs %02x  gs %02x  eflags %08x\n"
		"  eip %02x:%08x%s\n",
		r->eax, r->ebx, r->ecx, r->edx, r->esi, r->edi, r->ebp, r->ss, r->esp,
		r->ds, r->es, r->fs, r->gs, r->eflags,
		r->cs, r->eip, name_of(&o->sym, r->eip, where, sizeof(where)));
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

void postmortem(const struct guest_memory *mem, const struct image *img)
{
	struct obituary o;

	if (!obituary_take(&o, mem, img))
		return;
	print_registers(&o);
	print_code(&o);
	if (o.walked)
		print_walk(&o);
	print_callers(&o);
	fprintf(stderr, "  the last %u exits, oldest first (left: TSC ticks since the one before)\n",
		o.st.exits);
	for (unsigned i = 0; i < o.st.exits; i++)
		print_exit(&o.sym, &o.st.exit[i], o.st.exit[i ? i - 1 : 0].tsc);
	fprintf(stderr, "  of these: %u of programs, %u of the Guest's kernel, %u hypercalls, "
		"%u interrupts of the real machine\n", o.exits_of[EXIT_USER],
		o.exits_of[EXIT_KERNEL], o.exits_of[EXIT_HYPERCALL], o.exits_of[EXIT_INTERRUPT]);
	fprintf(stderr, "  " OBITUARY_HINT "\n");
	obituary_free(&o);
}
