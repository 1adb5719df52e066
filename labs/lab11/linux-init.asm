; SPDX-License-Identifier: MIT
; /init of the Linux that the judge boots: `judge linux` makes an initrd of it.  No libc: four
; system calls.  It says what uname says, and the number that stood on the command line
; (the kernel puts what it does not know into our environment), multiplied, so that an
; echo of the command line is not enough.
bits 32
section .text
global _start
_start:
	mov	eax, 122		; uname
	mov	ebx, names
	int	0x80
	; Environment: behind argc, argv and a NULL.
	mov	eax, [esp]
	lea	esi, [esp + eax * 4 + 8]
.next:	mov	edi, [esi]
	test	edi, edi
	jz	.none
	add	esi, 4
	cmp	dword [edi], "LGWO"
	jne	.next
	cmp	word [edi + 4], "RD"
	jne	.next
	cmp	byte [edi + 6], "="
	jne	.next
	add	edi, 7
	xor	eax, eax
.digit:	movzx	edx, byte [edi]
	sub	edx, "0"
	cmp	edx, 9
	ja	.number
	imul	eax, 10
	add	eax, edx
	inc	edi
	jmp	.digit
.none:	xor	eax, eax
.number: imul	eax, 0x9e3779b1
	mov	ecx, 8
	mov	edi, hex
.hex:	rol	eax, 4
	mov	edx, eax
	and	edx, 15
	mov	dl, [digits + edx]
	mov	[edi], dl
	inc	edi
	loop	.hex
	; A fork, so that there are two address spaces; the child says it.
	mov	eax, 2
	int	0x80
	test	eax, eax
	jnz	.parent
	mov	edx, hex_end - text
	mov	ecx, text
	call	write
	mov	ecx, names + 130	; release: the third of six words of 65 bytes
	mov	edx, 65
	call	write
	mov	ecx, newline
	mov	edx, 1
	call	write
	mov	eax, 1			; exit
	xor	ebx, ebx
	int	0x80
.parent: mov	ebx, eax
	mov	eax, 7			; waitpid
	xor	ecx, ecx
	xor	edx, edx
	int	0x80
	mov	eax, 36			; sync
	int	0x80
	mov	eax, 88			; reboot: power off
	mov	ebx, 0xfee1dead
	mov	ecx, 672274793
	mov	edx, 0x4321fedc
	int	0x80
	jmp	$

write:	mov	eax, 4
	mov	ebx, 1
	int	0x80
	ret

section .data
text:	db	10, "lg-judge "
hex:	db	"00000000 "
hex_end:
newline: db	10
digits:	db	"0123456789abcdef"
section .bss
names:	resb	390
