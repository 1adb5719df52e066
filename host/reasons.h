/* SPDX-License-Identifier: GPL-2.0-only */
/*H:120 Reasons to die
 *
 * A Guest cannot be told off: no hypercall returns an error.  When it does
 * something impossible there is one answer, lg_kill(), and the only kindness left
 * is to say exactly why.  So every way to die has a code, and here they all are.
 *
 * The code is for looking up (and for tests, which compare it); the sentence that
 * goes with it is made on the spot, with the numbers that matter.  It begins with
 * the words that the original lguest used, because people search for those.
 */
#ifndef LG_REASONS_H
#define LG_REASONS_H

#define LG_REASONS(X) \
	/* Hypercalls */ \
	X(HC_BEFORE_INIT,	"E-HC-01", "a hypercall came before LGUEST_INIT") \
	X(HC_INIT_TWICE,	"E-HC-02", "LGUEST_INIT came a second time") \
	X(HC_UNKNOWN,		"E-HC-03", "there is no hypercall of this number") \
	X(HC_BAD_DATA,		"E-HC-04", "struct lguest_data is not inside the Guest's memory") \
	X(HC_BAD_SYSCALL,	"E-HC-05", "syscall_vec names a vector that the Host does not offer") \
	X(HC_BAD_KERNEL,	"E-HC-06", "kernel_address lies in the reserved area") \
	/* Guest memory, as seen by the Host */ \
	X(MEM_READ,		"E-MEM-01", "a guest-physical address to read from is out of range") \
	X(MEM_VIRTUAL,		"E-MEM-03", "a guest-virtual address that must be mapped is not") \
	X(MEM_NO_FRAME,		"E-MEM-04", "the Launcher's memory for this frame cannot be had") \
	/* Segments and gates */ \
	X(SEG_GDT_INDEX,	"E-SEG-01", "the GDT has 32 entries") \
	X(SEG_LOAD,		"E-SEG-02", "a segment register cannot be loaded on the way in") \
	X(SEG_VM86,		"E-SEG-03", "the Guest got into virtual-8086 mode, which is not offered") \
	X(TRAP_VECTOR,		"E-TRAP-01", "the IDT has 256 entries") \
	X(TRAP_GATE_TYPE,	"E-TRAP-02", "a gate is neither an interrupt gate nor a trap gate") \
	X(TRAP_UNHANDLED,	"E-TRAP-03", "a trap came and the Guest has no gate for it") \
	X(TRAP_STACK_SS,	"E-TRAP-04", "SET_STACK wants a stack segment of ring 1") \
	X(TRAP_STACK_PAGES,	"E-TRAP-05", "SET_STACK takes 0 to 2 pages") \
	X(TRAP_STACK_PAGE,	"E-TRAP-06", "a page of the ring-1 stack is not mapped for writing") \
	/* Page tables */ \
	X(PT_BAD_PGD,		"E-PT-01", "a page directory entry has bits that lguest does not know") \
	X(PT_PGD_FRAME,		"E-PT-02", "a page directory entry names a frame the Guest has not") \
	X(PT_BAD_PMD,		"E-PT-03", "a page middle directory entry has bits that lguest does not know") \
	X(PT_PMD_FRAME,		"E-PT-04", "a page middle directory entry names a frame the Guest has not") \
	X(PT_BAD_PTE,		"E-PT-06", "a page table entry has bit 7 (PS or PAT) set") \
	X(PT_PTE_FRAME,		"E-PT-07", "a page table entry names a frame the Guest has not") \
	X(PT_SWITCHER,		"E-PT-08", "SET_PTE aims at the reserved area at the top") \
	X(PT_PGD_INDEX,		"E-PT-09", "SET_PGD's index is past the end of the table") \
	X(PT_NO_MEMORY,		"E-PT-10", "the Host has no memory left for shadow tables") \
	/* Us */ \
	X(HOST_SWITCHER,	"E-HOST-01", "a fault inside the Switcher: a bug of the Host, not of the Guest")

#define LG_REASON_ENUM(name, code, meaning) LG_##name,
enum lg_reason { LG_ALIVE, LG_REASONS(LG_REASON_ENUM) LG_REASON_COUNT };
#undef LG_REASON_ENUM

#endif
/*:*/
