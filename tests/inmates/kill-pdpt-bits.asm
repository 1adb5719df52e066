; SPDX-License-Identifier: MIT
; A PDPT entry with a bit that is not allowed; the argument is the bit.  ABI.md 7.2.
; expect: bad page directory entry
; run: 1
; run: 2
; run: 5
; run: 6
; run: 7
; run: 8
; run: 11
%define PAE
%include "lib.inc"

main:
	call	paging_on
	mov	eax, 1
	call	argument_number
	mov	ecx, eax
	mov	eax, 1
	shl	eax, cl
	or	dword [top_table + 8], eax
	HCALL	HC_SET_PGD, top_table, 1
	mov	eax, [0x40000000]
	jmp	survived
