/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The first instructions of our own: startup_32 comes here when it has cleared the
 * bss, saved the boot parameters and made the first page tables.
 *
 * In: no paging (the Host calls it linear mode), %esp physical, segments as the Host
 * made them.  A PC's kernel would now load a GDT, CR4, EFER, CR3 and CR0.  We make two
 * hypercalls.
 */
#include <linux/linkage.h>
#include <linux/init.h>
#include <asm/asm-offsets.h>
#include <asm/page_types.h>

#define pa(X) ((X) - __PAGE_OFFSET)

__HEAD
SYM_CODE_START(lguest_entry)
	movl	$LHCALL_LGUEST_INIT, %eax
	movl	$pa(lguest_data), %ebx
	int	$LGUEST_TRAP_ENTRY

	movl	$LHCALL_NEW_PGTABLE, %eax
	movl	$pa(initial_page_table), %ebx
	int	$LGUEST_TRAP_ENTRY
	movl	%ebx, pa(lguest_cr3)

	/* From here on there are two of everything.  Move to the upper one. */
	addl	$__PAGE_OFFSET, %esp
	movl	$1f, %eax
	jmp	*%eax
1:
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
	call	lguest_init
	call	*(initial_code)
	ud2
SYM_CODE_END(lguest_entry)
