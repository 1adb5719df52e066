; SPDX-License-Identifier: MIT
; A kick before the device was started: the Launcher refuses.  ABI.md 8.3 (2).
; expect: before
; status: 4
; memory: 16
%include "lib.inc"

main:
	mov	ebx, [0x2d8]
	mov	eax, [ebx + 5 + 4]
	shl	eax, 12
	HCALL	HC_NOTIFY, eax
	jmp	survived
