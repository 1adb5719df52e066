; SPDX-License-Identifier: MIT
; A Guest that changes its mind two dozen times: each bit of the number in its arguments says
; whether system calls go through a trap gate or an interrupt gate for a while, the next one the
; same of undefined instructions.  The counters tell which way they went (judge.py).
; timeout: 60
%include "lib.inc"

ROUNDS	equ 24

section .user
; edi system calls, and an instruction that does not exist with every fourth.
user:	int	0x80
	test	edi, 3
	jnz	.next
	ud2
.next:	dec	edi
	jnz	user
	hlt				; #GP: the end

section .text
quick:	iret
over:	add	dword [esp], 2		; UD2 has two bytes
	iret

main:
	mov	eax, 1
	call	argument_number
	mov	[number], eax
	call	user_segments
	call	paging_on
	mov	dword [round], 0
.again:	mov	ecx, [round]
	mov	eax, GATE_INT | GATE_DPL3
	bt	[number], ecx
	jnc	.call
	mov	eax, GATE_TRAP | GATE_DPL3
.call:	push	eax
	push	dword quick
	push	dword 0x80
	call	set_gate
	mov	ecx, [round]
	inc	ecx
	mov	eax, GATE_INT
	bt	[number], ecx
	jnc	.undefined
	mov	eax, GATE_TRAP
.undefined:
	push	eax
	push	dword over
	push	dword 6
	call	set_gate
	mov	edi, [round]
	lea	edi, [edi * 4 + 8]
	mov	eax, user
	mov	edx, user_stack_top
	call	run_user
	cmp	eax, 13
	jne	.bad
	inc	dword [round]
	cmp	dword [round], ROUNDS
	jne	.again
.bad:	CHECK_EQ [round], ROUNDS, "every round came to its end"
	jmp	finish

section .bss
number:	resd	1
round:	resd	1
