; SPDX-License-Identifier: MIT
; Linear mode ends where memory ends; the argument is the address.  ABI.md 1.4.
; expect: bad page table entry
; run: 1073741824
; run: 4026531840
%include "lib.inc"

main:
	xor	eax, eax
	call	argument_number
	mov	eax, [eax]
	jmp	survived
