; SPDX-License-Identifier: MIT
; The FPU belongs to the Guest: clean at the start, whole after every kind of exit,
; even while another Guest fills the same registers.  TS is a promise.  ABI.md 5.3 (7), 5.5.
; timeout: 60
; run: 1
; run: 77777
%include "lib.inc"

ROUNDS	equ 20000

struc fx
.fcw	resw 1
.fsw	resw 1
.ftw	resw 1
.fop	resw 1
.fip	resd 2
.fdp	resd 2
.mxcsr	resd 1
.mask	resd 1
.st	resb 8 * 16
.xmm	resb 8 * 16
.rest	resb 512 - 32 - 256
endstruc

main:
	fxsave	[seen]
	movzx	eax, word [seen + fx.fcw]
	CHECK_EQ eax, 0x37f, "the control word is the reset value"
	CHECK_EQ [seen + fx.mxcsr], 0x1f80, "so is MXCSR"
	movzx	eax, byte [seen + fx.ftw]
	CHECK_EQ eax, 0, "the x87 stack is empty"
	mov	esi, seen + fx.st
	mov	ecx, 64
	xor	eax, eax
.zero:	or	eax, [esi]
	add	esi, 4
	loop	.zero
	CHECK_EQ eax, 0, "no register of the Host's is left in ST or XMM"

	; Our own pattern, from the seed.
	mov	eax, 1
	call	argument_number
	mov	[seed], eax
	fxsave	[want]
	mov	word [want + fx.fcw], 0x27f
	mov	word [want + fx.fsw], 0
	mov	byte [want + fx.ftw], 0xff
	mov	dword [want + fx.mxcsr], 0x9fc0
	mov	edi, want + fx.st
	mov	ecx, 8
.st:	call	random
	mov	[edi], eax
	call	random
	or	eax, 0x80000000			; a normal number
	mov	[edi + 4], eax
	mov	dword [edi + 8], 0x3fff
	add	edi, 16
	loop	.st
	mov	ecx, 32
.xmm:	call	random
	mov	[edi], eax
	add	edi, 4
	loop	.xmm
	fxrstor	[want]

	; Every exit there is: calls, faults, the clock.
	mov	dword [lg + lgd.blocked], 0
	mov	dword [lg + lgd.irq_enabled], IF
	mov	ebp, ROUNDS
.round:	HCALL	HC_FLUSH_ASYNC
	test	ebp, 15
	jnz	.nofault
	mov	dword [trap_resume], .nofault
	ud2
.nofault:
	test	ebp, 127
	jnz	.noclock
	HCALL	HC_CLOCKEVENT, 100000
.noclock:
	test	ebp, 1023
	jnz	.nohalt
	mov	dword [lg + lgd.irq_enabled], 0	; or the clock could win the race to HALT
	HCALL	HC_CLOCKEVENT, 200000
	HCALL	HC_HALT
.nohalt:
	fxsave	[seen]
	call	same
	jne	.lost
	dec	ebp
	jnz	.round
.lost:	CHECK_EQ ebp, 0, "ST, XMM, control words survive every exit"
	cmp	dword [irq_count], 0
	CHECK	ne, "interrupts came meanwhile"
	HCALL	HC_CLOCKEVENT, 0
	mov	dword [lg + lgd.blocked], 0xffffffff

	; TS: every use of the FPU traps, until it is cleared.
	HCALL	HC_TS, 8
	TRAP_BEGIN
	fld1
	TRAP_END 7, 0, "x87 with TS set"
	TRAP_BEGIN
	movaps	xmm0, xmm1
	TRAP_END 7, 0, "SSE with TS set"
	TRAP_BEGIN
	fxsave	[seen]
	TRAP_END 7, 0, "fxsave with TS set"
	HCALL	HC_FLUSH_ASYNC
	TRAP_BEGIN
	fnop
	TRAP_END 7, 0, "TS stays set"
	HCALL	HC_TS, 0
	fxsave	[seen]
	call	same
	CHECK	e, "and nothing was lost"
	; A kernel that clears TS in its handler sees one #NM.
	mov	dword [trap_hook + 7 * 4], lazy
	mov	dword [trap_count + 7 * 4], 0
	HCALL	HC_TS, 8
	fxsave	[seen]
	call	same
	CHECK	e, "a lazy kernel gets its registers back"
	CHECK_EQ [trap_count + 7 * 4], 1, "after exactly one #NM"
	; fwait with TS: traps as MP is set.
	HCALL	HC_TS, 1
	mov	dword [trap_count + 7 * 4], 0
	fwait
	CHECK_EQ [trap_count + 7 * 4], 1, "fwait with TS set"
	jmp	finish

lazy:	HCALL	HC_TS, 0
	ret

; ZF if seen and want agree in everything that counts.
same:	pushad
	movzx	eax, word [seen + fx.fcw]
	cmp	ax, [want + fx.fcw]
	jne	.out
	mov	al, [seen + fx.ftw]
	cmp	al, [want + fx.ftw]
	jne	.out
	mov	eax, [seen + fx.mxcsr]
	cmp	eax, [want + fx.mxcsr]
	jne	.out
	mov	edx, 8
	mov	esi, seen + fx.st
	mov	edi, want + fx.st
.st:	mov	ecx, 10				; the other six bytes are reserved
	push	esi
	push	edi
	repe	cmpsb
	pop	edi
	pop	esi
	jne	.out
	add	esi, 16
	add	edi, 16
	dec	edx
	jnz	.st
	mov	ecx, 32
	repe	cmpsd
.out:	popad
	ret

random:	mov	eax, [seed]
	imul	eax, 1664525
	add	eax, 1013904223
	mov	[seed], eax
	ret

section .bss
alignb 16
seen:	resb	512
want:	resb	512
seed:	resd	1
