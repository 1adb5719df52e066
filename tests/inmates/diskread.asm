; SPDX-License-Identifier: MIT
; Reads its disk from beginning to end, 128 KiB at a time, two requests under way, and says
; how many ticks that took and what the sum of all words is.  For tests/bench-disk.
; options: --block=/root/diskread.img
; disk: 2048
; output: # sum 
%include "lib.inc"

PORTION	equ 128 << 10
SECTORS	equ PORTION / 512
AVAIL	equ 0x1000
USED	equ 0x2000

main:
	mov	dword [lg + lgd.blocked], 0
	mov	ebx, [0x2d8]
	movzx	eax, byte [ebx]
	CHECK_EQ eax, 2, "the first device is a disk"
	mov	[device], ebx
	mov	eax, [ebx + 17]
	mov	[sectors], eax
	mov	edi, [ebx + 5 + 4]
	shl	edi, 12
	mov	[queue], edi
	mov	byte [ebx + 4], 0
	HCALL	HC_NOTIFY, [device]
	mov	byte [ebx + 4], 3
	mov	byte [ebx + 16], 2		; takes FLUSH
	HCALL	HC_NOTIFY, [device]
	mov	byte [ebx + 4], 7
	; The memory that is read into is ours already: its pages are not to be counted.
	mov	ecx, 2 * PORTION / 4
	mov	edi, DATA
	xor	eax, eax
	rep	stosd

	rdtsc
	mov	[began], eax
	mov	[began + 4], edx
	call	read_all
	rdtsc
	sub	eax, [began]
	sbb	edx, [began + 4]
	mov	[ticks], eax
	mov	[ticks + 4], edx
	cmp	edx, 0
	CHECK	e, "in less than four seconds of ticks"
	mov	eax, .ticks_are
	call	put_str
	mov	eax, [ticks]
	call	put_dec
	call	put_line
	; And once more, slowly, to see that it was what is on the disk.
	mov	dword [want_sum], 1
	call	read_all
	mov	eax, .sum_is
	call	put_str
	mov	eax, [sum]
	call	put_dec
	call	put_line
	jmp	finish
[section .rodata]
.ticks_are: db	"# ticks ", 0
.sum_is: db	"# sum ", 0
__SECT__

; ebp counts the requests that came back, [asked] those that went out.
read_all:
	xor	eax, eax
	mov	[sector], eax
	mov	esi, [queue]
	mov	bp, [esi + USED + 2]
	call	ask
	call	ask
.next:	mov	esi, [queue]
	cmp	[esi + AVAIL + 2], bp		; all that went out came back
	je	.out
.wait:	mov	dword [lg + lgd.irq_enabled], 0
	cmp	[esi + USED + 2], bp
	jne	.come
	HCALL	HC_HALT
	mov	esi, [queue]
	jmp	.wait
.come:	mov	dword [lg + lgd.irq_enabled], IF
	movzx	eax, bp
	and	eax, 1
	cmp	byte [status + eax], 0
	jne	.bad
	cmp	dword [want_sum], 0
	je	.again
	mov	esi, eax
	imul	esi, PORTION
	add	esi, DATA
	mov	ecx, PORTION / 4
.add:	lodsd
	add	[sum], eax
	loop	.add
.again:	inc	ebp
	call	ask
	jmp	.next
.bad:	movzx	eax, byte [status + eax]
	CHECK_EQ eax, 0, "a request that failed"
.out:	ret

; One more, if there is more: the two take turns, with three descriptors each.
ask:
	mov	eax, [sector]
	cmp	eax, [sectors]
	jae	.out
	mov	edi, [queue]
	movzx	ecx, word [edi + AVAIL + 2]
	movzx	edx, cx
	and	edx, 255
	and	ecx, 1
	mov	ebx, ecx
	shl	ebx, 4
	mov	dword [head + ebx], 0
	mov	[head + ebx + 8], eax
	mov	byte [status + ecx], 0x77
	add	eax, SECTORS
	mov	[sector], eax
	lea	eax, [ecx + ecx * 2]		; its first descriptor
	mov	[edi + AVAIL + 4 + edx * 2], ax
	shl	eax, 4
	lea	esi, [edi + eax]
	shr	eax, 4
	inc	eax
	shl	eax, 16
	lea	edx, [head + ebx]
	mov	[esi], edx
	mov	dword [esi + 8], 16
	mov	edx, eax
	or	edx, 1
	mov	[esi + 12], edx
	mov	edx, ecx
	imul	edx, PORTION
	add	edx, DATA
	mov	[esi + 16], edx
	mov	dword [esi + 16 + 8], PORTION
	add	eax, 1 << 16
	or	eax, 1 | 2
	mov	[esi + 16 + 12], eax
	lea	edx, [status + ecx]
	mov	[esi + 32], edx
	mov	dword [esi + 32 + 8], 1
	mov	dword [esi + 32 + 12], 2
	inc	word [edi + AVAIL + 2]
	HCALL	HC_NOTIFY, [queue]
.out:	ret

DATA	equ 0x400000

section .bss
device:	resd	1
queue:	resd	1
sectors: resd	1
sector:	resd	1
began:	resd	2
ticks:	resd	2
sum:	resd	1
want_sum: resd	1
alignb 16
head:	resb	32
status:	resb	4
section .text
