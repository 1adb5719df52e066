; SPDX-License-Identifier: MIT
; SET_STACK with a selector of another ring; the argument is the selector.  ABI.md 2.6.
; expect: bad stack segment
; run: 104
; run: 0
; run: 106
; run: 107
%include "lib.inc"

main:
	xor	eax, eax
	call	argument_number
	HCALL	HC_SET_STACK, eax, trap_stack_top, 1
	jmp	survived
