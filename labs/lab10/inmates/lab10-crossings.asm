; SPDX-License-Identifier: MIT
; Hypercalls, system calls and undefined instructions, as many as the number in its
; arguments says, each with other registers, which must come back.  The Host's counters and
; the Switcher's tell which way they went (labs/lab10/judge.py).
; timeout: 60
%include "lib.inc"

section .user
; ebp rounds of a system call from ring 3: the kernel answers with ~ebx in eax.
calls:	mov	ebx, [count]
	imul	ebx, 0x9e3779b9
	mov	esi, ebx
	mov	edi, ebx
	bswap	edi
	int	0x80
	not	eax
	cmp	eax, ebx
	jne	.bad
	cmp	esi, ebx
	jne	.bad
	bswap	edi
	cmp	edi, ebx
	jne	.bad
	dec	dword [count]
	jnz	calls
	int3
.bad:	ud2
count:	dd	0

section .text
answer:	mov	eax, [ebp + frame.ebx]
	not	eax
	mov	[ebp + frame.eax], eax
	ret

skip:	add	dword [ebp + frame.eip], 2
	inc	dword [skipped]
	ret

; n = base + number % (spread): eax base, ecx spread -> eax
portion:
	push	eax
	mov	eax, [number]
	xor	edx, edx
	div	ecx
	pop	eax
	add	eax, edx
	ret

main:
	mov	eax, 1
	call	argument_number
	mov	[number], eax
	mov	dword [trap_hook + 0x80 * 4], answer
	mov	dword [trap_hook + 6 * 4], skip
	call	user_segments
	call	paging_on

	; Undefined instructions, through a trap gate: the Switcher's own business.
	SET_GATE 6, trap_stubs + 6 * 16, GATE_TRAP
	mov	eax, 300
	mov	ecx, 37
	call	portion
	mov	[rounds], eax
	mov	edi, eax
.fault:	lea	ebx, [edi + 0x11111111]
	lea	esi, [edi + 0x22222222]
	lea	ebp, [edi + 0x33333333]
	std
	ud2
	pushfd
	pop	eax
	cld
	test	eax, 0x400
	jz	.lost
	lea	eax, [edi + 0x11111111]
	cmp	eax, ebx
	jne	.lost
	lea	eax, [edi + 0x22222222]
	cmp	eax, esi
	jne	.lost
	lea	eax, [edi + 0x33333333]
	cmp	eax, ebp
	jne	.lost
	dec	edi
	jnz	.fault
.lost:	CHECK_EQ edi, 0, "registers and the direction flag survive faults"
	mov	eax, [rounds]
	CHECK_EQ [skipped], eax, "and each fault arrives once"
	SET_GATE 6, trap_stubs + 6 * 16, GATE_INT

	mov	eax, 2000
	mov	ecx, 301
	call	portion
	mov	[count], eax
	mov	eax, calls
	mov	edx, user_stack_top
	call	run_user
	CHECK_EQ eax, 3, "registers survive system calls"

	; Hypercalls, the cheapest there is.
	mov	eax, 500
	mov	ecx, 101
	call	portion
	mov	edi, eax
.call:	mov	ebp, edi
	HCALL	HC_FLUSH_ASYNC
	cmp	ebp, edi
	jne	.end
	dec	edi
	jnz	.call
.end:	CHECK_EQ edi, 0, "registers survive hypercalls"
	jmp	finish

section .bss
number:	resd	1
rounds:	resd	1
skipped: resd	1
