// SPDX-License-Identifier: GPL-2.0-only
/*S:105 Numbers for the assembler
 *
 * NASM cannot read a C header, and a hand-copied offset is a bug that waits.  So the
 * C compiler is asked: this file is compiled to assembly, never linked, and each
 * "->NAME value" below becomes a %define in offsets.inc.
 */
#include "lg.h"

#define DEFINE(name, value)  asm volatile("\n.ascii \"->" #name " %c0\"" : : "i" (value))
#define OFFSET(name, member) DEFINE(name, offsetof(struct lg_pages, member))

void lg_offsets(void);
void lg_offsets(void)
{
	OFFSET(LG_HOST_RSP, host_rsp);
	OFFSET(LG_HOST_CR3, host_cr3);
	OFFSET(LG_GUEST_CR3, guest_cr3);
	OFFSET(LG_HOST_GS_BASE, host_gs_base);
	OFFSET(LG_HOST_FS_BASE, host_fs_base);
	OFFSET(LG_HOST_DS, host_ds);
	OFFSET(LG_HOST_ES, host_es);
	OFFSET(LG_HOST_FS, host_fs);
	OFFSET(LG_HOST_GS, host_gs);
	OFFSET(LG_HOST_TSS_DESC, host_tss_desc);
	OFFSET(LG_HOST_GDTR_RW, host_gdtr_rw);
	OFFSET(LG_HOST_GDTR, host_gdtr);
	OFFSET(LG_HOST_IDTR, host_idtr);
	OFFSET(LG_GUEST_GDTR, guest_gdtr);
	OFFSET(LG_GUEST_IDTR, guest_idtr);
	OFFSET(LG_CR2, cr2);
	OFFSET(LG_NMI_PENDING, nmi_pending);
	OFFSET(LG_ESP1, esp1);
	OFFSET(LG_SS1, ss1);
	OFFSET(LG_DIRECT_FLAGS, direct_flags);
	OFFSET(LG_DIRECT, direct);
	OFFSET(LG_SYSCALL_FRAME, syscall_frame);
	OFFSET(LG_SYSCALL_ESP, syscall_frame.rsp);
	OFFSET(LG_DIRECT_COUNT, direct_count);
	OFFSET(LG_DIRECT_COUNT_SYSCALL, direct_count_syscall);
	OFFSET(LG_FIXUPS, fixups);
	OFFSET(LG_NMI_SWITCHER, nmi_switcher);
	OFFSET(LG_ENTRY_ABORTS, entry_aborts);
	OFFSET(LG_BUG_RIP, bug_rip);
	OFFSET(LG_SPILL_RAX, spill_rax);
	OFFSET(LG_SPILL_RBX, spill_rbx);
	OFFSET(LG_SCRATCH_TOP, scratch_top);
	OFFSET(LG_REGS_EAX, regs.eax);
	OFFSET(LG_REGS_EBX, regs.ebx);
	OFFSET(LG_REGS_ECX, regs.ecx);
	OFFSET(LG_REGS_EDX, regs.edx);
	OFFSET(LG_REGS_ESI, regs.esi);
	OFFSET(LG_REGS_EDI, regs.edi);
	OFFSET(LG_REGS_EBP, regs.ebp);
	OFFSET(LG_REGS_DS, regs.ds);
	OFFSET(LG_REGS_ES, regs.es);
	OFFSET(LG_REGS_FS, regs.fs);
	OFFSET(LG_REGS_GS, regs.gs);
	OFFSET(LG_REGS_TRAPNO, regs.trapno);
	OFFSET(LG_REGS_ERROR, regs.error);
	OFFSET(LG_REGS_EIP, regs.eip);
	OFFSET(LG_GDT, gdt);
	DEFINE(LG_GDT_TSS, LG_GDT_TSS);
}
/*:*/
