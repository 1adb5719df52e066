; SPDX-License-Identifier: MIT
; The pinned stack vanishes from the tables, and a flush pins it again.  ABI.md 2.6, 6.
; expect: bad stack page
%include "lib.inc"

main:
	call	paging_on
	mov	eax, trap_stack_top - 4096
	call	pte_of
	mov	dword [eax], 0
	HCALL	HC_FLUSH_TLB, 1
	jmp	survived
