; SPDX-License-Identifier: MIT
; Takes 20 + (number in its arguments) % 41 naps, each until its own tick of the clock.
; The Host's counters tell how it slept (labs/lab8/judge.py).
; timeout: 60
%include "lib.inc"

main:
	mov	eax, 1
	call	argument_number
	xor	edx, edx
	mov	ecx, 41
	div	ecx
	add	edx, 20
	mov	[naps], edx
	mov	edi, edx
	mov	dword [lg + lgd.blocked], ~1
.nap:	mov	dword [lg + lgd.irq_enabled], 0	; or the clock could win the race to HALT
	HCALL	HC_CLOCKEVENT, 2000000
	HCALL	HC_HALT
	dec	edi
	jnz	.nap
	mov	eax, [naps]
	CHECK_EQ [irq_count], eax, "one interrupt for each nap"
	jmp	finish

section .bss
naps:	resd	1
