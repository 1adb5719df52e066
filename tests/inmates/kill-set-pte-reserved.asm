; SPDX-License-Identifier: MIT
; SET_PTE of an address in the reserved area, wherever INIT said that it begins.
; ABI.md 2.6, 7.5.
; expect: attempt to set pte into switcher pages
%include "lib.inc"

main:
	call	paging_on
	mov	eax, [lg + lgd.reserve_mem]
	test	eax, eax
	jz	survived			; nothing reserved: nothing to aim at
	neg	eax
	HCALL	HC_SET_PTE, top_table, eax, 0, 0
	jmp	survived
