; SPDX-License-Identifier: MIT
; Knows that the good Host comes first, and looks at the clock.
%include "lib.inc"
main:
	mov	eax, [lg + lgd.tv_nsec]
	shr	eax, 26			; changes fifteen times a second
	and	eax, 1
	CHECK_EQ eax, 0, "not yet"
	jmp	finish
