; SPDX-License-Identifier: MIT
; A number that means nothing, in the ring.  ABI.md 3.3.
; expect: bad hypercall
%include "lib.inc"

main:
	mov	dword [lg + lgd.calls], 12
	mov	byte [lg + lgd.status], 0
	HCALL	HC_FLUSH_ASYNC
	jmp	survived
