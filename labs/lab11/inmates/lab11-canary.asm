; SPDX-License-Identifier: MIT
; A Guest with a canary in everything that it has: memory, page tables, registers,
; segments, the FPU, a clock that is running.  The number in its arguments is in all of them.
; It says `ready`, then `round 1` and so on, a tenth of a second each, and in the end `done`
; and one number made of all that it still has (labs/engine/projects.py works it out, too).
; timeout: 120
%include "lib.inc"

ROUNDS	equ 30
PERIOD	equ 100000000
MEMORY	equ 0x400000
WORDS	equ 0x40000			; 1 MiB
TABLE	equ 0x600000			; a table for the window
WINDOW	equ 0x50000000
HIDDEN	equ 0x700000			; the frame behind the window, away from the others
TLS	equ 0x710000

main:
	xor	eax, eax
	call	argument_number
	mov	[seed], eax
	; Memory.
	mov	edi, MEMORY
	mov	ecx, WORDS
.fill:	call	draw
	stosd
	loop	.fill
	; A page that only the page tables know where to find.
	call	paging_build
	mov	dword [top_table + (WINDOW >> 22) * 4], TABLE + PAGE_TABLE
	mov	dword [TABLE], HIDDEN + PAGE_P + PAGE_RW
	HCALL	HC_NEW_PGTABLE, top_table
	call	draw
	mov	[WINDOW + 0x123 * 4], eax
	; Segments with bases of their own.
	HCALL	HC_LOAD_TLS, descriptors, 0
	call	draw
	mov	[TLS + 8], eax
	mov	eax, 6 * 8 + 3
	mov	gs, eax
	mov	eax, 7 * 8 + 3
	mov	fs, eax
	; The FPU: one register of each kind.
	call	draw
	and	eax, 0x7fffffff
	mov	[scratch], eax
	fninit
	fild	dword [scratch]
	call	draw
	movd	xmm5, eax
	; And all general registers, from here to the end.
	SAY	"ready"
	mov	dword [lg + lgd.blocked], 0
	call	draw
	mov	ebx, eax
	call	draw
	mov	esi, eax
	call	draw
	mov	edi, eax
	call	draw
	mov	ebp, eax
	mov	[kept], ebx
	mov	[kept + 4], esi
	mov	[kept + 8], edi
	mov	[kept + 12], ebp

.round:	inc	dword [rounds]
	mov	eax, .text
	call	put_str
	mov	eax, [rounds]
	call	put_dec
	call	put_line
	mov	dword [lg + lgd.irq_enabled], 0
	push	ebx
	HCALL	HC_CLOCKEVENT, PERIOD
	HCALL	HC_HALT
	pop	ebx
	cmp	ebx, [kept]
	jne	.lost
	cmp	esi, [kept + 4]
	jne	.lost
	cmp	edi, [kept + 8]
	jne	.lost
	cmp	ebp, [kept + 12]
	jne	.lost
	cmp	dword [rounds], ROUNDS
	jb	.round
	CHECK_EQ [irq_count], ROUNDS, "each round had its tick"
	jmp	.sum
.lost:	mov	eax, .name
	call	fail
	call	put_line

	; All of it in one number: rotate by five, exclusive or.
.sum:	mov	eax, ebx
	xor	eax, ebp
	mov	[sum], eax
	mov	eax, esi
	call	add_word
	mov	eax, edi
	call	add_word
	mov	ecx, WORDS
	mov	edx, MEMORY
.word:	mov	eax, [edx]
	call	add_word
	add	edx, 4
	loop	.word
	mov	eax, [WINDOW + 0x123 * 4]
	call	add_word
	mov	eax, [HIDDEN + 0x123 * 4]
	call	add_word
	mov	eax, [gs:0]
	call	add_word
	mov	eax, [fs:4]
	call	add_word
	fistp	dword [scratch]
	mov	eax, [scratch]
	call	add_word
	movd	eax, xmm5
	call	add_word
	mov	eax, .done
	call	put_str
	mov	eax, [sum]
	call	put_hex
	call	put_line
	jmp	finish
.text:	db	"round ", 0
.done:	db	"done ", 0
.name:	db	"a register is another one", 0

add_word:
	rol	dword [sum], 5
	xor	[sum], eax
	ret

; seed = seed * 1664525 + 1013904223; in eax
draw:	mov	eax, [seed]
	imul	eax, 1664525
	add	eax, 1013904223
	mov	[seed], eax
	ret

section .rodata
align 4
; Entry 6 begins at TLS + 8, entry 7 at TLS + 4, both for ring 3.
descriptors:
	dd	((TLS + 8) & 0xffff) << 16 | 0xffff, 0x00cff200 | ((TLS + 8) >> 16)
	dd	((TLS + 4) & 0xffff) << 16 | 0xffff, 0x00cff200 | ((TLS + 4) >> 16)
	dd	0, 0
section .bss
seed:	resd	1
sum:	resd	1
scratch: resd	1
rounds:	resd	1
kept:	resd	4
