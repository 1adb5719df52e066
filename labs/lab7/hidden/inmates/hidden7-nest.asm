; SPDX-License-Identifier: MIT
; A handler that does what it is there to handle, again and again: one frame on top of the
; other, and all the way back.
%include "lib.inc"

DEEP	equ 9

main:
	mov	eax, 1
	call	argument_number
	mov	[number], eax
	mov	dword [trap_hook + 6 * 4], deeper
	SET_GATE 6, trap_stubs + 6 * 16, GATE_TRAP	; the one kind
	call	dive
	SET_GATE 6, trap_stubs + 6 * 16, GATE_INT	; and the other
	call	dive
	jmp	finish

dive:	mov	dword [depth], 0
	mov	dword [sum], 0
	mov	esi, [number]
	mov	edi, esi
	not	edi
	mov	[before], esp
	stc
	ud2
	setc	[carry]
	mov	[after], esp
	CHECK_EQ [depth], DEEP, "as deep as it goes"
	CHECK_EQ [sum], DEEP * (DEEP + 1) / 2, "and each came back, once"
	mov	eax, [before]
	CHECK_EQ [after], eax, "the stack is where it was"
	CHECK_EQ esi, [number], "esi is what it was"
	not	edi
	CHECK_EQ edi, [number], "edi is what it was"
	movzx	eax, byte [carry]
	CHECK_EQ eax, 1, "and so are the flags"
	ret

; ebp: the frame of this one
deeper:	inc	dword [depth]
	push	dword [depth]
	cmp	dword [depth], DEEP
	jae	.up
	ud2
.up:	pop	eax
	add	[sum], eax
	add	dword [ebp + frame.eip], 2
	ret

section .bss
number:	resd	1
depth:	resd	1
sum:	resd	1
before:	resd	1
after:	resd	1
carry:	resb	1
