; SPDX-License-Identifier: MIT
; NEW_PGTABLE with a root that is not in memory; the argument is its address.  ABI.md 2.6.
; expect: bad read address
; run: 1073741824
; run: 4294963200
%include "lib.inc"

main:
	xor	eax, eax
	call	argument_number
	HCALL	HC_NEW_PGTABLE, eax
	jmp	survived
