; SPDX-License-Identifier: MIT
; A network card by hand: the handshake, ARP, and pings often enough to go around the
; ring.  ABI.md 8.5; RFC 826, 791, 792, 768.
; With the argument 1 it is a neighbour instead: it answers ARP for any address, pings,
; and UDP at port 7 (echo), until somebody sends `quit` there.
; options: --net=user
; output: 300 pings came back
%include "lib.inc"

BUFFERS		equ 16
BUFFER		equ 2048
HEADER		equ 10
PINGS		equ 300
PAYLOAD		equ 56
ETH_IP		equ 0x0008		; as a little-endian word sees it
ETH_ARP		equ 0x0608

; Offsets in a frame.
DST		equ 0
SRC		equ 6
TYPE		equ 12
ARP_OP		equ 20
ARP_SHA		equ 22
ARP_SPA		equ 28
ARP_THA		equ 32
ARP_TPA		equ 38
ARP_END		equ 42
IP		equ 14
IP_LEN		equ 16
IP_PROTO	equ 23
IP_SUM		equ 24
IP_SRC		equ 26
IP_DST		equ 30
ICMP		equ 34
ICMP_SUM	equ 36
ICMP_ID		equ 38
ICMP_SEQ	equ 40
ICMP_DATA	equ 42
UDP_SRC		equ 34
UDP_DST		equ 36
UDP_SUM		equ 40
UDP_DATA	equ 42

main:
	mov	dword [lg + lgd.blocked], 0
	mov	ebx, [0x2d8]
	movzx	eax, byte [ebx]
	CHECK_EQ eax, 1, "the first device is a network card"
	cmp	eax, 1
	jne	finish
	mov	[device], ebx
	movzx	eax, byte [ebx + 1]
	CHECK_EQ eax, 2, "with two queues"
	movzx	eax, byte [ebx + 2]
	CHECK_EQ eax, 1, "a byte of features"
	movzx	eax, byte [ebx + 21]
	CHECK_EQ eax, 0x20, "it has an address, and leaves no work to others"
	movzx	eax, byte [ebx + 3]
	CHECK_EQ eax, 6, "its configuration is that address"
	lea	esi, [ebx + 23]
	mov	edi, mac
	mov	ecx, 6
	rep	movsb
	test	byte [mac], 1
	CHECK	z, "the address is not that of a group"

	mov	byte [ebx + 4], 0
	HCALL	HC_NOTIFY, [device]
	mov	ebx, [device]
	mov	byte [ebx + 4], 3
	mov	byte [ebx + 22], 0x20
	mov	eax, [ebx + 5 + 4]
	shl	eax, 12
	mov	[inq], eax
	mov	eax, [ebx + 13 + 4]
	shl	eax, 12
	mov	[outq], eax
	HCALL	HC_NOTIFY, [device]

	; Sixteen buffers to be filled.
	mov	edi, buffers
	mov	ecx, BUFFERS * BUFFER
	mov	al, 0xcc
	rep	stosb
	mov	edi, [inq]
	xor	ecx, ecx
.buffer: mov	eax, ecx
	shl	eax, 11
	add	eax, buffers
	mov	edx, ecx
	shl	edx, 4
	mov	[edi + edx], eax
	mov	dword [edi + edx + 4], 0
	mov	dword [edi + edx + 8], BUFFER
	mov	dword [edi + edx + 12], 2
	mov	[edi + 0x1000 + 4 + ecx * 2], cx
	inc	ecx
	cmp	ecx, BUFFERS
	jb	.buffer
	mov	word [edi + 0x1000 + 2], BUFFERS
	HCALL	HC_NOTIFY, [inq]

	xor	eax, eax
	call	argument_number
	test	eax, eax
	jnz	neighbour

; ---- One who asks --------------------------------------------------------------------

	; Who has 10.0.2.2?
	mov	edi, out + HEADER
	mov	ecx, 6
	mov	al, 0xff
	rep	stosb
	call	from_me
	mov	word [out + HEADER + TYPE], ETH_ARP
	mov	esi, arp_head
	mov	edi, out + HEADER + 14
	mov	ecx, 8
	rep	movsb
	mov	esi, mac
	mov	ecx, 6
	rep	movsb
	mov	eax, [my_ip]
	stosd
	xor	eax, eax
	stosd
	stosw
	mov	eax, [gateway]
	stosd
	; Asked once a second: a neighbour may still be on its way to its first buffer.
	mov	dword [patience], 1
.who:	mov	ecx, ARP_END
	call	send
.arp:	call	receive
	test	ecx, ecx
	jnz	.came
	inc	dword [asked]
	cmp	dword [asked], 20
	jb	.who
	jmp	.silence
.came:	cmp	word [esi + TYPE], ETH_ARP
	je	.isarp
	call	give_back
	jmp	.arp
.isarp:	cmp	ecx, ARP_END
	CHECK	ae, "the answer is long enough"
	movzx	eax, word [esi + ARP_OP]
	CHECK_EQ eax, 0x200, "it is an answer"
	mov	eax, [esi + ARP_SPA]
	CHECK_EQ eax, [gateway], "of the one that was asked"
	; libslirp's address is 52:55 and the IP address.
	movzx	eax, word [esi + ARP_SHA]
	CHECK_EQ eax, 0x5552, "it is who we think"
	mov	eax, [esi + ARP_SHA + 2]
	CHECK_EQ eax, [gateway], "to the last byte"
	mov	eax, [esi + ARP_THA]
	CHECK_EQ eax, [mac], "it answers us"
	mov	eax, [esi + DST + 2]
	CHECK_EQ eax, [mac + 2], "and sends it to us"
	mov	eax, [esi - HEADER]
	or	eax, [esi - HEADER + 4]
	or	ax, [esi - HEADER + 8]
	CHECK_EQ eax, 0, "the header asks for nothing"
	mov	eax, [esi + ecx]
	CHECK_EQ eax, 0xcccccccc, "nothing is written behind the frame"
	push	esi
	lea	esi, [esi + SRC]
	mov	edi, their_mac
	mov	ecx, 6
	rep	movsb
	pop	esi
	call	give_back

	mov	dword [patience], 20

	; Pings: each with its own number and its own bytes.
.ping:	mov	esi, their_mac
	mov	edi, out + HEADER
	mov	ecx, 6
	rep	movsb
	call	from_me
	mov	word [out + HEADER + TYPE], ETH_IP
	mov	esi, ip_head
	mov	edi, out + HEADER + IP
	mov	ecx, ip_head_end - ip_head
	rep	movsb
	mov	eax, [pings]
	mov	[out + HEADER + ICMP_SEQ], ax
	mov	ecx, PAYLOAD
.fill:	imul	eax, eax, 1103515245
	add	eax, 12345
	mov	edx, eax
	shr	edx, 16
	mov	[out + HEADER + ICMP_DATA + ecx - 1], dl
	loop	.fill
	mov	esi, out + HEADER + IP
	mov	ecx, 20
	call	checksum
	mov	[out + HEADER + IP_SUM], ax
	mov	esi, out + HEADER + ICMP
	mov	ecx, 8 + PAYLOAD
	call	checksum
	mov	[out + HEADER + ICMP_SUM], ax
	mov	ecx, ICMP_DATA + PAYLOAD
	call	send
.answer: call	receive
	test	ecx, ecx
	jz	.silence
	cmp	word [esi + TYPE], ETH_IP
	jne	.other
	cmp	byte [esi + IP_PROTO], 1
	je	.isicmp
.other:	call	give_back
	jmp	.answer
.isicmp: push	esi
	add	esi, IP
	mov	ecx, 20
	call	checksum
	or	[wrong], eax
	mov	esi, [esp]
	add	esi, ICMP
	mov	ecx, 8 + PAYLOAD
	call	checksum
	or	[wrong], eax
	mov	esi, [esp]
	movzx	eax, word [esi + ICMP]		; type 0, code 0
	or	[wrong], eax
	add	esi, ICMP_ID
	mov	edi, out + HEADER + ICMP_ID
	mov	ecx, 4 + PAYLOAD
	repe	cmpsb
	setne	al
	or	[wrong], al
	pop	esi
	call	give_back
	inc	dword [pings]
	cmp	dword [pings], PINGS
	jb	.ping
	CHECK_EQ [wrong], 0, "all of them right: sums, numbers, bytes"
	CHECK_EQ [pings], PINGS, "300 pings came back"
	mov	eax, [inq]
	movzx	eax, word [eax + 0x2000 + 2]
	cmp	eax, PINGS
	CHECK	a, "each in a buffer of its own"
	jmp	finish
.silence:
	CHECK_EQ ecx, 1, "an answer within twenty seconds"
	jmp	finish

; ---- One who answers --------------------------------------------------------------------

neighbour:
	mov	dword [patience], 20
	SAY	"# listening"
.next:	call	receive
	test	ecx, ecx
	jz	.next
	; The answer begins as a copy, with the two ends exchanged.
	push	esi
	push	ecx
	mov	edi, out + HEADER
	rep	movsb
	pop	ecx
	pop	esi
	mov	eax, [esi + SRC]
	mov	[out + HEADER + DST], eax
	mov	ax, [esi + SRC + 4]
	mov	[out + HEADER + DST + 4], ax
	pushad
	call	from_me
	popad
	cmp	word [esi + TYPE], ETH_ARP
	je	.arp
	cmp	word [esi + TYPE], ETH_IP
	jne	.done
	mov	eax, [esi + IP_SRC]
	mov	[out + HEADER + IP_DST], eax
	mov	eax, [esi + IP_DST]
	mov	[out + HEADER + IP_SRC], eax
	cmp	byte [esi + IP_PROTO], 1
	je	.icmp
	cmp	byte [esi + IP_PROTO], 17
	jne	.done
	cmp	word [esi + UDP_DST], 7 << 8
	jne	.done
	mov	eax, [esi + UDP_SRC]
	rol	eax, 16
	mov	[out + HEADER + UDP_SRC], eax
	mov	word [out + HEADER + UDP_SUM], 0	; none
	inc	dword [answers]
	call	send
	cmp	dword [esi + UDP_DATA], "quit"
	jne	.done
	cmp	dword [answers], 2
	CHECK	ae, "somebody spoke to us"
	jmp	finish
.icmp:	cmp	byte [esi + ICMP], 8
	jne	.done
	mov	byte [out + HEADER + ICMP], 0
	mov	word [out + HEADER + ICMP_SUM], 0
	push	esi
	push	ecx
	movzx	ecx, word [esi + IP_LEN]
	xchg	cl, ch
	sub	ecx, 20
	mov	esi, out + HEADER + ICMP
	call	checksum
	mov	[out + HEADER + ICMP_SUM], ax
	pop	ecx
	pop	esi
	call	send
	jmp	.done
.arp:	cmp	word [esi + ARP_OP], 0x100
	jne	.done
	mov	word [out + HEADER + ARP_OP], 0x200
	push	esi
	push	ecx
	push	esi
	lea	esi, [esi + ARP_SHA]
	mov	edi, out + HEADER + ARP_THA
	mov	ecx, 10
	rep	movsb				; their two addresses
	pop	esi
	mov	eax, [esi + ARP_TPA]
	mov	[out + HEADER + ARP_SPA], eax	; whoever was asked for: that is us
	mov	esi, mac
	mov	edi, out + HEADER + ARP_SHA
	mov	ecx, 6
	rep	movsb
	pop	ecx
	pop	esi
	call	send
.done:	call	give_back
	jmp	.next

; ---- The card ----------------------------------------------------------------------------

; Our address as the sender's.
from_me:
	mov	esi, mac
	mov	edi, out + HEADER + SRC
	mov	ecx, 6
	rep	movsb
	ret

; ecx: bytes of the frame at out + HEADER.  Returns when it is gone.  Keeps all.
send:
	pushad
	mov	edi, [outq]
	add	ecx, HEADER
	mov	dword [edi], out
	mov	dword [edi + 4], 0
	mov	[edi + 8], ecx
	mov	dword [edi + 12], 0
	movzx	edx, byte [edi + 0x1000 + 2]
	mov	word [edi + 0x1000 + 4 + edx * 2], 0
	inc	word [edi + 0x1000 + 2]
	HCALL	HC_NOTIFY, [outq]
.wait:	mov	dword [lg + lgd.irq_enabled], 0
	mov	ax, [edi + 0x1000 + 2]
	cmp	ax, [edi + 0x2000 + 2]
	je	.gone
	HCALL	HC_HALT
	jmp	.wait
.gone:	popad
	ret

; esi: the next frame that came, ecx: its bytes; ecx 0 if none comes in [patience] seconds.
receive:
	push	eax
	push	ebx
	push	edx
	push	edi
	mov	edi, [inq]
	mov	edx, [irq_count]
	add	edx, [patience]
.wait:	mov	dword [lg + lgd.irq_enabled], 0
	mov	ax, [taken]
	cmp	ax, [edi + 0x2000 + 2]
	jne	.here
	xor	ecx, ecx
	cmp	[irq_count], edx
	jae	.out
	push	edx
	HCALL	HC_CLOCKEVENT, 1000000000
	HCALL	HC_HALT
	pop	edx
	jmp	.wait
.here:	movzx	eax, al
	mov	esi, [edi + 0x2000 + 4 + eax * 8]
	mov	ecx, [edi + 0x2000 + 4 + eax * 8 + 4]
	mov	[head], esi
	shl	esi, 11
	add	esi, buffers + HEADER
	sub	ecx, HEADER
.out:	pop	edi
	pop	edx
	pop	ebx
	pop	eax
	ret

; The frame of the last receive may be filled again.  Keeps all.
give_back:
	pushad
	inc	word [taken]
	mov	edi, [inq]
	movzx	edx, byte [edi + 0x1000 + 2]
	mov	eax, [head]
	mov	[edi + 0x1000 + 4 + edx * 2], ax
	shl	eax, 11
	push	edi
	lea	edi, [eax + buffers]
	mov	ecx, BUFFER
	mov	al, 0xcc
	rep	stosb
	pop	edi
	inc	word [edi + 0x1000 + 2]
	HCALL	HC_NOTIFY, [inq]
	popad
	ret

; esi, ecx (even): eax is the Internet checksum: 0 over what includes a right one.
checksum:
	push	ebx
	push	esi
	xor	ebx, ebx
	shr	ecx, 1
.next:	movzx	eax, word [esi]
	add	ebx, eax
	add	esi, 2
	loop	.next
	mov	eax, ebx
	shr	eax, 16
	and	ebx, 0xffff
	add	eax, ebx
	mov	ebx, eax
	shr	ebx, 16
	add	eax, ebx
	not	eax
	and	eax, 0xffff
	pop	esi
	pop	ebx
	ret

section .rodata
arp_head: db	0, 1, 8, 0, 6, 4, 0, 1
my_ip:	db	10, 0, 2, 15
gateway: db	10, 0, 2, 2
ip_head: db	0x45, 0, 0, 20 + 8 + PAYLOAD, 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 2, 15, 10, 0, 2, 2
	db	8, 0, 0, 0, 0x12, 0x34	; echo request, sum, whose
ip_head_end:

section .bss
device:	resd	1
inq:	resd	1
outq:	resd	1
head:	resd	1
pings:	resd	1
answers: resd	1
asked:	resd	1
patience: resd	1
wrong:	resd	1
taken:	resw	1
mac:	resb	6
their_mac: resb	6
alignb 4096
out:	resb	2048
buffers: resb	BUFFERS * BUFFER
