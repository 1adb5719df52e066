; SPDX-License-Identifier: MIT
; A hundred thousand rounds with random registers, flags and segments, through calls,
; faults and clock interrupts: everything must come back.  ABI.md 2.1, 4.1, 6.
; timeout: 120
; run: 1
; run: 987654321
%include "lib.inc"

CALLS	equ 100000
FAULTS	equ 20000
FLAGS	equ 0xcd5			; OF DF SF ZF AF PF CF

; Load want into the registers, run %1, store them into got.
%macro ROUND 1
	mov	[keep_esp], esp
	push	dword [want.flags]
	popfd
	mov	ebx, [want.ebx]
	mov	ecx, [want.ecx]
	mov	edx, [want.edx]
	mov	esi, [want.esi]
	mov	edi, [want.edi]
	mov	ebp, [want.ebp]
	mov	eax, [want.eax]
	%1
%%after: mov	[got.eax], eax
	mov	[got.esp], esp
	mov	esp, [keep_esp]
	mov	[got.ebx], ebx
	mov	[got.ecx], ecx
	mov	[got.edx], edx
	mov	[got.esi], esi
	mov	[got.edi], edi
	mov	[got.ebp], ebp
	pushfd
	pop	dword [got.flags]
	mov	[got.ds], ds
	mov	[got.es], es
	mov	[got.fs], fs
	mov	[got.gs], gs
	mov	[got.ss], ss
	mov	[got.cs], cs
%endmacro

main:
	mov	eax, 1
	call	argument_number
	mov	[seed], eax
	HCALL	HC_LOAD_GDT, 27, 0x0000ffff, 0x00cf9200
	HCALL	HC_LOAD_TLS, tls, 0
	mov	eax, 27 * 8
	mov	fs, eax
	mov	[want.fs], eax
	mov	eax, 6 * 8 + 3
	mov	gs, eax
	mov	[want.gs], eax
	mov	dword [want.ds], KDS
	mov	dword [want.es], KDS
	mov	dword [want.ss], KDS
	mov	dword [want.cs], KCS
	mov	[want.esp], esp
	mov	dword [trap_hook + 32 * 4], tick
	mov	dword [trap_hook + 6 * 4], skip
	mov	dword [lg + lgd.blocked], 0
	mov	dword [lg + lgd.irq_enabled], IF
	HCALL	HC_CLOCKEVENT, 1000000

	mov	dword [left], CALLS
.calls:	call	draw
	mov	dword [want.eax], HC_FLUSH_ASYNC
	ROUND	{int 0x1f}
	call	same
	jne	.calls_end
	dec	dword [left]
	jnz	.calls
.calls_end:
	CHECK_EQ [left], 0, "a hundred thousand calls"
	call	report

	mov	dword [left], FAULTS
.faults: call	draw
	ROUND	{ud2}
	call	same
	jne	.faults_end
	dec	dword [left]
	jnz	.faults
.faults_end:
	CHECK_EQ [left], 0, "twenty thousand faults"
	call	report

	; Interrupts only: spin until the clock has come, sixty times.
	mov	dword [left], 60
.ticks:	call	draw
	ROUND	{call wait_for_tick}
	call	same
	jne	.ticks_end
	dec	dword [left]
	jnz	.ticks
.ticks_end:
	CHECK_EQ [left], 0, "sixty interrupts at random places"
	call	report

	; in: everything but eax, of which only al changes.
	mov	dword [left], 5000
.ins:	call	draw
	ROUND	{in al, 0x60}
	mov	byte [want.eax], 0xff
	call	same
	jne	.ins_end
	dec	dword [left]
	jnz	.ins
.ins_end:
	CHECK_EQ [left], 0, "five thousand emulated instructions"
	call	report
	cmp	dword [irq_count], 10
	CHECK	a, "the clock ticked meanwhile"
	jmp	finish

; Wait without touching a register or a flag.
wait_for_tick:
	pushfd
	push	eax
	mov	eax, [irq_count]
.again:	cmp	eax, [irq_count]
	je	.again
	pop	eax
	popfd
	ret

tick:	inc	dword [irq_count]
	HCALL	HC_CLOCKEVENT, 1000000
	ret

skip:	add	dword [ebp + frame.eip], 2
	ret

draw:	mov	edi, want
	mov	ecx, 7
	cld
.next:	mov	eax, [seed]
	imul	eax, 1664525
	add	eax, 1013904223
	mov	[seed], eax
	ror	eax, 13
	stosd
	loop	.next
	mov	eax, [seed]
	shr	eax, 7
	and	eax, FLAGS
	mov	[want.flags], eax
	ret

; ZF if got is what want says.
same:	cld
	mov	dword [where], got
	mov	eax, [got.flags]
	and	eax, FLAGS
	mov	[got.flags], eax
	mov	esi, got
	mov	edi, want
	mov	ecx, (got.end - got) / 4
	repe	cmpsd
	mov	[where], esi
	ret

; Say which one differed, if any.
report:	cmp	dword [left], 0
	je	.fine
	mov	esi, [where]
	mov	eax, .text
	call	put_str
	mov	eax, esi
	sub	eax, got + 4
	shr	eax, 2
	call	put_dec
	mov	dl, ' '
	call	put_char
	mov	eax, [esi - 4]
	call	put_hex
	call	put_char
	mov	eax, [esi - got + want - 4]
	call	put_hex
	call	put_line
.fine:	ret
.text:	db	"# word of (eax ebx ecx edx esi edi ebp esp flags ds es fs gs ss cs), got, wanted: ", 0

section .rodata
align 4
tls:	dd	0x0000ffff, 0x00cff200, 0, 0, 0, 0

section .bss
%macro REGISTERS 1
%1:
.eax:	resd	1
.ebx:	resd	1
.ecx:	resd	1
.edx:	resd	1
.esi:	resd	1
.edi:	resd	1
.ebp:	resd	1
.esp:	resd	1
.flags:	resd	1
.ds:	resd	1
.es:	resd	1
.fs:	resd	1
.gs:	resd	1
.ss:	resd	1
.cs:	resd	1
.end:
%endmacro
	REGISTERS want
	REGISTERS got
keep_esp: resd	1
seed:	resd	1
left:	resd	1
where:	resd	1
