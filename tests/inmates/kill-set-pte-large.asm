; SPDX-License-Identifier: MIT
; SET_PTE installs an entry with bit 7 set.  ABI.md 2.6, 7.4.
; expect: bad page table entry
%include "lib.inc"

main:
	call	paging_on
	mov	eax, [0x800000]
	HCALL	HC_SET_PTE, top_table, 0x800000, 0x800000 | PAGE_P | PAGE_RW | PAGE_A | PAGE_D | PAGE_PS, 0
	jmp	survived
