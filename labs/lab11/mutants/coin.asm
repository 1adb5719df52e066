; SPDX-License-Identifier: MIT
; Throws a coin, and hopes.
; run: {0..1}
%include "lib.inc"
main:
	rdtsc
	shr	eax, 7
	and	eax, 1
	CHECK_EQ eax, 0, "heads"
	jmp	finish
