; SPDX-License-Identifier: MIT
; What the Launcher told this Guest: how much memory it has, and its arguments, of which it
; reports a checksum that the grader works out for itself (judge.py).
; memory: 24
%include "lib.inc"

main:
	CHECK_EQ [0x2d8], 24 << 20, "24 MiB of RAM, says the map"
	CHECK_EQ [0x2dc], 0, "and not 4 GiB more"
	movzx	eax, byte [0x1e8]
	CHECK_EQ eax, 1, "one piece of it"
	; The last word of RAM is RAM, and zero.
	CHECK_EQ [(24 << 20) - 4], 0, "nobody has written to the last word"
	mov	dword [(24 << 20) - 4], 0x600d600d
	CHECK_EQ [(24 << 20) - 4], 0x600d600d, "it can be written"
	mov	esi, [0x228]
	xor	eax, eax
.next:	movzx	edx, byte [esi]
	imul	eax, eax, 33
	add	eax, edx
	inc	esi
	test	edx, edx
	jnz	.next
	push	eax
	mov	eax, .says
	call	put_str
	pop	eax
	call	put_hex
	call	put_line
	jmp	finish
.says:	db	"# words ", 0
