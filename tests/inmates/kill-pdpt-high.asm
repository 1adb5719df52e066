; SPDX-License-Identifier: MIT
; A PDPT entry with something in its upper half; the argument says what.  ABI.md 7.2.
; expect: bad page directory entry
; run: 1
; run: 2147483648
%define PAE
%include "lib.inc"

main:
	call	paging_on
	mov	eax, 1
	call	argument_number
	mov	[top_table + 8 + 4], eax
	HCALL	HC_SET_PGD, top_table, 1
	mov	eax, [0x40000000]
	jmp	survived
