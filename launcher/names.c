// SPDX-License-Identifier: MIT
/*L:755 Words for codes
 *
 * The CPU and the Guest speak in small numbers.  Here they are in words, once, for the
 * postmortem, the trace and the counters: exceptions (SDM vol. 3, table 6-1), and the
 * hypercalls with their arguments (ABI.md section 2).
 :*/
#include <stdio.h>

#include "launcher.h"

/* LAB 0.1 BEGIN: words for vectors */
const char *vector_name(uint32_t vector, char *text, size_t size)
{
	static const char *const name[] = {
		"#DE divide", "#DB debug", "NMI", "#BP breakpoint", "#OF overflow", "#BR bound",
		"#UD bad instruction", "#NM no FPU", "#DF double fault", "FPU overrun",
		"#TS bad TSS", "#NP no segment", "#SS stack segment", "#GP protection",
		"#PF page fault", "reserved", "#MF FPU error", "#AC alignment",
		"#MC machine check", "#XF SIMD error",
	};

	if (vector < sizeof(name) / sizeof(name[0]))
		return name[vector];
	if (vector >= 256)
		snprintf(text, size, "fault %u in the Switcher", vector - 256);
	else if (vector == LGUEST_TRAP_ENTRY)
		return "hypercall";
	else if (vector == 0x80)
		return "system call";
	else if (vector >= 32)
		return "real interrupt";
	else
		snprintf(text, size, "vector %u", vector);
	return text;
}
/* LAB 0.1 END */

/* LAB 0.2 BEGIN: whose doing was it? */
enum exit_class exit_class(uint32_t cs, uint32_t vector)
{
	if (vector >= 256)
		return EXIT_SWITCHER;
	if (vector == LGUEST_TRAP_ENTRY)
		return EXIT_HYPERCALL;
	/* NMI and machine check are the real machine's, whatever their numbers. */
	if (vector == 2 || vector == 18 || (vector >= 32 && vector != 0x80))
		return EXIT_INTERRUPT;
	return (cs & 3) == 3 ? EXIT_USER : EXIT_KERNEL;
}
/* LAB 0.2 END */

static const struct {
	const char *name;
	const char *argument[4];
} call[LHCALL_COUNT] = {
	[LHCALL_FLUSH_ASYNC] = { "FLUSH_ASYNC", { NULL } },
	[LHCALL_LGUEST_INIT] = { "LGUEST_INIT", { "data" } },
	[LHCALL_SHUTDOWN] = { "SHUTDOWN", { "text", "how" } },
	[LHCALL_NEW_PGTABLE] = { "NEW_PGTABLE", { "root" } },
	[LHCALL_FLUSH_TLB] = { "FLUSH_TLB", { "all" } },
	[LHCALL_LOAD_IDT_ENTRY] = { "LOAD_IDT_ENTRY", { "vector", "low", "high" } },
	[LHCALL_SET_STACK] = { "SET_STACK", { "ss", "esp", "pages" } },
	[LHCALL_TS] = { "TS", { "set" } },
	[LHCALL_SET_CLOCKEVENT] = { "SET_CLOCKEVENT", { "ns" } },
	[LHCALL_HALT] = { "HALT", { NULL } },
	[LHCALL_SET_PMD] = { "SET_PMD", { "table", "index" } },
	[LHCALL_SET_PTE] = { "SET_PTE", { "root", "gva", "low", "high" } },
	[LHCALL_SET_PGD] = { "SET_PGD", { "root", "index" } },
	[LHCALL_LOAD_TLS] = { "LOAD_TLS", { "descriptors" } },
	[LHCALL_NOTIFY] = { "NOTIFY", { "address" } },
	[LHCALL_LOAD_GDT_ENTRY] = { "LOAD_GDT_ENTRY", { "entry", "low", "high" } },
	[LHCALL_SEND_INTERRUPTS] = { "SEND_INTERRUPTS", { NULL } },
};

const char *hypercall_name(uint32_t number)
{
	return number < LHCALL_COUNT && call[number].name ? call[number].name : "unassigned";
}

const char *hypercall_argument(uint32_t number, unsigned n)
{
	return number < LHCALL_COUNT && n < 4 ? call[number].argument[n] : NULL;
}
