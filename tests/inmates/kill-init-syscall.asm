; SPDX-License-Identifier: MIT
; A system call vector that is not 0x80; the argument is the vector.  ABI.md 2.3 (4).
; expect: bad syscall vector
; run: 0
; run: 32
; run: 31
; run: 256
; run: 384
%define NO_INIT
%include "lib.inc"

main:
	call	lib_data
	mov	eax, 32
	call	argument_number
	mov	[lg + lgd.syscall_vec], eax
	HCALL	HC_INIT, lg
	jmp	survived
