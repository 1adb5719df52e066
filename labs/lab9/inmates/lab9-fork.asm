; SPDX-License-Identifier: MIT
; Fork, as a kernel with copy-on-write does it: all pages become read-only in both address
; spaces, the child reads them all and writes to every fourth, and is gone; the parent writes
; to all of them again.  Twenty times.  It says how often, and the Host's counters say what
; that cost (labs/lab9/judge.py).
; timeout: 60
%include "lib.inc"

FORKS	equ 20
PAGES	equ 64
WINDOW	equ 0x40000000
SLOT	equ (WINDOW >> 22) * 4
PARENT	equ 0x900000			; the window's table, in the parent
CHILD	equ 0x901000			; and in the child
ROOT2	equ 0x910000			; the child's directory
FRAMES	equ 0x800000			; the parent's frames
COPIES	equ 0x880000			; what the child gets
RIGHTS	equ PAGE_P | PAGE_RW | PAGE_A | PAGE_D

main:
	call	paging_build
	mov	edi, ROOT2
	call	paging_top
	mov	dword [top_table + SLOT], PARENT + PAGE_TABLE
	mov	dword [ROOT2 + SLOT], CHILD + PAGE_TABLE
	xor	ecx, ecx
.page:	mov	eax, ecx
	shl	eax, 12
	mov	[FRAMES + eax], ecx		; still linear: this is the frame itself
	add	eax, FRAMES + PAGE_P + PAGE_RW
	mov	[PARENT + ecx * 4], eax
	inc	ecx
	cmp	ecx, PAGES
	jb	.page
	mov	dword [trap_hook + 14 * 4], copy
	mov	dword [table], PARENT
	HCALL	HC_NEW_PGTABLE, top_table
	mov	dword [left], FORKS

.fork:	xor	ecx, ecx
.share:	and	dword [PARENT + ecx * 4], ~PAGE_RW
	mov	eax, [PARENT + ecx * 4]
	mov	[CHILD + ecx * 4], eax
	inc	ecx
	cmp	ecx, PAGES
	jb	.share
	HCALL	HC_FLUSH_TLB, 0
	; The child.
	mov	dword [table], CHILD
	HCALL	HC_NEW_PGTABLE, ROOT2
	HCALL	HC_FLUSH_TLB, 0		; its directory was another child's before
	xor	ecx, ecx
	mov	edi, WINDOW
.child:	mov	eax, [edi]
	xor	eax, ecx
	movzx	eax, al
	or	[wrong], eax			; it finds what the parent had
	test	cl, 3
	jnz	.next
	mov	byte [edi], 0x5a		; and has a page of its own from here on
.next:	add	edi, 4096
	inc	ecx
	cmp	ecx, PAGES
	jb	.child
	; The parent.
	mov	dword [table], PARENT
	HCALL	HC_NEW_PGTABLE, top_table
	xor	ecx, ecx
	mov	edi, WINDOW
.parent: mov	eax, [edi]
	xor	eax, ecx
	movzx	eax, al
	or	[wrong], eax			; the child's writing is not here
	inc	byte [edi + 1]
	add	edi, 4096
	inc	ecx
	cmp	ecx, PAGES
	jb	.parent
	dec	dword [left]
	jnz	.fork
	CHECK_EQ [wrong], 0, "parent and child have what is theirs"
	CHECK_EQ [copied], FORKS * (PAGES / 4 + PAGES), "as many faults as pages written to"
	mov	eax, .said
	call	put_str
	mov	eax, FORKS
	call	put_dec
	call	put_line
	jmp	finish
.said:	db	"# forks ", 0

; A write to a page that is shared.  The child gets a copy, the parent its page back.
copy:	inc	dword [copied]
	mov	ebx, [lg + lgd.cr2]
	shr	ebx, 12
	and	ebx, 1023
	mov	edx, [table]
	cmp	edx, PARENT
	je	.mine
	mov	eax, ebx
	shl	eax, 12
	mov	ecx, 1024
	lea	esi, [FRAMES + eax]
	lea	edi, [COPIES + eax]
	rep	movsd
	add	eax, COPIES
	jmp	.set
.mine:	mov	eax, [edx + ebx * 4]
	and	eax, ~0xfff
.set:	or	eax, RIGHTS
	mov	[edx + ebx * 4], eax
	mov	edi, top_table
	cmp	edx, PARENT
	je	.tell
	mov	edi, ROOT2
.tell:	mov	edx, eax
	mov	ecx, ebx
	shl	ecx, 12
	add	ecx, WINDOW
	mov	ebx, edi
	xor	esi, esi
	mov	eax, HC_SET_PTE
	int	0x1f
	ret

section .bss
left:	resd	1
table:	resd	1
copied:	resd	1
wrong:	resd	1
