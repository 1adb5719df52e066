; SPDX-License-Identifier: MIT
; The clock goes off behind a closed door, and each time the door is opened there is one
; interrupt, no matter who opens it: a hypercall, or a HALT.
; timeout: 60
%include "lib.inc"

main:
	mov	eax, 1
	call	argument_number
	xor	edx, edx
	mov	ecx, 7
	div	ecx
	add	edx, 6
	mov	[rounds], edx
	mov	edi, edx
	xor	ebp, ebp
.again:	mov	dword [lg + lgd.blocked], 1
	mov	dword [lg + lgd.irq_enabled], IF
	HCALL	HC_CLOCKEVENT, 1000
	mov	ecx, 3000
	call	spin
	CHECK_EQ [irq_count], ebp, "nothing comes through a closed door"
	inc	ebp
	mov	dword [lg + lgd.irq_enabled], 0
	mov	dword [lg + lgd.blocked], ~1
	test	edi, 1
	jz	.halt
	mov	dword [lg + lgd.irq_enabled], IF
	HCALL	HC_SEND_INTERRUPTS
	jmp	.came
.halt:	HCALL	HC_HALT
.came:	CHECK_EQ [irq_count], ebp, "and then there is one"
	dec	edi
	jnz	.again
	jmp	finish

section .bss
rounds:	resd	1
