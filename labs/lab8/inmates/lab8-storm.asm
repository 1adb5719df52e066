; SPDX-License-Identifier: MIT
; Winds up the clock 1000 + (number in its arguments) % 100 times, to 1 ns, with its
; interrupt masked.  What comes of it, when it is let in, is one (labs/lab8/judge.py).
; timeout: 60
%include "lib.inc"

main:
	mov	eax, 1
	call	argument_number
	xor	edx, edx
	mov	ecx, 100
	div	ecx
	add	edx, 1000
	mov	edi, edx
	mov	dword [lg + lgd.blocked], 0xffffffff
	mov	dword [lg + lgd.irq_enabled], IF
.arm:	HCALL	HC_CLOCKEVENT, 1
	dec	edi
	jnz	.arm
	mov	ecx, 20000		; the last one has time to go off
	call	spin
	HCALL	HC_CLOCKEVENT, 0
	CHECK_EQ [irq_count], 0, "nothing comes while it is masked"
	mov	dword [lg + lgd.blocked], 0
	HCALL	HC_SEND_INTERRUPTS
	CHECK_EQ [irq_count], 1, "all of them are one"
	mov	ecx, 20000
	call	spin
	CHECK_EQ [irq_count], 1, "and nothing comes after it"
	jmp	finish
