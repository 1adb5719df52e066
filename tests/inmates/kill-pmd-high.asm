; SPDX-License-Identifier: MIT
; A PMD entry with something in its upper half; the argument says what.  ABI.md 7.2.
; expect: bad page middle directory entry
; run: 1
; run: 2147483648
%define PAE
%include "lib.inc"

main:
	call	paging_on
	mov	eax, 1
	call	argument_number
	mov	dword [top_table + 2 * 4096], bottom_tables + PAGE_TABLE
	mov	[top_table + 2 * 4096 + 4], eax
	mov	eax, [0x40000000]
	jmp	survived
