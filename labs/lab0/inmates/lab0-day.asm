; SPDX-License-Identifier: MIT
; A day in the life: so many of this, so many of that, as its argument says.  Its digits in
; base 16, lowest first, plus 3, are: direct calls of TS; queued calls of SET_CLOCKEVENT;
; instructions that do not exist; reads of a port; system calls through a trap gate; system
; calls through an interrupt gate.  The Host's counters should tell the same story.
; run: 74565
%include "lib.inc"

section .user
; edi system calls, then something that ring 3 may not do.
calls:	int	0x80
	dec	edi
	jnz	calls
	hlt

section .text
; A system call does nothing at all.
nothing: ret

; eax: the next count.
digit:	mov	eax, [number]
	shr	dword [number], 4
	and	eax, 15
	add	eax, 3
	ret

main:
	mov	eax, 1
	call	argument_number
	mov	[number], eax
	call	user_segments

	call	digit
	mov	ecx, eax
.ts:	HCALL	HC_TS, 0
	loop	.ts

	call	digit
	mov	ecx, eax
	xor	ebx, ebx
.queue:	lea	edi, [ebx + ebx * 4]
	lea	edi, [lg + lgd.calls + edi * 4]
	mov	dword [edi], HC_CLOCKEVENT
	mov	dword [edi + 4], 0
	mov	byte [lg + lgd.status + ebx], 0
	inc	ebx
	loop	.queue
	HCALL	HC_FLUSH_ASYNC

	call	digit
	mov	[left], eax
.bad:	mov	dword [trap_resume], .after
	ud2
.after:	dec	dword [left]
	jnz	.bad

	call	digit
	mov	ecx, eax
.port:	in	al, 0x80
	loop	.port

	call	paging_on
	mov	dword [trap_hook + 0x80 * 4], nothing
	SET_GATE 0x80, trap_stubs + 0x80 * 16, GATE_TRAP | GATE_DPL3
	call	digit
	mov	edi, eax
	mov	eax, calls
	mov	edx, user_stack_top
	call	run_user
	CHECK_EQ eax, 13, "ring 3 ended with #GP"
	SET_GATE 0x80, trap_stubs + 0x80 * 16, GATE_INT | GATE_DPL3
	call	digit
	mov	edi, eax
	mov	eax, calls
	mov	edx, user_stack_top
	call	run_user
	CHECK_EQ eax, 13, "and so it did again"
	jmp	finish

section .bss
number:	resd	1
left:	resd	1
