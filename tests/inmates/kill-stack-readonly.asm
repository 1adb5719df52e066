; SPDX-License-Identifier: MIT
; SET_STACK on a page that may not be written.  ABI.md 2.6.
; expect: bad stack page
%include "lib.inc"

main:
	call	paging_build
	mov	eax, 0x800000
	call	pte_of
	and	dword [eax], ~PAGE_RW
	HCALL	HC_NEW_PGTABLE, top_table
	HCALL	HC_SET_STACK, KDS, 0x801000, 1
	jmp	survived
