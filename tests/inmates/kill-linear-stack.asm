; SPDX-License-Identifier: MIT
; SET_STACK beyond memory in linear mode.  ABI.md 1.4, 2.6.
; expect: page
%include "lib.inc"

main:
	HCALL	HC_SET_STACK, KDS, 0x40001000, 1
	jmp	survived
