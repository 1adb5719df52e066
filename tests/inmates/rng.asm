; SPDX-License-Identifier: MIT
; Random numbers by hand: two buffers, which must differ.  ABI.md 8.5.
; options: --rng
%include "lib.inc"

main:
	mov	eax, 4
	call	find_device
	CHECK_EQ eax, 4, "there is a source of random numbers"
	mov	[device], ebx
	mov	edi, [ebx + 5 + 4]
	shl	edi, 12
	mov	[queue], edi
	mov	byte [ebx + 4], 0
	HCALL	HC_NOTIFY, [device]
	mov	byte [ebx + 4], 3
	HCALL	HC_NOTIFY, [device]
	mov	dword [edi], data
	mov	dword [edi + 8], 32
	mov	dword [edi + 12], 2
	mov	dword [edi + 16], data + 32
	mov	dword [edi + 16 + 8], 32
	mov	dword [edi + 16 + 12], 2
	mov	dword [edi + 0x1000 + 4], 1 << 16
	mov	word [edi + 0x1000 + 2], 2
	HCALL	HC_NOTIFY, [queue]
	; Linux gives no random numbers before it has gathered some: after a boot, on a busy
	; computer, that may take seconds.
	mov	ecx, 4000000000
.wait:	cmp	word [edi + 0x2000 + 2], 2
	je	.come
	loop	.wait
.come:	CHECK_EQ [edi + 0x2000 + 8], 32, "the first buffer is full"
	CHECK_EQ [edi + 0x2000 + 16], 32, "and the second"
	mov	eax, [data]
	or	eax, [data + 4]
	cmp	eax, 0
	CHECK	ne, "with something"
	mov	esi, data
	lea	edi, [data + 32]
	mov	ecx, 8
	repe	cmpsd
	CHECK	ne, "and not with the same"
	jmp	finish

section .bss
device:	resd	1
queue:	resd	1
data:	resb	64
