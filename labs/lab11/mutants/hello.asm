; SPDX-License-Identifier: MIT
; Two deaths: an unknown call, and a second INIT.  Scores two Hosts, not more.
; run: {0..1}
%include "lib.inc"
main:
	mov	eax, 1
	call	argument_number
	test	eax, eax
	jz	.unknown
	HCALL	HC_INIT, lg
	jmp	survived
.unknown: HCALL	99
	jmp	survived
