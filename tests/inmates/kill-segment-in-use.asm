; SPDX-License-Identifier: MIT
; A descriptor under a selector in use is made absent; the argument is the entry.  ABI.md 6.
; expect: unhandled trap
; run: 27
; run: 20
; run: 12
; run: 13
%include "lib.inc"

main:
	mov	eax, 27
	call	argument_number
	mov	ebx, eax
	cmp	eax, 12
	je	.go
	cmp	eax, 13
	je	.go
	HCALL	HC_LOAD_GDT, ebx, 0x0000ffff, 0x00cf9200
	lea	eax, [ebx * 8 + 1]
	mov	fs, eax
.go:	HCALL	HC_LOAD_GDT, ebx, 0, 0
	HCALL	HC_FLUSH_ASYNC
	jmp	survived
