; SPDX-License-Identifier: MIT
; A page table entry with bit 7 set.  ABI.md 7.2.
; expect: bad page table entry
%include "lib.inc"

main:
	call	paging_on
	mov	eax, 0x800000
	call	pte_of
	or	dword [eax], PAGE_PS
	mov	eax, [0x800000]
	jmp	survived
