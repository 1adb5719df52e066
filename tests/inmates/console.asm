; SPDX-License-Identifier: MIT
; The console as a virtio device, by hand: the handshake, two buffers, a chain, the
; interrupt, and two interrupts in the right order.  Another device comes first.  ABI.md 4, 8.
; options: --rng
; output: by way of a queue
; output: a chain of two
%include "lib.inc"

struc vq
.num	resw 1
.irq	resw 1
.pfn	resd 1
endstruc

main:
	; The console is the last device of the page above RAM.
	mov	eax, 3
	call	find_device
	test	eax, eax
	jnz	.found
	SAY	"# the device page ends without a console"
	CHECK_EQ eax, 3, "there is a console"
	jmp	finish
.found:	mov	[device], ebx
	movzx	eax, byte [ebx + 1]
	CHECK_EQ eax, 2, "the console has two queues"
	movzx	eax, word [ebx + 5 + 8 + vq.num]
	CHECK_EQ eax, 256, "its output queue has 256 entries"
	movzx	eax, word [ebx + 5 + 8 + vq.irq]
	mov	[irq], eax
	movzx	ecx, word [ebx + 5 + vq.irq]
	inc	ecx
	CHECK_EQ eax, ecx, "interrupts are counted up"
	mov	eax, [ebx + 5 + 8 + vq.pfn]
	shl	eax, 12
	mov	[queue], eax
	cmp	eax, ebx
	CHECK	a, "the ring lies above the device page"

	; Reset, acknowledge, driver, finalize, go.
	mov	byte [ebx + 4], 0
	HCALL	HC_NOTIFY, [device]	; leaves the address in ebx
	mov	byte [ebx + 4], 1
	mov	byte [ebx + 4], 3
	HCALL	HC_NOTIFY, [device]
	mov	byte [ebx + 4], 7

	; One buffer.
	mov	dword [lg + lgd.blocked], 0
	mov	dword [lg + lgd.irq_enabled], IF
	mov	edi, [queue]
	mov	dword [edi], text1
	mov	dword [edi + 4], 0
	mov	dword [edi + 8], text1_end - text1
	mov	dword [edi + 12], 0
	mov	word [edi + 0x1000 + 4], 0
	mov	word [edi + 0x1000 + 2], 1
	HCALL	HC_NOTIFY, [queue]
	call	wait_used
	movzx	eax, word [edi + 0x2000 + 2]
	CHECK_EQ eax, 1, "one buffer used"
	CHECK_EQ [edi + 0x2000 + 4], 0, "it is descriptor 0"
	CHECK_EQ [edi + 0x2000 + 8], 0, "nothing was written into it"
	call	wait_irq
	mov	eax, [irq]
	CHECK_EQ [irq_count + eax * 4], 1, "one interrupt"

	; A chain of two, and no interrupt wanted.
	mov	word [edi + 0x1000], 1
	mov	dword [edi + 16], text2
	mov	dword [edi + 16 + 8], text2_end - text2
	mov	dword [edi + 16 + 12], 1 | (2 << 16)
	mov	dword [edi + 32], text3
	mov	dword [edi + 32 + 8], text3_end - text3
	mov	dword [edi + 32 + 12], 0
	mov	word [edi + 0x1000 + 4 + 2], 1
	mov	word [edi + 0x1000 + 2], 2
	HCALL	HC_NOTIFY, [queue]
	call	wait_used
	movzx	eax, word [edi + 0x2000 + 2]
	CHECK_EQ eax, 2, "the chain is used"
	CHECK_EQ [edi + 0x2000 + 12], 1, "by its head"
	mov	ecx, 20000
	call	spin
	mov	eax, [irq]
	CHECK_EQ [irq_count + eax * 4], 1, "no interrupt where none is wanted"

	; The clock and the queue both wait: the lower number comes first.
	mov	dword [lg + lgd.irq_enabled], 0
	mov	dword [irq_logged], 0
	mov	word [edi + 0x1000], 0
	mov	word [edi + 0x1000 + 4 + 4], 0
	mov	word [edi + 0x1000 + 2], 3
	HCALL	HC_NOTIFY, [queue]
	call	wait_used
	HCALL	HC_CLOCKEVENT, 1000000
	mov	ecx, 20000
	call	spin
	CHECK_EQ [irq_logged], 0, "both wait"
	CHECK_EQ [lg + lgd.irq_pending], IF, "and are announced"
	mov	dword [lg + lgd.irq_enabled], IF
	HCALL	HC_SEND_INTERRUPTS
	mov	ecx, 20000
	call	spin
	CHECK_EQ [irq_logged], 2, "both were delivered"
	movzx	eax, byte [irq_log]
	CHECK_EQ eax, 0, "the clock first"
	movzx	eax, byte [irq_log + 1]
	CHECK_EQ eax, [irq], "then the queue"
	CHECK_EQ [lg + lgd.irq_pending], 0, "nothing more is announced"

	; Masking one leaves the other alone.
	mov	dword [irq_logged], 0
	mov	dword [lg + lgd.blocked], 1
	HCALL	HC_CLOCKEVENT, 1000000
	mov	word [edi + 0x1000 + 4 + 6], 0
	mov	word [edi + 0x1000 + 2], 4
	HCALL	HC_NOTIFY, [queue]
	call	wait_used
	mov	ecx, 20000
	call	spin
	CHECK_EQ [irq_logged], 1, "only one of them is masked"
	movzx	eax, byte [irq_log]
	CHECK_EQ eax, [irq], "the queue came, the clock waits"
	; HALT does not wake for a masked one: the clock is pending, but masked.
	mov	word [edi + 0x1000 + 4 + 8], 0
	mov	word [edi + 0x1000 + 2], 5
	mov	dword [lg + lgd.irq_enabled], 0
	HCALL	HC_NOTIFY, [queue]
	HCALL	HC_HALT
	movzx	eax, byte [irq_log + 1]
	CHECK_EQ eax, [irq], "HALT woke for the queue"
	CHECK_EQ [irq_logged], 2, "and for nothing else"

	; Reset and start over: indices begin at 0 again.
	mov	ebx, [device]
	mov	byte [ebx + 4], 0
	HCALL	HC_NOTIFY, [device]
	movzx	eax, word [edi + 0x2000 + 2]
	CHECK_EQ eax, 0, "a reset clears the ring"
	mov	byte [ebx + 4], 3
	HCALL	HC_NOTIFY, [device]
	mov	dword [edi], text1
	mov	dword [edi + 8], text1_end - text1
	mov	word [edi + 0x1000 + 2], 1
	HCALL	HC_NOTIFY, [queue]
	call	wait_used
	movzx	eax, word [edi + 0x2000 + 2]
	CHECK_EQ eax, 1, "after a reset it works again"
	jmp	finish

; Until the used index is the available one, or a long time has passed.
wait_used:
	pushad
	mov	edi, [queue]
	mov	ecx, 300000000
.again:	mov	ax, [edi + 0x1000 + 2]
	cmp	ax, [edi + 0x2000 + 2]
	je	.out
	loop	.again
.out:	popad
	ret

wait_irq:
	pushad
	mov	ecx, 300000000
	mov	eax, [irq]
.again:	cmp	dword [irq_count + eax * 4], 0
	jne	.out
	loop	.again
.out:	popad
	ret

section .rodata
text1:	db	"by way of a queue", 10
text1_end:
text2:	db	"a chain "
text2_end:
text3:	db	"of two", 10
text3_end:

section .bss
device:	resd	1
queue:	resd	1
irq:	resd	1
