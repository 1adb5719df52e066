; SPDX-License-Identifier: MIT
; A direct system call from ring 3, and the ring-1 stack has no pages.  ABI.md 4.1, 5.2.
; expect: bad address
%include "lib.inc"

main:
	call	user_segments
	call	paging_on
	HCALL	HC_SET_STACK, KDS, 0x70001000, 0
	mov	eax, .user
	mov	edx, user_stack_top
	call	run_user
	jmp	survived
section .user
.user:	int	0x80
section .text
	jmp	survived
