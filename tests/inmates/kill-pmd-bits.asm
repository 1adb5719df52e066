; SPDX-License-Identifier: MIT
; A PMD entry with a bit that is not allowed; the argument is the bit.  ABI.md 7.2.
; expect: bad page middle directory entry
; run: 3
; run: 4
; run: 7
; run: 8
; run: 11
%define PAE
%include "lib.inc"

main:
	call	paging_on
	mov	eax, 7
	call	argument_number
	mov	ecx, eax
	mov	eax, 1
	shl	eax, cl
	or	eax, bottom_tables + PAGE_TABLE
	mov	[top_table + 2 * 4096], eax
	mov	eax, [0x40000000]
	jmp	survived
