; SPDX-License-Identifier: MIT
; Traps of all kinds, as many as the number in its arguments says, and the Host's counters
; tell which way they took (labs/lab11/judge.py).
; timeout: 60
%include "lib.inc"

section .user
; edi times: the system call, a breakpoint every 8th time, something undefined every 16th.
user:	int	0x80
	test	edi, 7
	jnz	.next
	int3
	test	edi, 15
	jnz	.next
	ud2
.next:	dec	edi
	jnz	user
	hlt				; #GP: the end
section .text

; The shortest handlers there are.
quick:	iret
over:	add	dword [esp], 2		; UD2 has two bytes
	iret

; Page faults through a trap gate: the Host has to do those, since only it knows cr2.
fault:	inc	dword [faults]
	mov	eax, [lg + lgd.cr2]
	add	[addresses], eax
	add	esp, 4
	pop	eax
	push	after
	iret

main:
	mov	eax, 1
	call	argument_number
	xor	edx, edx
	mov	ecx, 1000
	div	ecx
	add	edx, 1000
	mov	[rounds], edx
	call	user_segments
	call	paging_on
	SET_GATE 0x80, quick, GATE_TRAP | GATE_DPL3
	SET_GATE 3, quick, GATE_TRAP | GATE_DPL3
	SET_GATE 6, over, GATE_TRAP
	mov	eax, user
	mov	edx, user_stack_top
	mov	edi, [rounds]
	call	run_user
	CHECK_EQ eax, 13, "it came to its end"
	; The same through interrupt gates: here the Host is needed, and the flag goes off.
	SET_GATE 0x80, quick, GATE_INT | GATE_DPL3
	SET_GATE 3, quick, GATE_INT | GATE_DPL3
	SET_GATE 6, over, GATE_INT
	mov	eax, user
	mov	edx, user_stack_top
	mov	edi, 100
	call	run_user
	CHECK_EQ eax, 13, "it came to its end again"
	SET_GATE 14, fault, GATE_TRAP
	mov	dword [left], 50
again:	mov	eax, [left]
	shl	eax, 12
	mov	ebx, [0x50000000 + eax]
after:	dec	dword [left]
	jnz	again
	CHECK_EQ [faults], 50, "page faults arrive"
	CHECK_EQ [addresses], (0x50000000 * 50 + 51 * 25 * 4096) & 0xffffffff, "with their addresses"
	jmp	finish

section .bss
rounds:	resd	1
left:	resd	1
faults:	resd	1
addresses: resd	1
