; SPDX-License-Identifier: MIT
; SET_PGD beyond the end, with PAE; the argument is the index.  ABI.md 2.6.
; expect: attempt to set pgd
; run: 4
; run: 5
; run: 4294967295
%define PAE
%include "lib.inc"

main:
	call	paging_on
	xor	eax, eax
	call	argument_number
	HCALL	HC_SET_PGD, top_table, eax
	jmp	survived
