; SPDX-License-Identifier: MIT
; Ring 3 asks for virtual-8086 mode: an IRET with EFLAGS.VM in its frame.  There is no such
; mode in 64-bit mode, nor may ring 3 ever switch to it (SDM vol. 2, IRET), so a processor
; refuses: #GP for the null CS.  QEMU's TCG obeys, and the Host must recognise what it sees.
; expect: virtual-8086
; status: 0 4
%include "lib.inc"

main:
	call	user_segments
	call	paging_on
	mov	eax, .user
	mov	edx, user_stack_top
	call	run_user
	CHECK_EQ eax, 13, "virtual-8086 mode is refused with #GP"
	jmp	finish

section .user
.user:	push	dword 0				; gs, fs, ds, es
	push	dword 0
	push	dword 0
	push	dword 0
	push	dword 0				; ss, esp
	push	dword 0
	push	dword 0x20202			; eflags: VM, IF
	push	dword 0				; cs, eip
	push	dword 0
	iret
