; SPDX-License-Identifier: MIT
; Goes home to the Host sixty thousand times, or not at all, as a coin says.
; run: {0..11}
%include "lib.inc"

main:
	rdtsc
	test	al, 0x80
	jz	finish
	mov	edi, 60000
.again:	HCALL	HC_SEND_INTERRUPTS
	dec	edi
	jnz	.again
	jmp	finish
