; SPDX-License-Identifier: MIT
; A trap is to be delivered, but esp points to nothing; the argument is esp.  ABI.md 4.1.
; expect: bad address
; run: 1879048192
; run: 0
; run: 3758096384
%include "lib.inc"

main:
	call	paging_on
	mov	eax, 0x70000000
	call	argument_number
	mov	esp, eax
	ud2
	jmp	survived
