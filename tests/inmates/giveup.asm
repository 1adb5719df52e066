; SPDX-License-Identifier: MIT
; Every device on the bus, one after the other: started, asked for what it does not offer,
; broken, and given up.  None of it may end anything but the device.  ABI.md 8.4, 8.5.
; options: --rng --net=user --block=/root/giveup.img
; disk: 8
; output: the Guest broke its rng
; output: the Guest broke its network user
; output: the Guest broke its disk giveup.img
; output: console: the Guest's driver gave up (status 0x83)
; repeated: 4 the Guest's driver gave up (status 0x83)
%include "lib.inc"

USED	equ 0x2000
AVAIL	equ 0x1000
WRITE	equ 2
NEXT	equ 1

; DESCRIPTOR n, address, length, flags, next
%macro DESCRIPTOR 5
	mov	dword [edi + %1 * 16], %2
	mov	dword [edi + %1 * 16 + 4], 0
	mov	dword [edi + %1 * 16 + 8], %3
	mov	dword [edi + %1 * 16 + 12], %4 | (%5 << 16)
%endmacro

main:
	mov	dword [lg + lgd.blocked], -1
	mov	ebx, [0x2d8]
.next:	mov	[device], ebx			; HCALL takes ebx for its argument
	mov	byte [ebx + 4], 0
	HCALL	HC_NOTIFY, ebx
	mov	byte [ebx + 4], 3
	HCALL	HC_NOTIFY, ebx
	mov	edi, [ebx + 5 + 4]		; queue 0
	shl	edi, 12
	movzx	eax, byte [ebx]
	cmp	eax, 2
	je	.disk
	cmp	eax, 1
	je	.network
	cmp	eax, 3
	je	.give_up			; our last words need no console
	jmp	.break

	; A SCSI command for a disk that is a file.
.disk:	mov	dword [data], 2
	mov	byte [data + 16], 0xaa
	DESCRIPTOR 0, data, 16, NEXT, 1
	DESCRIPTOR 1, data + 16, 1, WRITE, 0
	call	offer
	CHECK_EQ eax, 1, "the disk has an answer"
	movzx	eax, byte [data + 16]
	CHECK_EQ eax, 2, "which is: I don't do that"
	jmp	.break

	; Five bytes are no frame.
.network:
	mov	edi, [ebx + 5 + 8 + 4]
	shl	edi, 12
	mov	dword [data], 0
	mov	dword [data + 4], 0
	mov	dword [data + 8], 0
	DESCRIPTOR 0, data, 15, 0, 0
	call	offer
	CHECK_EQ eax, 1, "the network takes what is no frame, and loses it"

.break:	mov	word [edi + AVAIL + 2], 300
	HCALL	HC_NOTIFY, edi
	mov	ecx, 30000			; until its thread has surely looked
	call	spin
.give_up:
	mov	ebx, [device]
	or	byte [ebx + 4], 0x80
	HCALL	HC_NOTIFY, ebx
	inc	dword [devices]
	call	next_device
	cmp	byte [ebx], 0
	jne	.next
	CHECK_EQ [devices], 4, "four devices, and we have outlived them all"
	jmp	finish

; Offers the chain at descriptor 0 of the ring at edi.  eax: the used index, in the end.
offer:
	mov	word [edi + AVAIL + 2], 1
	HCALL	HC_NOTIFY, edi
	mov	ecx, 20000
.wait:	movzx	eax, word [edi + USED + 2]
	test	eax, eax
	jnz	.out
	push	ecx
	mov	ecx, 1
	call	spin
	pop	ecx
	loop	.wait
.out:	ret

section .bss
alignb 16
data:	resb	32
device:	resd	1
devices: resd	1
