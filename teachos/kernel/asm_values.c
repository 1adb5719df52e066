/* SPDX-License-Identifier: MIT */
/*G:107 Numbers that assembly needs and C knows
 *
 * An offset written down twice is wrong once.  So this file is compiled, to assembly
 * text and no further; the Makefile turns each "->NAME value" line that it finds
 * there into a %define of NASM.
 :*/
#include "kernel.h"
#include "lguest.h"
#include "multiboot.h"

#define VALUE(name, value) asm volatile("\n->" #name " %c0" : : "i"(value))

void asm_values(void);
void asm_values(void)
{
	VALUE(LGUEST_TRAP_ENTRY, LGUEST_TRAP_ENTRY);
	VALUE(LHCALL_LGUEST_INIT, LHCALL_LGUEST_INIT);
	VALUE(LHCALL_NEW_PGTABLE, LHCALL_NEW_PGTABLE);
	VALUE(IRQ_ENABLED, offsetof(struct lguest_data, irq_enabled));
	VALUE(EFLAGS_IF, EFLAGS_IF);
	VALUE(KERNEL_BASE, KERNEL_BASE);
	VALUE(KERNEL_TOP_INDEX, top_index(KERNEL_BASE));
	VALUE(PTE_BYTES, sizeof(pte_t));
	VALUE(PTE_KERNEL, PTE_P | PTE_RW | PTE_A | PTE_D);
	VALUE(DIR_BOOT, PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D);
	VALUE(FRAME_VECTOR, offsetof(struct trap_frame, vector));
	VALUE(MULTIBOOT_HEADER, MULTIBOOT_HEADER);
	VALUE(MULTIBOOT_LOADED, MULTIBOOT_LOADED);
	VALUE(MULTIBOOT_LINE, MULTIBOOT_LINE);
	VALUE(PV_RETURN_TO_USER, offsetof(struct pv_ops, return_to_user));
	VALUE(PV_RETURN, offsetof(struct pv_ops, return_from_trap));
}
