; SPDX-License-Identifier: MIT
; A disk by hand: write, flush, read it back, its name, what it must refuse, and a
; reset.  ABI.md 8.4, 8.5.  With the argument 1 it stays when it has written,
; with 2 it gives somebody a second to spoil the disk.
; options: --block=/root/block.img
; disk: 64
; wrote: 5 2 0x12345678 0x01010107
%include "lib.inc"

main:
	mov	eax, 2
	call	find_device
	mov	[device], ebx
	CHECK_EQ eax, 2, "there is a disk"
	movzx	eax, word [ebx + 5 + 2]
	mov	[irq], eax
	mov	eax, [ebx + 5 + 4]
	shl	eax, 12
	mov	[queue], eax
	movzx	eax, byte [ebx + 13]
	and	eax, ~0x20
	CHECK_EQ eax, 4, "it offers SEG_MAX"
	movzx	eax, byte [ebx + 14]
	CHECK_EQ eax, 2, "it offers FLUSH"
	mov	eax, [ebx + 17]
	mov	[sectors], eax
	cmp	eax, 8
	CHECK	ae, "it has eight sectors"
	CHECK_EQ [ebx + 17 + 12], 254, "seg_max"

	mov	dword [lg + lgd.blocked], 0
	mov	dword [lg + lgd.irq_enabled], IF
	call	start

	mov	edi, data
	mov	ecx, 1024 / 4
	mov	eax, 0x12345678
.fill:	stosd
	add	eax, 0x01010107
	loop	.fill
	mov	eax, 1
	mov	edx, 5
	mov	ecx, 1024
	call	request
	CHECK_EQ eax, 0, "write two sectors"
	CHECK_EQ [used_len], 1, "one byte was written to us"
	mov	eax, 4
	xor	edx, edx
	xor	ecx, ecx
	call	request
	CHECK_EQ eax, 0, "flush"
	xor	eax, eax
	call	argument_number
	test	eax, eax
	jz	.read
	cmp	eax, 2
	je	.cut
	SAY	"# written, and it stays"
.stay:	HCALL	HC_HALT
	jmp	.stay

.cut:	SAY	"# cut it now"
	mov	esi, 100			; a second of the Host's clock
.tick:	mov	dword [lg + lgd.blocked], 0
	HCALL	HC_CLOCKEVENT, 10000000
	HCALL	HC_HALT
	dec	esi
	jnz	.tick
.read:	mov	edi, data
	mov	ecx, 1024 / 4
	xor	eax, eax
	rep	stosd
	mov	edx, 5
	mov	ecx, 1024
	call	request
	CHECK_EQ eax, 0, "read two sectors"
	CHECK_EQ [used_len], 1025, "with as many bytes, and the status"
	mov	esi, data
	mov	ecx, 1024 / 4
	mov	edx, 0x12345678
.same:	lodsd
	cmp	eax, edx
	jne	.differs
	add	edx, 0x01010107
	loop	.same
.differs: CHECK_EQ ecx, 0, "and they are what was written"

	mov	eax, 8
	xor	edx, edx
	mov	ecx, 20
	call	request
	CHECK_EQ eax, 0, "it has a name"
	CHECK_EQ [used_len], 21, "of twenty bytes"
	movzx	eax, byte [data]
	cmp	eax, ' '
	CHECK	a, "that can be read"

	xor	eax, eax
	mov	edx, [sectors]
	mov	ecx, 512
	call	request
	CHECK_EQ eax, 1, "no read behind the end"
	mov	eax, 1
	mov	edx, [sectors]
	dec	edx
	mov	ecx, 1024
	call	request
	CHECK_EQ eax, 1, "no write across the end"
	xor	eax, eax
	xor	edx, edx
	mov	ecx, 100
	call	request
	CHECK_EQ eax, 1, "no read of a hundred bytes"
	mov	eax, 2
	xor	edx, edx
	mov	ecx, 512
	call	request
	CHECK_EQ eax, 2, "no SCSI"
	mov	eax, [irq]
	mov	eax, [irq_count + eax * 4]
	cmp	eax, 8
	CHECK	e, "eight requests, eight interrupts"

	; A chain that is no request: the disk is off, and a reset brings it back.
	mov	edi, [queue]
	mov	dword [edi + 8], 3
	and	dword [edi + 12], ~1
	inc	word [edi + 0x1000 + 2]
	HCALL	HC_NOTIFY, [queue]
	mov	ecx, 100000
	call	spin
	movzx	eax, word [edi + 0x2000 + 2]
	CHECK_EQ eax, 8, "a broken request is not answered"
	call	start
	xor	eax, eax
	mov	edx, 6
	mov	ecx, 512
	call	request
	CHECK_EQ eax, 0, "after a reset it works again"
	jmp	finish

start:	mov	ebx, [device]
	mov	byte [ebx + 4], 0
	HCALL	HC_NOTIFY, [device]
	mov	byte [ebx + 4], 3
	mov	byte [ebx + 15], 4		; takes SEG_MAX
	mov	byte [ebx + 16], 2		; and FLUSH
	HCALL	HC_NOTIFY, [device]
	mov	byte [ebx + 4], 7
	ret

; eax: type, edx: sector, ecx: bytes at `data`.  Returns the status in eax.
request:
	push	edi
	push	esi
	mov	[head], eax
	mov	[head + 8], edx
	mov	byte [status], 0x77
	mov	edi, [queue]
	mov	dword [edi], head
	mov	dword [edi + 8], 16
	mov	dword [edi + 12], 1 | (1 << 16)
	mov	dword [edi + 16], data
	mov	[edi + 16 + 8], ecx
	mov	esi, 1 | 2 | (2 << 16)
	test	al, 1
	jz	.in
	mov	esi, 1 | (2 << 16)
.in:	mov	[edi + 16 + 12], esi
	mov	dword [edi + 32], status
	mov	dword [edi + 32 + 8], 1
	mov	dword [edi + 32 + 12], 2
	movzx	eax, word [edi + 0x1000 + 2]
	and	eax, 255
	mov	word [edi + 0x1000 + 4 + eax * 2], 0
	lea	esi, [edi + 0x2000 + 4 + eax * 8]
	mov	eax, [irq]
	lea	ecx, [irq_count + eax * 4]
	mov	edx, [ecx]
	inc	word [edi + 0x1000 + 2]
	HCALL	HC_NOTIFY, [queue]
	lea	ecx, [irq_count]
	mov	eax, [irq]
	lea	ecx, [ecx + eax * 4]
	mov	eax, 300000000
.wait:	cmp	[ecx], edx
	jne	.come
	dec	eax
	jnz	.wait
.come:	mov	eax, [esi + 4]
	mov	[used_len], eax
	movzx	eax, byte [status]
	pop	esi
	pop	edi
	ret

section .bss
device:	resd	1
queue:	resd	1
irq:	resd	1
sectors: resd	1
used_len: resd	1
head:	resb	16
status:	resb	4
alignb 16
data:	resb	4096
