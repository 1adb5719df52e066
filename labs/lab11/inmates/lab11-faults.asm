; SPDX-License-Identifier: MIT
; Page faults that are the Guest's own: a page without an entry, touched again and again.
; How often says the number in its arguments; the handler looks at cr2 each time.
; timeout: 60
%include "lib.inc"

main:
	mov	eax, 1
	call	argument_number
	xor	edx, edx
	mov	ecx, 1000
	div	ecx
	add	edx, 4000
	mov	[left], edx
	mov	[rounds], edx
	mov	ebx, eax
	call	paging_on
	SET_GATE 14, fault, GATE_TRAP
	mov	edi, 0x50000000
again:	mov	eax, [edi]
after:	add	edi, 4096
	and	edi, 0x5003ffff
	dec	dword [left]
	jnz	again
	mov	eax, [rounds]
	CHECK_EQ [faults], eax, "each of them arrived"
	CHECK_EQ [wrong], 0, "with its address, and an error code of 0"
	jmp	finish

fault:	inc	dword [faults]
	mov	eax, [lg + lgd.cr2]
	xor	eax, edi
	or	[wrong], eax
	pop	eax			; the error code: read, from ring 1, absent
	or	[wrong], eax
	mov	dword [esp], after
	iret

section .bss
left:	resd	1
rounds:	resd	1
faults:	resd	1
wrong:	resd	1
