; SPDX-License-Identifier: MIT
; One address, two frames, in an order that begins with the number in its arguments; now and
; then the page is gone, or may not be written.  Each frame has its own count.
%include "lib.inc"

VA	equ 0x00800000			; what is looked at
ONE	equ 0x00a00000			; the two frames, at their own addresses
STEPS	equ 300

main:
	mov	eax, 1
	call	argument_number
	mov	[state], eax
	call	paging_on
	mov	eax, VA
	call	pte_of
	mov	[slot], eax
	mov	dword [ONE], 0
	mov	dword [ONE + 4096], 0
	mov	dword [left], STEPS
.step:	mov	eax, [state]
	imul	eax, 1664525
	add	eax, 1013904223
	mov	[state], eax
	shr	eax, 20
	mov	ebp, eax
	and	ebp, 1			; which frame
	mov	edi, ebp
	shl	edi, 12
	add	edi, ONE + PAGE_P + PAGE_RW
	shr	eax, 1
	and	eax, 7
	jz	.gone
	cmp	eax, 1
	je	.readonly
	call	tell
	inc	dword [VA]
	inc	dword [count + ebp * 4]
	mov	eax, [count + ebp * 4]
	cmp	[VA], eax
	jne	.wrong
	jmp	.next
.gone:	xor	edi, edi
	call	tell
	mov	dword [trap.vector], -1
	mov	dword [trap_resume], .absent
	mov	eax, [VA]
.absent: cmp	dword [trap.vector], 14
	jne	.wrong
	jmp	.next
.readonly: and	edi, ~PAGE_RW
	call	tell
	mov	eax, [count + ebp * 4]
	cmp	[VA], eax
	jne	.wrong
	mov	dword [trap.vector], -1
	mov	dword [trap_resume], .refused
	inc	dword [VA]
.refused: cmp	dword [trap.vector], 14
	jne	.wrong
.next:	dec	dword [left]
	jnz	.step
.wrong:	CHECK_EQ [left], 0, "the address always led where the entry said"
	mov	eax, [count]
	CHECK_EQ [ONE], eax, "the first frame has its count"
	mov	eax, [count + 4]
	CHECK_EQ [ONE + 4096], eax, "and the second its own"
	jmp	finish

; edi: the new entry.  Writes it, and says so.
tell:	mov	ebx, [slot]
	mov	[ebx], edi
	HCALL	HC_SET_PTE, top_table, VA, edi, 0
	ret

section .bss
state:	resd	1
slot:	resd	1
left:	resd	1
count:	resd	2
