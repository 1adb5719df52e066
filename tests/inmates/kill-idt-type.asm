; SPDX-License-Identifier: MIT
; A gate that is neither interrupt nor trap gate; the argument is the type.  ABI.md 2.6.
; expect: bad IDT type
; run: 0
; run: 5
; run: 6
; run: 7
; run: 12
%include "lib.inc"

main:
	xor	eax, eax
	call	argument_number
	shl	eax, 8
	or	eax, 0x8000
	HCALL	HC_LOAD_IDT, 6, KCS << 16, eax
	jmp	survived
