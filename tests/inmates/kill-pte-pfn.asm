; SPDX-License-Identifier: MIT
; A page beyond memory; the argument is its number.  ABI.md 7.2, 7.6.
; expect: bad page table entry
; run: 262144
; run: 1048575
; run: 1044480
%include "lib.inc"

main:
	call	paging_on
	mov	eax, 0x40000
	call	argument_number
	shl	eax, 12
	or	eax, PAGE_P | PAGE_RW
	mov	edx, eax
	mov	eax, 0x800000
	call	pte_of
	mov	[eax], edx
	mov	eax, [0x800000]
	jmp	survived
