; SPDX-License-Identifier: MIT
; SET_PTE with an upper half, PAE.  ABI.md 2.6, 7.2.
; expect: bad page table entry
%define PAE
%include "lib.inc"

main:
	call	paging_on
	mov	eax, [0x800000]
	HCALL	HC_SET_PTE, top_table, 0x800000, 0x800000 | PAGE_P | PAGE_RW | PAGE_A | PAGE_D, 1
	jmp	survived
