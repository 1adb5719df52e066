; SPDX-License-Identifier: MIT
; Queues calls by a rule that starts from the number in its arguments, and calls directly
; when the ring is full.  It prints nothing but its end: the Host's counters tell what was
; done, and the grader works out for itself what should have been (labs/lab6/judge.py).
%include "lib.inc"

CALLS	equ 3000

main:
	mov	eax, 1
	call	argument_number
	mov	[state], eax
	mov	dword [left], CALLS
.call:	call	draw			; bits 16-17 choose the call, bits 20-23 when to flush
	mov	ebp, eax
	shr	ebp, 16
	and	ebp, 3
	mov	edx, [numbers + ebp * 4]
	mov	ebx, [next]
	cmp	byte [lg + lgd.status + ebx], 0xff
	jne	.full
	lea	edi, [ebx + ebx * 4]
	lea	edi, [lg + lgd.calls + edi * 4]
	mov	[edi], edx
	mov	dword [edi + 4], 0
	mov	dword [edi + 8], KDS
	mov	dword [edi + 12], 0
	mov	dword [edi + 16], 0
	mov	byte [lg + lgd.status + ebx], 0
	inc	ebx
	cmp	ebx, RING_SIZE
	jb	.inside
	xor	ebx, ebx
.inside: mov	[next], ebx
	jmp	.next
.full:	HCALL	HC_FLUSH_ASYNC
	jmp	.chosen
.next:	dec	dword [left]
.chosen: mov	eax, [state]
	shr	eax, 20
	and	eax, 15
	jnz	.on
	HCALL	HC_SEND_INTERRUPTS
.on:	cmp	dword [left], 0
	jg	.call
	HCALL	HC_FLUSH_ASYNC
	CHECK_EQ [left], 0, "all calls were made"
	jmp	finish

; state = state * 1664525 + 1013904223
draw:	mov	eax, [state]
	imul	eax, 1664525
	add	eax, 1013904223
	mov	[state], eax
	ret

section .rodata
align 4
numbers: dd	HC_TS, HC_CLOCKEVENT, HC_FLUSH_TLB, HC_FLUSH_ASYNC
section .bss
state:	resd	1
left:	resd	1
next:	resd	1
