; SPDX-License-Identifier: MIT
; The page of an instruction that needs help has left the tables.  ABI.md 5.4.
; expect: bad address
%include "lib.inc"

main:
	call	paging_on
	; Run "in al, dx; ret" once, so that the CPU has the page, then take it out of the
	; tables without a word.  The Host reads the instruction through the tables.
	mov	byte [0x800000], 0xec
	mov	byte [0x800001], 0xc3
	mov	eax, 0x800000
	call	eax
	mov	eax, 0x800000
	call	pte_of
	mov	dword [eax], 0
	mov	eax, 0x800000
	call	eax
	; A Host that dropped the page reflects a #PF, which nobody expects here.
	jmp	survived
