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
 * every address is walked and checked like any other.
 */
#define FRAMES_MAX	16
#define CODE_BYTES	16

struct scene {
	const struct guest_memory *mem;
	const struct image *img;
	const struct symbols *sym;
	const struct lg_state *st;
};

/* Reads bytes of the Guest's virtual memory.  Returns how many could be read. */
static size_t read_virtual(const struct scene *sc, uint32_t gva, void *to, size_t len)
{
	size_t done = 0;

	for (; done < len; done++) {
		struct walk w;

		if (!walk_guest(sc->mem, sc->img, sc->st->cr3, sc->st->pae, gva + (uint32_t)done, &w) ||
		    !memory_fetch(sc->mem, w.gpa, (char *)to + done, 1))
			break;
	}
	return done;
}

static void print_code(const struct scene *sc)
{
	uint8_t code[CODE_BYTES];
	size_t n = read_virtual(sc, sc->st->regs.eip, code, sizeof(code));

	fprintf(stderr, "  code at eip ");
	for (size_t i = 0; i < n; i++)
		fprintf(stderr, " %02x", code[i]);
	fprintf(stderr, "%s\n", n ? "" : " cannot be read");
}

/* P RW US A D, NX: SDM vol. 3, tables 4-5 and 4-19. */
static const char *bits_of(uint64_t entry, char text[32])
{
	if (!(entry & 1))
		return strcpy(text, "not present");
	snprintf(text, 32, "P%s%s%s%s%s", entry & 2 ? " RW" : "", entry & 4 ? " US" : "",
		 entry & 0x20 ? " A" : "", entry & 0x40 ? " D" : "", entry >> 63 ? " NX" : "");
	return text;
}

static void print_shadow(uint32_t gva)
{
	struct lg_shadow *sh = calloc(1, sizeof(*sh));
	uint64_t entry;
	char bits[32];

	if (!sh)
		return;
	sh->gva = gva;
	if (!host_shadow(sh)) {
		entry = sh->entry[gva >> 12 & 511];
		fprintf(stderr, "    the Host's shadow: %s\n",
			sh->found == LG_SHADOW_TABLE ? bits_of(entry, bits) : "nothing there");
	}
	free(sh);
}

static void print_walk(const struct scene *sc, const char *what, uint32_t gva)
{
	static const char *const two[] = { "directory", "table" };
	static const char *const pae[] = { "pointers", "directory", "table" };
	struct walk w;
	bool good;
	char bits[32];

	if (!sc->st->cr3)
		return;
	good = walk_guest(sc->mem, sc->img, sc->st->cr3, sc->st->pae, gva, &w);
	fprintf(stderr, "  %s %08x, in the Guest's own tables:\n", what, gva);
	for (unsigned i = 0; i < w.levels; i++)
		fprintf(stderr, "    %-9s entry %3u at %08x: %0*" PRIx64 "  %s\n",
			sc->st->pae ? pae[i] : two[i],
			sc->st->pae ? i == 0 ? gva >> 30 : gva >> (i == 1 ? 21 : 12) & 511 :
			gva >> (i ? 12 : 22) & 1023, (unsigned)w.level[i].gpa,
			sc->st->pae ? 16 : 8, w.level[i].entry, bits_of(w.level[i].entry, bits));
	if (good)
		fprintf(stderr, "    so it is at physical %08x\n", (unsigned)w.gpa);
	else
		fprintf(stderr, "    so it is nowhere in the Guest's memory\n");
	print_shadow(gva);
}

/* [ebp] is the caller's ebp, [ebp + 4] where it goes on.  Stacks grow down, so each link
 * must point up; else it is no link. */
static void print_callers(const struct scene *sc)
{
	uint32_t link[2], ebp = sc->st->regs.ebp;
	char where[96];

	for (unsigned i = 0; i < FRAMES_MAX; i++) {
		if ((sc->st->regs.cs & 3) == 3 || ebp & 3 ||
		    read_virtual(sc, ebp, link, sizeof(link)) != sizeof(link) || !link[1])
			return;
		if (!i)
			fprintf(stderr, "  called from\n");
		fprintf(stderr, "    %08x%s\n", link[1],
			name_of(sc->sym, link[1], where, sizeof(where)));
		if (link[0] <= ebp)
			return;
		ebp = link[0];
	}
}
/*:*/

void postmortem(const struct guest_memory *mem, const struct image *img)
{
	struct lg_state st;
	const struct lg_regs *r = &st.regs;
	struct symbols sym;
	struct scene scene;
	char where[96];
	unsigned exits, classes[EXIT_CLASSES + 1] = { 0 };

	memset(&st, 0, sizeof(st));
	if (host_state(&st) < 0)
		return;
	symbols_read(&sym, img);
	fprintf(stderr, "  eax %08x  ebx %08x  ecx %08x  edx %08x\n"
		"  esi %08x  edi %08x  ebp %08x  esp %02x:%08x\n"
		"  ds %02x  es %02x  fs %02x  gs %02x  eflags %08x\n"
		"  eip %02x:%08x%s\n",
		r->eax, r->ebx, r->ecx, r->edx, r->esi, r->edi, r->ebp, r->ss, r->esp,
		r->ds, r->es, r->fs, r->gs, r->eflags,
		r->cs, r->eip, name_of(&sym, r->eip, where, sizeof(where)));
	fprintf(stderr, "  page tables %08x%s  cr2 %08x  ring-1 stack %02x:%08x%s",
		st.cr3, st.cr3 ? "" : " (none yet: virtual = physical)", st.cr2, st.ss1, st.esp1,
		st.halted ? "  halted" : "");
	if (st.irq_pending)
		fprintf(stderr, "  interrupts waiting: 0x%x", st.irq_pending);
	exits = st.exits < LG_EXIT_RECORDS ? st.exits : LG_EXIT_RECORDS;
	fputc('\n', stderr);
	scene = (struct scene){ mem, img, &sym, &st };
	print_code(&scene);
	if (st.vector == 14)
		print_walk(&scene, "cr2", st.cr2);
	print_callers(&scene);
	fprintf(stderr, "  the last %u exits, oldest first (left: TSC ticks since the one before)\n",
		exits);
	for (unsigned i = 0; i < exits; i++) {
		print_exit(&sym, &st.exit[i], st.exit[i ? i - 1 : 0].tsc);
		classes[exit_class(st.exit[i].cs, st.exit[i].vector)]++;
	}
	fprintf(stderr, "  of these: %u of programs, %u of the Guest's kernel, %u hypercalls, "
		"%u interrupts of the real machine\n", classes[EXIT_USER], classes[EXIT_KERNEL],
		classes[EXIT_HYPERCALL], classes[EXIT_INTERRUPT]);
	fprintf(stderr, "  every step before: the same with --trace=run.json, and then make view "
		"TRACE=run.json\n");
	symbols_free(&sym);
}
