; SPDX-License-Identifier: MIT
; Each line `; run:` is one Guest, with these arguments.  At most twelve.
; run: 0
; run: 1
%include "lib.inc"

main:
	xor	eax, eax
	call	argument_number
	cmp	eax, 1
	je	second
	; On a good Host this is true, on some bad one it may not be.  A failed CHECK shows in
	; the exit status, and that is what counts.
	CHECK_EQ [lg + lgd.irq_pending], 0, "nothing is pending yet"
	jmp	finish
second:	jmp	finish
