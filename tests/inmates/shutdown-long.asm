; SPDX-License-Identifier: MIT
; A last word without an end is cut at 127 characters.  ABI.md 2.4.
; status: 3
; output: abcdefghijklmnopqrstuvwxyz0123456789
; forbidden: 0123456789TAIL
%include "lib.inc"
main:
	mov	edi, 0x200000
	mov	ecx, 91
	mov	al, '.'
	rep	stosb
	mov	esi, .text
	mov	ecx, 36
	rep	movsb				; bytes 91..126: the last that fit
	mov	esi, .tail
	mov	ecx, 4
	rep	movsb
	mov	al, 'x'
	mov	ecx, 1000
	rep	stosb
	HCALL	HC_SHUTDOWN, 0x200000, POWEROFF
	jmp	survived
.text:	db	"abcdefghijklmnopqrstuvwxyz0123456789"
.tail:	db	"TAIL"
