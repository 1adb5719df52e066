; SPDX-License-Identifier: MIT
; Work of known length in both rings, for whoever counts ticks: LG_CREATE_TIME, --rings.
; The argument is three digits: 1 or 0 for a long loop in ring 1, one in ring 3, and a
; thousand hypercalls with nothing in between.  tests/lib/counted.py knows how long they are.
; 1000 more: the inmate has a stopwatch itself, and says how long a thousand calls took.
; run: 000
; run: 1111
%include "lib.inc"

LOOPS	equ 100000			; of two instructions
CALLS	equ 1000			; of four: mov, int, dec, jnz

section .user
turn:	dec	ecx
	jnz	turn
	int	0x80
	ud2

section .text
main:
	call	user_segments
	call	paging_on
	xor	eax, eax
	call	argument_number
	mov	[choice], eax
	cmp	eax, 1000
	jae	stopwatch
work:
	mov	ecx, 1
	cmp	dword [choice], 100
	jb	.kernel
	sub	dword [choice], 100
	mov	ecx, LOOPS
.kernel: dec	ecx
	jnz	.kernel

	mov	ecx, 1
	cmp	dword [choice], 10
	jb	.user
	sub	dword [choice], 10
	mov	ecx, LOOPS
.user:	mov	dword [lg + lgd.irq_enabled], IF
	mov	eax, turn
	mov	edx, user_stack_top
	call	run_user
	CHECK_EQ eax, 0x80, "ring 3 came back"

	mov	edi, 1
	cmp	dword [choice], 1
	jb	.calls
	mov	edi, CALLS
.calls:	mov	eax, HC_FLUSH_ASYNC
	int	0x1f
	dec	edi
	jnz	.calls
	CHECK_EQ edi, 0, "all calls were made"
	jmp	finish

; The shortest of five, as an interrupt of Linux' may fall into one.
stopwatch:
	sub	dword [choice], 1000
	mov	dword [shortest], -1
	mov	ebp, 5
.again:	mov	edi, CALLS
	rdtsc
	mov	esi, eax
.calls:	mov	eax, HC_FLUSH_ASYNC
	int	0x1f
	dec	edi
	jnz	.calls
	rdtsc
	sub	eax, esi
	cmp	eax, [shortest]
	jae	.longer
	mov	[shortest], eax
.longer: dec	ebp
	jnz	.again
	mov	eax, .took
	call	put_str
	mov	eax, [shortest]
	call	put_dec
	call	put_line
	jmp	work
.took:	db	"# ticks for a thousand calls: ", 0

section .bss
choice:	resd	1
shortest: resd	1
