; SPDX-License-Identifier: MIT
; Runs beside the others and must not notice: a beat every 20 ms, a memory that nobody
; else writes, registers that stay.  The argument is the number of beats.
; timeout: 300
; run: 50
%include "lib.inc"

PERIOD	equ 20000000
MEMORY	equ 0x400000
WORDS	equ 0x40000			; 1 MiB
LIMIT	equ 3000000000			; a gap of three seconds is a miss

main:
	mov	eax, 50
	call	argument_number
	mov	[beats], eax
	mov	edi, MEMORY
	mov	ecx, WORDS
	mov	eax, 0x9e3779b9
.fill:	stosd
	add	eax, 0x9e3779b9
	loop	.fill
	movd	xmm3, [beats]
	fld1
	mov	dword [lg + lgd.blocked], 0
	mov	dword [lg + lgd.irq_enabled], IF
	mov	ebp, [beats]
.beat:	mov	dword [lg + lgd.irq_enabled], 0	; or the clock could win the race to HALT
	HCALL	HC_CLOCKEVENT, PERIOD
	HCALL	HC_HALT
	; The time since the last beat, in ns, as long as it is below four seconds.
	mov	eax, [lg + lgd.tv_sec]
	mov	edx, [lg + lgd.tv_nsec]
	mov	ebx, eax
	xchg	ebx, [last]
	mov	ecx, edx
	xchg	ecx, [last + 4]
	test	ebx, ebx
	jz	.first
	sub	eax, ebx
	cmp	eax, 3
	ja	.missed
	imul	eax, 1000000000
	add	eax, edx
	sub	eax, ecx
	cmp	eax, [gap]
	jbe	.first
	mov	[gap], eax
.first:	dec	ebp
	jnz	.beat
	jmp	.end
.missed: mov	dword [gap], 0xffffffff
.end:	CHECK_EQ ebp, 0, "no beat is missing"
	cmp	dword [gap], LIMIT
	CHECK	b, "no beat was later than three seconds"
	mov	eax, [beats]
	CHECK_EQ [irq_count], eax, "as many interrupts as beats"
	mov	eax, .longest
	call	put_str
	mov	eax, [gap]
	xor	edx, edx
	mov	ecx, 1000
	div	ecx
	call	put_dec
	mov	eax, .us
	call	put_str
	call	put_line

	mov	esi, MEMORY
	mov	ecx, WORDS
	mov	eax, 0x9e3779b9
	xor	edx, edx
.verify: mov	ebx, [esi]
	xor	ebx, eax
	or	edx, ebx
	add	esi, 4
	add	eax, 0x9e3779b9
	loop	.verify
	CHECK_EQ edx, 0, "memory is as it was"
	movd	eax, xmm3
	CHECK_EQ eax, [beats], "xmm3 is as it was"
	fld1
	fcomip	st1
	CHECK	e, "st0 is as it was"
	jmp	finish
.longest: db	"# longest gap ", 0
.us:	db	" us", 0

section .bss
beats:	resd	1
last:	resd	2
gap:	resd	1
