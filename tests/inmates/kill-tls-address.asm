; SPDX-License-Identifier: MIT
; LOAD_TLS from nowhere; the argument is the address.  ABI.md 2.6.
; expect: bad read address
; run: 1073741824
; run: 4294967279
; run: 4294967295
%include "lib.inc"

main:
	xor	eax, eax
	call	argument_number
	HCALL	HC_LOAD_TLS, eax, 0
	jmp	survived
