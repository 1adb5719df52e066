; SPDX-License-Identifier: MIT
; The virtual interrupt flag, the mask, the clock, HALT, the no-interrupt range.
; ABI.md 3.2, 3.4, 4, 4.1.
; timeout: 60
%include "lib.inc"

MS	equ 1000000			; nanoseconds
AWHILE	equ 20000			; thousands of rounds: 40 million instructions

; Arm the clock, then burn time that is certainly longer.
%macro ARM_AND_SPIN 1
	HCALL	HC_CLOCKEVENT, %1
	mov	ecx, AWHILE
	call	spin
%endmacro

main:
	; Blocked: stays pending in the Host, irq_pending says nothing.
	mov	dword [lg + lgd.blocked], 0xffffffff
	mov	dword [lg + lgd.irq_enabled], IF
	ARM_AND_SPIN 5 * MS
	HCALL	HC_SEND_INTERRUPTS
	CHECK_EQ [irq_count], 0, "a blocked interrupt is not delivered"
	CHECK_EQ [lg + lgd.irq_pending], 0, "a blocked interrupt is not announced"

	; Unmasking needs no call: the Host looks by itself within bounded time.
	mov	dword [lg + lgd.blocked], 0
	mov	ecx, AWHILE
	call	spin
	CHECK_EQ [irq_count], 1, "unblocking alone is enough"
	mov	eax, [lg + lgd.irq_enabled]
	and	eax, IF
	CHECK_EQ eax, IF, "irq_enabled is back after the handler"
	CHECK_EQ [trap.irq_enabled], 0, "an interrupt gate clears irq_enabled"
	mov	eax, [trap.eflags]
	and	eax, IF
	CHECK_EQ eax, IF, "the frame says that interrupts were on"

	; Disabled: announced, not delivered.
	mov	dword [irq_count], 0
	mov	dword [lg + lgd.irq_enabled], 0
	ARM_AND_SPIN 5 * MS
	CHECK_EQ [irq_count], 0, "a disabled interrupt is not delivered"
	CHECK_EQ [lg + lgd.irq_pending], IF, "a disabled interrupt is announced"
	; An image of eflags without bit 9 is not `enabled'.
	mov	dword [lg + lgd.irq_enabled], 0x46
	HCALL	HC_SEND_INTERRUPTS
	CHECK_EQ [irq_count], 0, "0x46 does not mean enabled"
	mov	dword [lg + lgd.irq_enabled], 0x246
	HCALL	HC_SEND_INTERRUPTS
	CHECK_EQ [irq_count], 1, "0x246 means enabled"
	CHECK_EQ [lg + lgd.irq_pending], 0, "irq_pending is cleared by the last delivery"

	; Enabling without asking is enough as well.
	mov	dword [irq_count], 0
	mov	dword [lg + lgd.irq_enabled], 0
	ARM_AND_SPIN 5 * MS
	CHECK_EQ [irq_count], 0, "still disabled"
	mov	dword [lg + lgd.irq_enabled], IF
	mov	ecx, AWHILE
	call	spin
	CHECK_EQ [irq_count], 1, "enabling without a call is enough"

	; One shot means one.
	mov	ecx, AWHILE
	call	spin
	CHECK_EQ [irq_count], 1, "the clock fires once"

	; A new call replaces the old; 0 cancels.
	mov	dword [irq_count], 0
	HCALL	HC_CLOCKEVENT, 4000 * MS
	ARM_AND_SPIN 2 * MS
	CHECK_EQ [irq_count], 1, "a new time replaces the old"
	HCALL	HC_CLOCKEVENT, 20 * MS
	HCALL	HC_CLOCKEVENT, 0
	mov	ecx, AWHILE
	call	spin
	CHECK_EQ [irq_count], 1, "0 cancels"

	; Cancelling leaves what is pending already; two expiries are one interrupt.
	mov	dword [irq_count], 0
	mov	dword [lg + lgd.irq_enabled], 0
	ARM_AND_SPIN 2 * MS
	ARM_AND_SPIN 2 * MS
	HCALL	HC_CLOCKEVENT, 0
	mov	dword [lg + lgd.irq_enabled], IF
	mov	ecx, AWHILE
	call	spin
	CHECK_EQ [irq_count], 1, "two expiries while pending are one, and survive a cancel"

	; HALT: enables interrupts, wakes at the clock.
	mov	dword [irq_count], 0
	mov	dword [lg + lgd.irq_enabled], 0
	HCALL	HC_CLOCKEVENT, 10 * MS
	HCALL	HC_HALT
	CHECK_EQ [irq_count], 1, "HALT sleeps until the clock"
	CHECK_EQ eax, HC_HALT, "HALT returns its registers"
	mov	eax, [lg + lgd.irq_enabled]
	and	eax, IF
	CHECK_EQ eax, IF, "HALT enables interrupts"

	; HALT with one pending already returns at once.
	mov	dword [irq_count], 0
	mov	dword [lg + lgd.irq_enabled], 0
	ARM_AND_SPIN 2 * MS
	HCALL	HC_HALT
	CHECK_EQ [irq_count], 1, "HALT takes what is pending already"

	; Many halts: each one waits for its own interrupt.
	mov	dword [irq_count], 0
	mov	edi, 50
.nap:	mov	dword [lg + lgd.irq_enabled], 0	; or the clock could win the race to HALT
	HCALL	HC_CLOCKEVENT, MS / 2
	HCALL	HC_HALT
	dec	edi
	jnz	.nap
	CHECK_EQ [irq_count], 50, "fifty halts, fifty interrupts"

	; The wall clock moves with deliveries.
	mov	dword [lg + lgd.irq_enabled], 0
	mov	edi, [lg + lgd.tv_nsec]
	mov	ebp, [lg + lgd.tv_sec]
	HCALL	HC_CLOCKEVENT, 40 * MS
	HCALL	HC_HALT
	mov	eax, [lg + lgd.tv_sec]
	sub	eax, ebp
	imul	eax, 1000000000
	add	eax, [lg + lgd.tv_nsec]
	sub	eax, edi
	cmp	eax, 20 * MS
	CHECK	ae, "time moved on by at least 20 ms"
	cmp	eax, 4000 * MS
	CHECK	b, "time moved on by less than 4 s"

	; No gate: stays pending until there is one.
	mov	dword [irq_count], 0
	SET_GATE 32, 0, 0
	ARM_AND_SPIN 2 * MS
	CHECK_EQ [irq_count], 0, "without a gate nothing is delivered"
	SET_GATE 32, trap_stubs + 32 * 16, GATE_INT
	mov	ecx, AWHILE
	call	spin
	CHECK_EQ [irq_count], 1, "it waited for the gate"

	; Through a trap gate irq_enabled stays as it was.
	mov	dword [irq_count], 0
	SET_GATE 32, trap_stubs + 32 * 16, GATE_TRAP
	ARM_AND_SPIN 2 * MS
	CHECK_EQ [irq_count], 1, "delivered through a trap gate"
	mov	eax, [trap.irq_enabled]
	and	eax, IF
	CHECK_EQ eax, IF, "a trap gate leaves irq_enabled"
	SET_GATE 32, trap_stubs + 32 * 16, GATE_INT

	; The no-interrupt range: only eip counts.
	mov	dword [irq_count], 0
	mov	dword [lg + lgd.irq_enabled], 0		; enabled inside the range only
	HCALL	HC_CLOCKEVENT, 2 * MS
	mov	ecx, AWHILE * 1000
	call	noirq_spin
	CHECK_EQ eax, 0, "nothing is delivered inside the no-interrupt range"
	mov	ecx, AWHILE
	call	spin
	CHECK_EQ [irq_count], 1, "and it comes right after"

	; The frame of an interrupt in ring 1, byte by byte.
	mov	dword [trap_hook + 32 * 4], inspect
	mov	dword [lg + lgd.irq_enabled], 0		; not before we are ready
	mov	dword [seen.done], 0
	HCALL	HC_CLOCKEVENT, 2 * MS
	mov	eax, 0x0badf00d
	mov	ebx, 0x11111111
	mov	ecx, 0x22222222
	mov	edx, 0x33333333
	mov	esi, 0x44444444
	mov	edi, 0x55555555
	mov	ebp, esp
	mov	dword [lg + lgd.irq_enabled], IF
wait_begin:
	cmp	dword [seen.done], 0
	je	wait_begin
wait_end:
	mov	[seen.after], esp
	mov	[seen.ebp], ebp
	CHECK_EQ eax, 0x0badf00d, "eax survives an interrupt"
	CHECK_EQ ebx, 0x11111111, "ebx survives"
	CHECK_EQ ecx, 0x22222222, "ecx survives"
	CHECK_EQ edx, 0x33333333, "edx survives"
	CHECK_EQ esi, 0x44444444, "esi survives"
	CHECK_EQ edi, 0x55555555, "edi survives"
	mov	eax, [seen.after]
	CHECK_EQ [seen.ebp], eax, "esp survives"
	CHECK_EQ [seen.eax], 0x0badf00d, "the handler sees eax"
	CHECK_EQ [seen.error], 0, "no error code: the stub's own zero is there"
	CHECK_EQ [trap.cs], KCS, "cs in the frame is 0x61"
	CHECK_EQ [seen.ds], KDS, "ds is left alone"
	mov	eax, [trap.eip]
	cmp	eax, wait_begin
	CHECK	ae, "eip is in the loop (begin)"
	cmp	eax, wait_end
	CHECK	b, "eip is in the loop (end)"
	mov	eax, [seen.ebp]
	CHECK_EQ [trap.kesp], eax, "the frame is exactly eip, cs, eflags"
	mov	eax, [trap.eflags]
	and	eax, 0x27300			; IOPL, NT, VM, TF, IF
	CHECK_EQ eax, 0x200, "eflags in the frame: IF, no TF, no IOPL, no NT"

	; Vector 33 and up without an interrupt: software int is #GP(n*8+2).
	TRAP_BEGIN
	int	0x20
	TRAP_END 13, 0x20 * 8 + 2, "int 0x20 is #GP"
	jmp	finish

inspect:
	mov	eax, [ebp + frame.eax]
	mov	[seen.eax], eax
	mov	eax, [ebp + frame.error]
	mov	[seen.error], eax
	movzx	eax, word [ebp + frame.ds]
	mov	[seen.ds], eax
	mov	dword [seen.done], 1
	inc	dword [irq_count]
	ret

section .bss
seen:
.done:	resd	1
.eax:	resd	1
.error:	resd	1
.ds:	resd	1
.after:	resd	1
.ebp:	resd	1
