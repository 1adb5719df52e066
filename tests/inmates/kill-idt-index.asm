; SPDX-License-Identifier: MIT
; LOAD_IDT_ENTRY beyond the end; the argument is the vector.  ABI.md 2.6.
; expect: setting idt entry
; run: 256
; run: 257
; run: 4294967295
%include "lib.inc"

main:
	xor	eax, eax
	call	argument_number
	mov	edx, GATE_INT
	mov	ecx, KCS << 16
	mov	ebx, eax
	mov	eax, HC_LOAD_IDT
	int	0x1f
	jmp	survived
