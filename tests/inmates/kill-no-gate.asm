; SPDX-License-Identifier: MIT
; A trap without a gate; the argument is the vector.  ABI.md 5.3.
; expect: unhandled trap
; run: 0
; run: 1
; run: 5
; run: 6
; run: 7
; run: 11
; run: 12
; run: 13
; run: 14
; run: 16
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
	cmp	ebx, 1
	je	.debug
	cmp	ebx, 5
	je	.bound
	cmp	ebx, 11
	je	.absent
	cmp	ebx, 12
	je	.stack
	cmp	ebx, 16
	je	.x87
	cmp	ebx, 7
	je	.fpu
	cmp	ebx, 13
	je	.protection
	cmp	ebx, 14
	je	.page
	ud2
.divide: xor	ecx, ecx
	div	ecx
.debug:	pushf				; one step, and then #DB
	or	dword [esp], 0x100
	popf
	nop
.bound:	mov	eax, 11
	bound	eax, [bounds]
.absent: HCALL	HC_LOAD_GDT, 20, 0x0000ffff, 0x00cf7200
	mov	eax, 20 * 8 + 3
	mov	fs, eax
.stack:	HCALL	HC_LOAD_GDT, 20, 0x0000ffff, 0x00cf3200
	mov	eax, 20 * 8 + 1
	mov	ss, eax
.x87:	fninit
	fldcw	[unmasked]
	fld1
	fldz
	fdivp	st1
	fwait
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
bounds:	dd	0, 10
unmasked: dw	0x0340			; every x87 exception unmasked
