; SPDX-License-Identifier: MIT
; Sends back what comes in at the console, as it is, until so many bytes have come as its
; argument says; then it is silent and switches itself off.  Input by two buffers that
; take turns, output from where the input was written to.  ABI.md 8.5.
; run: 0
%include "lib.inc"

BUFFER	equ 4096
AVAIL	equ 0x1000
USED	equ 0x2000

main:
	mov	dword [lg + lgd.blocked], 0
	mov	eax, 3
	call	find_device
	mov	[device], ebx
	mov	esi, [ebx + 5 + 4]		; esi: input, edi: output
	shl	esi, 12
	mov	edi, [ebx + 5 + 8 + 4]
	shl	edi, 12
	mov	byte [ebx + 4], 0
	HCALL	HC_NOTIFY, [device]
	mov	byte [ebx + 4], 3
	HCALL	HC_NOTIFY, [device]
	mov	byte [ebx + 4], 7
	xor	eax, eax
	call	argument_number
	mov	[left], eax
	test	eax, eax
	jnz	.begin
	CHECK_EQ eax, 0, "nothing was asked for"
	jmp	finish

.begin:	mov	[in], esi
	mov	[out], edi
	mov	dword [esi], buffer
	mov	dword [esi + 8], BUFFER
	mov	dword [esi + 12], 2
	mov	dword [esi + 16], buffer + BUFFER
	mov	dword [esi + 16 + 8], BUFFER
	mov	dword [esi + 16 + 12], 2
	mov	dword [esi + AVAIL + 4], 1 << 16	; both are out
	mov	word [esi + AVAIL + 2], 2
	HCALL	HC_NOTIFY, [in]
	xor	ebp, ebp			; how many came in

.next:	mov	esi, [in]
.wait:	cmp	[esi + USED + 2], bp		; nothing yet: sleep until something is
	jne	.come
	mov	dword [lg + lgd.irq_enabled], 0
	cmp	[esi + USED + 2], bp
	jne	.come
	HCALL	HC_HALT				; switches interrupts on
	mov	esi, [in]
	jmp	.wait
.come:	mov	dword [lg + lgd.irq_enabled], IF
	movzx	eax, bp
	and	eax, 255
	mov	ebx, [esi + USED + 4 + eax * 8]	; which of the two
	mov	ecx, [esi + USED + 8 + eax * 8]	; and how much is in it
	mov	edi, [out]
	mov	eax, ebx
	shl	eax, 12
	add	eax, buffer
	mov	[edi], eax
	mov	[edi + 8], ecx
	sub	[left], ecx
	inc	word [edi + AVAIL + 2]
	push	ebx
	HCALL	HC_NOTIFY, [out]		; served at the door: when we are back it is out
	pop	ebx
	cmp	dword [left], 0
	jle	.done
	mov	esi, [in]			; the buffer goes out again
	movzx	eax, word [esi + AVAIL + 2]
	and	eax, 255
	mov	[esi + AVAIL + 4 + eax * 2], bx
	inc	word [esi + AVAIL + 2]
	HCALL	HC_NOTIFY, [in]
	inc	ebp
	jmp	.next
.done:	HCALL	HC_SHUTDOWN, power_down, POWEROFF
	jmp	survived

section .bss
device:	resd	1
in:	resd	1
out:	resd	1
left:	resd	1
alignb 4096
buffer:	resb	2 * BUFFER
section .text
