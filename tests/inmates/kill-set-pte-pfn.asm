; SPDX-License-Identifier: MIT
; SET_PTE installs a page beyond memory.  ABI.md 2.6, 7.4.
; expect: bad page table entry
%include "lib.inc"

main:
	call	paging_on
	mov	eax, [0x800000]
	HCALL	HC_SET_PTE, top_table, 0x800000, 0xfee00000 | PAGE_P | PAGE_RW | PAGE_A | PAGE_D, 0
	jmp	survived
