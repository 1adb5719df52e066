; SPDX-License-Identifier: MIT
; A PAE page table entry above 4 GiB.  ABI.md 7.2.
; expect: bad page table entry
%define PAE
%include "lib.inc"

main:
	call	paging_on
	mov	eax, 0x800000
	call	pte_of
	mov	dword [eax + 4], 1
	mov	eax, [0x800000]
	jmp	survived
