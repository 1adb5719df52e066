; SPDX-License-Identifier: MIT
; A page beyond memory, touched by a write from ring 3.  ABI.md 7.2, 7.6.
; expect: bad page table entry
%include "lib.inc"

main:
	call	user_segments
	call	paging_on
	mov	eax, 0x800000
	call	pte_of
	mov	dword [eax], 0xfee00000 | PAGE_P | PAGE_RW | PAGE_US
	mov	eax, .user
	mov	edx, user_stack_top
	call	run_user
	jmp	survived
section .user
.user:	mov	[0x800000], eax
	int	0x80
section .text
	jmp	survived
