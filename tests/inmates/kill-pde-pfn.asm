; SPDX-License-Identifier: MIT
; A directory entry that points beyond memory; the argument is the page.  ABI.md 7.2.
; expect: bad page directory entry
; run: 262144
; run: 1048575
%include "lib.inc"

main:
	call	paging_on
	mov	eax, 0x40000
	call	argument_number
	shl	eax, 12
	or	eax, PAGE_TABLE
	mov	[top_table + 4 * 0x100], eax
	mov	eax, [0x40000000]
	jmp	survived
