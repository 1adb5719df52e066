; SPDX-License-Identifier: MIT
; The shared block needs no alignment and may lie across a page boundary: the Host
; must not care.  ABI.md 2.3 (2).
%define LG_OFFSET 4096 - 41
%include "lib.inc"

main:
	mov	eax, lg
	and	eax, 3
	CHECK	nz, "the block is unaligned"
	mov	eax, lg
	mov	ecx, lg + lgd_size - 1
	xor	eax, ecx
	shr	eax, 12
	CHECK	nz, "the block lies in two pages"
	CHECK_EQ [lg + lgd.irq_pending], 0, "irq_pending is read where it is"
	cmp	dword [lg + lgd.tv_sec], 1500000000
	CHECK	g, "time was written where it is"

	; An interrupt: blocked_interrupts, irq_enabled, irq_pending all are used.
	mov	dword [lg + lgd.blocked], 0
	HCALL	HC_CLOCKEVENT, 1000000
	HCALL	HC_HALT
	CHECK_EQ [irq_count], 1, "the timer came"

	; The ring: the status bytes of the first slot and the last lie in different pages here.
	mov	eax, lg + lgd.status
	mov	ecx, lg + lgd.status + RING_SIZE - 1
	xor	eax, ecx
	shr	eax, 12
	CHECK	nz, "the ring's status bytes lie in two pages"
	mov	edi, lg + lgd.status
	mov	byte [edi], 0			; slot 0: number 0, harmless
	mov	dword [lg + lgd.calls], 0
	HCALL	HC_FLUSH_ASYNC
	movzx	eax, byte [lg + lgd.status]
	CHECK_EQ eax, 0xff, "the ring was run"
	TRAP_BEGIN
	ud2
	TRAP_END 6, 0, "a reflected trap"
	jmp	finish
