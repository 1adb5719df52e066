; SPDX-License-Identifier: MIT
; A PDPT entry that points beyond memory.  ABI.md 7.2.
; expect: bad page directory entry
%define PAE
%include "lib.inc"

main:
	call	paging_on
	mov	dword [top_table + 8], 0x40000000 | PAGE_P
	HCALL	HC_SET_PGD, top_table, 1
	mov	eax, [0x40000000]
	jmp	survived
