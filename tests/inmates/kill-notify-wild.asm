; SPDX-License-Identifier: MIT
; NOTIFY of an address beyond everything: the Launcher refuses.  ABI.md 8.3 (4).
; expect: bad notify
; status: 4
; run: 1073741824
; run: 4294967295
%include "lib.inc"

main:
	xor	eax, eax
	call	argument_number
	HCALL	HC_NOTIFY, eax
	jmp	survived
