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

void postmortem(const struct image *img)
{
	struct lg_state st;
	const struct lg_regs *r = &st.regs;
	struct symbols sym;
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
	fprintf(stderr, "\n  the last %u exits, oldest first (left: TSC ticks since the one before)\n",
		exits);
	for (unsigned i = 0; i < exits; i++) {
		print_exit(&sym, &st.exit[i], st.exit[i ? i - 1 : 0].tsc);
		classes[exit_class(st.exit[i].cs, st.exit[i].vector)]++;
	}
	fprintf(stderr, "  of these: %u of programs, %u of the Guest's kernel, %u hypercalls, "
		"%u interrupts of the real machine\n", classes[EXIT_USER], classes[EXIT_KERNEL],
		classes[EXIT_HYPERCALL], classes[EXIT_INTERRUPT]);
	symbols_free(&sym);
}
