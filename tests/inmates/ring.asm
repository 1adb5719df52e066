; SPDX-License-Identifier: MIT
; The ring of calls that can wait: order, wrapping, status bytes, and that it is run
; before the direct call.  ABI.md 2.1, 3.3.
; output: first second third direct
; output: wrapped -2 -1 0 1
%include "lib.inc"

%include "queue.inc"

; eax: how many status bytes are not 0xff
busy:
	push	ecx
	push	edx
	xor	eax, eax
	mov	ecx, RING_SIZE - 1
.next:	cmp	byte [lg + lgd.status + ecx], 0xff
	je	.free
	inc	eax
.free:	dec	ecx
	jns	.next
	pop	edx
	pop	ecx
	ret

main:
	; Nothing queued: nothing happens, the cursor stays.
	HCALL	HC_FLUSH_ASYNC
	call	busy
	CHECK_EQ eax, 0, "an empty ring stays empty"

	; Order: three strings from the ring, then the direct one.
	QUEUE	HC_NOTIFY, .first, 0, 0, 0
	QUEUE	HC_NOTIFY, .second, 0, 0, 0
	QUEUE	HC_NOTIFY, .third, 0, 0, 0
	HCALL	HC_NOTIFY, .direct
	call	busy
	CHECK_EQ eax, 0, "three entries are done after one direct call"
	CHECK_EQ [ring_next], 3, "the Guest's index is at 3"

	; An entry behind the cursor is not looked at: it waits for the cursor to come round.
	mov	byte [lg + lgd.status + 1], 0
	HCALL	HC_FLUSH_ASYNC
	movzx	eax, byte [lg + lgd.status + 1]
	CHECK_EQ eax, 0, "the cursor decides, not the status bytes"
	mov	byte [lg + lgd.status + 1], 0xff

	; Any status that is not 0xff is pending.
	mov	dword [lg + lgd.calls + 3 * 20], HC_LOAD_IDT
	mov	dword [lg + lgd.calls + 3 * 20 + 4], 5
	mov	dword [lg + lgd.calls + 3 * 20 + 8], KCS << 16
	mov	dword [lg + lgd.calls + 3 * 20 + 12], 0
	mov	byte [lg + lgd.status + 3], 0x7e
	HCALL	HC_FLUSH_ASYNC
	movzx	eax, byte [lg + lgd.status + 3]
	CHECK_EQ eax, 0xff, "a status of 0x7e is pending, and 0xff after"
	mov	dword [ring_next], 4
	SET_GATE 5, trap_stubs + 5 * 16, GATE_INT	; the ring took the gate away

	; As many as there are slots, from 4 to 3: the whole ring, across the end.
	mov	ecx, RING_SIZE
.fill:	QUEUE	HC_SET_STACK, KDS, trap_stack_top, 2, 0
	loop	.fill
	call	busy
	CHECK_EQ eax, RING_SIZE, "all slots queued"
	HCALL	HC_FLUSH_ASYNC
	call	busy
	CHECK_EQ eax, 0, "all slots done"
	CHECK_EQ [ring_next], 4, "and the index is where it was"

	; Order across the wrap: the last write to a gate wins; it is the one of slot 1.
	mov	ecx, RING_SIZE - 6
.move:	QUEUE	HC_FLUSH_ASYNC, 0, 0, 0, 0
	loop	.move
	HCALL	HC_FLUSH_ASYNC
	CHECK_EQ [ring_next], RING_SIZE - 2, "the last slot but one is next"
	QUEUE	HC_NOTIFY, .before, 0, 0, 0
	QUEUE	HC_NOTIFY, .last, 0, 0, 0
	QUEUE	HC_NOTIFY, .w0, 0, 0, 0
	QUEUE	HC_NOTIFY, .w1, 0, 0, 0
	HCALL	HC_NOTIFY, .nl
	call	busy
	CHECK_EQ eax, 0, "the wrapped ones are done"

	; What is queued is in force when the direct call is made: a trap gate with another
	; handler, used at once.
	mov	edx, other
	mov	eax, edx
	and	eax, 0xffff
	or	eax, KCS << 16
	and	edx, 0xffff0000
	or	edx, GATE_TRAP
	QUEUE	HC_LOAD_IDT, 6, eax, edx, 0
	xor	edi, edi
	HCALL	HC_SEND_INTERRUPTS
	ud2
	CHECK_EQ edi, 0x600d, "a queued gate is in force after the next call"
	; And not before: the queue alone does nothing.
	mov	ecx, trap_stubs + 6 * 16
	mov	eax, ecx
	and	eax, 0xffff
	or	eax, KCS << 16
	and	ecx, 0xffff0000
	or	ecx, GATE_INT
	QUEUE	HC_LOAD_IDT, 6, eax, ecx, 0
	xor	edi, edi
	ud2
	CHECK_EQ edi, 0x600d, "a queued call waits for a direct one"
	HCALL	HC_FLUSH_ASYNC
	TRAP_BEGIN
	ud2
	TRAP_END 6, 0, "until then"

	; The arguments are taken when the ring is run: five words each.
	mov	ebp, 1000
.many:	mov	ecx, 7
.seven:	QUEUE	HC_TS, 0, 0xffffffff, 0xffffffff, 0xffffffff
	loop	.seven
	HCALL	HC_FLUSH_ASYNC
	call	busy
	test	eax, eax
	jnz	.stuck
	dec	ebp
	jnz	.many
.stuck:	CHECK_EQ ebp, 0, "seven thousand entries"
	jmp	finish

.first:	db	"first ", 0
.second: db	"second ", 0
.third:	db	"third ", 0
.direct: db	"direct", 10, 0
.before:	db	"wrapped -2 ", 0
.last:	db	"-1 ", 0
.w0:	db	"0 ", 0
.w1:	db	"1", 0
.nl:	db	10, 0

; A handler of two instructions: skip the ud2, leave a mark.
other:	mov	edi, 0x600d
	add	dword [esp], 2
	iret
