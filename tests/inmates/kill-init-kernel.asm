; SPDX-License-Identifier: MIT
; A kernel that wants to live in the area the Host reserved; the argument is its address.
; ABI.md 2.3 (7), 14.
; expect: bad kernel address
; run: 4290772992
; run: 4294967295
%define NO_INIT
%include "lib.inc"

main:
	call	lib_data
	mov	eax, 0xffc00000
	call	argument_number
	mov	[lg + lgd.kernel_address], eax
	HCALL	HC_INIT, lg
	jmp	survived
