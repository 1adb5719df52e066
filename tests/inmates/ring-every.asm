; SPDX-License-Identifier: MIT
; Calls that Linux never puts on the ring may come from there all the same, the last words
; included.  ABI.md 2.1, 3.3.
%define PAE
%include "lib.inc"
%include "queue.inc"

main:
	call	paging_on
	SET_GATE 32, trap_stubs + 32 * 16, GATE_INT
	mov	dword [trap_hook + 32 * 4], count_tick
	mov	dword [lg + lgd.blocked], ~1

	; The clock is set, and then we sleep: both happen before the direct call ends.
	QUEUE	HC_CLOCKEVENT, 2000000, 0, 0, 0
	QUEUE	HC_HALT, 0, 0, 0, 0
	HCALL	HC_FLUSH_ASYNC
	CHECK_EQ [ticks], 1, "a clock and a HALT from the ring: one tick, then on"
	test	dword [lg + lgd.irq_enabled], IF
	CHECK	nz, "the HALT has left interrupts enabled"
	mov	dword [lg + lgd.irq_enabled], 0

	; A PMD entry changes, the ring says so, and the old page is not seen any more.
	mov	eax, 0x00100000
	call	pte_of
	mov	dword [0x00200000], 0x01d			; two pages with different words
	mov	dword [0x00400000], 0x2e3
	mov	eax, [middle + (0x00200000 >> 21) * 8]
	xchg	eax, [middle + (0x00400000 >> 21) * 8]
	mov	[middle + (0x00200000 >> 21) * 8], eax
	QUEUE	HC_SET_PMD, middle, 0x00200000 >> 21, 0, 0
	QUEUE	HC_SET_PMD, middle, 0x00400000 >> 21, 0, 0
	HCALL	HC_FLUSH_ASYNC
	CHECK_EQ [0x00200000], 0x2e3, "two middle entries changed places: one page"
	CHECK_EQ [0x00400000], 0x01d, "and the other"

	; An interrupt waits, interrupts are on, and SEND_INTERRUPTS comes by the ring.
	mov	dword [lg + lgd.irq_enabled], 0
	HCALL	HC_CLOCKEVENT, 100000
.wait:	cmp	dword [lg + lgd.irq_pending], 0
	je	.wait
	mov	dword [lg + lgd.irq_enabled], IF
	QUEUE	HC_SEND_INTERRUPTS, 0, 0, 0, 0
	HCALL	HC_FLUSH_ASYNC
	CHECK_EQ [ticks], 2, "SEND_INTERRUPTS from the ring: the second tick"
	mov	dword [lg + lgd.irq_enabled], 0

	; And good night.  What stands behind it on the ring is never done.
	mov	eax, [checks]
	SAY	"1..5"
	QUEUE	HC_SHUTDOWN, power_down, POWEROFF, 0, 0
	QUEUE	HC_NOTIFY, .after, 0, 0, 0
	HCALL	HC_NOTIFY, .after
	jmp	survived
.after:	db	"not ok something came after the end", 10, 0

count_tick:
	inc	dword [ticks]
	ret

middle	equ top_table + 4096			; the middle level of the first GiB

section .bss
ticks:	resd	1
