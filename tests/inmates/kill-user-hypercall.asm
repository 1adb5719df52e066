; SPDX-License-Identifier: MIT
; A hypercall from ring 3, when nobody handles #GP.  ABI.md 2.1, 5.3.
; expect: unhandled trap 13
%include "lib.inc"

main:
	call	user_segments
	call	paging_on
	SET_GATE 13, 0, 0
	mov	eax, .user
	mov	edx, user_stack_top
	call	run_user
	jmp	survived
section .user
.user:	xor	eax, eax
	int	0x1f
section .text
	jmp	survived
