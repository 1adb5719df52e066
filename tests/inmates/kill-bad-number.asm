; SPDX-License-Identifier: MIT
; A hypercall number that means nothing; the argument is the number.  ABI.md 2.1, 2.2.
; expect: bad hypercall
; run: 3
; run: 11
; run: 12
; run: 20
; run: 21
; run: 31
; run: 255
; run: 65536
; run: 4294967295
%include "lib.inc"

main:
	xor	eax, eax
	call	argument_number
	HCALL	eax, 0, 0, 0, 0
	jmp	survived
