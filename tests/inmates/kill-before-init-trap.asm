; SPDX-License-Identifier: MIT
; A trap before LGUEST_INIT; the argument chooses it.  ABI.md 1.4, 5.3.
; expect: unhandled trap
; run: 6
; run: 3
; run: 13
%define NO_INIT
%include "lib.inc"

main:
	mov	eax, 6
	call	argument_number
	cmp	eax, 13
	je	.protection
	cmp	eax, 3
	je	.break
	ud2
.break:	int3
.protection:
	hlt
	jmp	survived
