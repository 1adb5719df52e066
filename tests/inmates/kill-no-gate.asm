; SPDX-License-Identifier: MIT
; A trap without a gate; the argument is the vector.  ABI.md 5.3.
; expect: unhandled trap
; run: 0
; run: 6
; run: 7
; run: 13
; run: 14
%include "lib.inc"

main:
	mov	eax, 6
	call	argument_number
	mov	ebx, eax
	push	dword 0
	push	dword 0
	push	eax
	call	set_gate
	cmp	ebx, 0
	je	.divide
	cmp	ebx, 7
	je	.fpu
	cmp	ebx, 13
	je	.protection
	cmp	ebx, 14
	je	.page
	ud2
.divide: xor	ecx, ecx
	div	ecx
.fpu:	HCALL	HC_TS, 8
	fnop
.protection:
	push	dword 0
	push	dword 0
	push	dword 13
	call	set_gate
	hlt
.page:	call	paging_on
	mov	eax, [0x70000000]
	jmp	survived
