; SPDX-License-Identifier: MIT
; LOAD_GDT_ENTRY beyond the end; the argument is the entry.  ABI.md 2.6.
; expect: too many gdt entries
; run: 32
; run: 33
; run: 8191
; run: 2147483648
; run: 4294967295
%include "lib.inc"

main:
	xor	eax, eax
	call	argument_number
	HCALL	HC_LOAD_GDT, eax, 0x0000ffff, 0x00cf9200
	jmp	survived
