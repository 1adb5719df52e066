// SPDX-License-Identifier: MIT
/*L:755 Words for codes
 *
 * The CPU and the Guest speak in small numbers.  Here they are in words, once, for the
 * postmortem, the trace and the counters: exceptions (SDM vol. 3, table 6-1), and the
 * hypercalls with their arguments (ABI.md section 2).
 :*/
#include <stdio.h>
#include <string.h>

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

/*L:756 What a Guest says instead
 *
 * A kernel that was written for a real machine, or by somebody who is used to one, sooner or
 * later says what only ring 0 may, and gets a #GP for it.  Each of these has a word in the
 * ABI that takes its place (SDM vol. 3, 5.9, has the list; docs/ABI.md section 2 the words).
 */
const char *forbidden_instruction(const uint8_t *code, size_t n)
{
	static const struct {
		uint8_t byte[2];
		uint8_t bytes, reg;	/* reg: of ModRM, 8: any, or there is none */
		const char *text;
	} known[] = {
		{ { 0xf4 }, 1, 8, "hlt; a Guest says HALT" },
		{ { 0xfa }, 1, 8, "cli; a Guest clears lguest_data.irq_enabled" },
		{ { 0xfb }, 1, 8, "sti; a Guest sets lguest_data.irq_enabled, and says "
				  "SEND_INTERRUPTS if one is pending" },
		{ { 0x0f, 0x00 }, 2, 2, "lldt; there is no LDT" },
		{ { 0x0f, 0x00 }, 2, 3, "ltr; a Guest says SET_STACK, the TSS is the Host's" },
		{ { 0x0f, 0x01 }, 2, 2, "lgdt; a Guest says LOAD_GDT_ENTRY, for each entry" },
		{ { 0x0f, 0x01 }, 2, 3, "lidt; a Guest says LOAD_IDT_ENTRY, for each gate" },
		{ { 0x0f, 0x01 }, 2, 6, "lmsw; a Guest says TS, the rest of CR0 is the Host's" },
		{ { 0x0f, 0x01 }, 2, 7, "invlpg; a Guest says SET_PTE or FLUSH_TLB" },
		{ { 0x0f, 0x06 }, 2, 8, "clts; a Guest says TS" },
		{ { 0x0f, 0x08 }, 2, 8, "invd; caches are not a Guest's business" },
		{ { 0x0f, 0x09 }, 2, 8, "wbinvd; caches are not a Guest's business" },
		{ { 0x0f, 0x20 }, 2, 0, "mov from cr0; a Guest remembers what it has set" },
		{ { 0x0f, 0x20 }, 2, 2, "mov from cr2; a Guest reads lguest_data.cr2" },
		{ { 0x0f, 0x20 }, 2, 3, "mov from cr3; a Guest remembers its last NEW_PGTABLE" },
		{ { 0x0f, 0x22 }, 2, 0, "mov to cr0; a Guest says TS, the rest is the Host's" },
		{ { 0x0f, 0x22 }, 2, 3, "mov to cr3; a Guest says NEW_PGTABLE" },
		{ { 0x0f, 0x22 }, 2, 4, "mov to cr4; that is the Host's (PAE: see LGUEST_INIT)" },
		{ { 0x0f, 0x30 }, 2, 8, "wrmsr; a Guest has no MSRs" },
		{ { 0x0f, 0x32 }, 2, 8, "rdmsr; a Guest has no MSRs" },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (n > known[i].bytes && !memcmp(code, known[i].byte, known[i].bytes) &&
		    (known[i].reg == 8 || known[i].reg == (code[known[i].bytes] >> 3 & 7)))
			return known[i].text;
	return NULL;
}
/*:*/

const char *hypercall_name(uint32_t number)
{
	return number < LHCALL_COUNT && call[number].name ? call[number].name : "unassigned";
}

const char *hypercall_argument(uint32_t number, unsigned n)
{
	return number < LHCALL_COUNT && n < 4 ? call[number].argument[n] : NULL;
}
