; SPDX-License-Identifier: MIT
; SET_STACK with too many pages; the argument is their number.  ABI.md 2.6.
; expect: bad stack pages
; run: 3
; run: 1000
; run: 4294967295
%include "lib.inc"

main:
	xor	eax, eax
	call	argument_number
	HCALL	HC_SET_STACK, KDS, trap_stack_top, eax
	jmp	survived
