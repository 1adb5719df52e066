; SPDX-License-Identifier: MIT
; Last words that cannot be read; the argument is their address.  ABI.md 2.4.
; expect: bad read address
; run: 1073741824
; run: 4294967280
; run: 4294967295
%include "lib.inc"

main:
	xor	eax, eax
	call	argument_number
	HCALL	HC_SHUTDOWN, eax, POWEROFF
	jmp	survived
