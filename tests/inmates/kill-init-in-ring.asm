; SPDX-License-Identifier: MIT
; LGUEST_INIT out of the ring.  ABI.md 2.1, 3.3.
; expect: already have lguest_data
%include "lib.inc"

main:
	mov	dword [lg + lgd.calls], HC_INIT
	mov	dword [lg + lgd.calls + 4], lg
	mov	byte [lg + lgd.status], 0
	HCALL	HC_FLUSH_ASYNC
	jmp	survived
