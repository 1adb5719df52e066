; SPDX-License-Identifier: MIT
; Page faults that are the Guest's own.  First thousands of them, to be counted: a page without an
; entry, and one without a table, touched again and again; how often says the number in the
; arguments.  Then one of each kind that somebody in a hurry gets wrong: the Guest's tables
; decide, as they are at that moment, and its frame is the one of ABI.md 4.1.
; With an x before the number: a table that the Guest does not have.  That kills, as ever.
; timeout: 60
%include "lib.inc"

ABSENT		equ 0x50000000		; has a table, and nothing in it
NO_TABLE	equ 0x60000000
FAR_TABLE	equ 0x75000000		; its table is in a frame that nobody touched
NOWHERE		equ 0x70000000
FAR_FRAME	equ 0x00900000
STACKS		equ 0x00a00000		; pages that nobody touched
PAGES		equ 64
SLOT		equ 4 * (ABSENT >> 22)

main:
	mov	al, [0x1000]
	mov	[mode], al
	mov	eax, 1
	call	argument_number
	mov	[word_of_the_day], eax
	xor	edx, edx
	mov	ecx, 1000
	div	ecx
	add	edx, 4000
	mov	[left], edx
	mov	[rounds], edx
	call	paging_on
	call	user_segments
	mov	dword [top_table + SLOT], a_table + PAGE_TABLE
	mov	eax, [word_of_the_day]
	mov	[treasure + 20], eax

; ---- To be counted ---------------------------------------------------------------

	SET_GATE 14, quick, GATE_TRAP
	mov	edi, ABSENT
	mov	ebx, IF
again:	xor	dword [lg + lgd.irq_enabled], IF
	mov	eax, [edi]
after:	add	edi, 4096
	xor	edi, ABSENT ^ NO_TABLE
	and	edi, 0x7003ffff
	dec	dword [left]
	jnz	again
	mov	dword [lg + lgd.irq_enabled], 0
	mov	eax, [rounds]
	CHECK_EQ [faults], eax, "each of them arrived"
	CHECK_EQ [wrong], 0, "with its address, and an error code of 0"
	CHECK_EQ [wrong_if], 0, "and the IF that the Guest believes in"
	CHECK_EQ ebx, IF, "and no register was touched"
	cmp	byte [mode], 'x'
	je	not_theirs

; ---- Each in its own way ---------------------------------------------------------

	mov	dword [trap_hook + 14 * 4], slow
	SET_GATE 14, trap_stubs + 14 * 16, GATE_TRAP
	; ABI.md 7.4: what was absent may be filled without a word to anybody.
	mov	dword [then], fill_entry
	mov	edi, ABSENT
	call	read_treasures
	CHECK_EQ [sum], 0, "pages that appear without a word are there at once"
	CHECK_EQ [seen], PAGES, "after one fault each"
	mov	dword [then], fill_table
	mov	dword [seen], 0
	mov	edi, NO_TABLE
	call	read_treasures
	CHECK_EQ [sum], 0, "so are the pages of a table that appears"
	CHECK_EQ [seen], 1, "after one fault for all"

	; And what is taken away, is gone.
	mov	dword [then], go_on
	mov	dword [resume], .gone
	mov	dword [a_table + 7 * 4], 0
	HCALL	HC_SET_PTE, top_table, ABSENT + 7 * 4096, 0
	mov	dword [seen], 0
	mov	eax, [ABSENT + 7 * 4096]
.gone:	CHECK_EQ [seen], 1, "a page that was taken away is absent"
	CHECK_EQ [trap.error], 0, "says its error code"
	CHECK_EQ [trap.cr2], ABSENT + 7 * 4096, "and its address"

	; Two address spaces: absent here is not absent there.
	mov	edi, other_top
	call	paging_top
	mov	dword [other_top + SLOT], other_table + PAGE_TABLE
	mov	dword [other_table + 7 * 4], treasure + PAGE_P + PAGE_RW
	mov	ecx, 20
	xor	edi, edi
	mov	dword [seen], 0
	mov	dword [resume], .absent
.both:	push	ecx
	HCALL	HC_NEW_PGTABLE, other_top
	mov	eax, [ABSENT + 7 * 4096 + 20]
	xor	eax, [word_of_the_day]
	or	edi, eax
	HCALL	HC_NEW_PGTABLE, top_table
	mov	eax, [ABSENT + 7 * 4096]
.absent: pop	ecx
	loop	.both
	CHECK_EQ edi, 0, "it is there in the other address space"
	CHECK_EQ [seen], 20, "and absent in this one, each time"

	; Present, and forbidden: P in the error code, be it in the shadow or not.
	mov	dword [a_table + 8 * 4], treasure + PAGE_P
	HCALL	HC_SET_PTE, top_table, ABSENT + 8 * 4096, treasure + PAGE_P
	mov	dword [resume], .fresh
	mov	[ABSENT + 8 * 4096], eax
.fresh:	CHECK_EQ [trap.error], PF_PROT | PF_WRITE, "a read-only page that was never read"
	mov	eax, [ABSENT + 8 * 4096]
	mov	dword [resume], .read
	mov	[ABSENT + 8 * 4096], eax
.read:	CHECK_EQ [trap.error], PF_PROT | PF_WRITE, "and one that was"
	mov	dword [resume], .write
	mov	[NOWHERE], eax
.write:	CHECK_EQ [trap.error], PF_WRITE, "a write to nowhere"

	; A page that may be written, and was only read: that fault is the Host's.
	mov	dword [a_table + 9 * 4], treasure + PAGE_P + PAGE_RW
	HCALL	HC_SET_PTE, top_table, ABSENT + 9 * 4096, treasure + PAGE_P + PAGE_RW
	mov	dword [seen], 0
	mov	eax, [ABSENT + 9 * 4096]
	mov	[ABSENT + 9 * 4096], eax
	CHECK_EQ [seen], 0, "nobody hears of the first write to a clean page"
	CHECK_EQ [a_table + 9 * 4], treasure + PAGE_P + PAGE_RW + PAGE_A + PAGE_D, "but it is dirty now"

	; A table in a frame that the Host has not got yet.
	mov	dword [top_table + 4 * (FAR_TABLE >> 22)], FAR_FRAME + PAGE_TABLE
	mov	dword [resume], .far
	mov	dword [seen], 0
	mov	eax, [FAR_TABLE]
.far:	CHECK_EQ [trap.cr2], FAR_TABLE, "a table that nobody has touched"
	mov	dword [resume], .far2
	mov	eax, [FAR_TABLE + 4096]
.far2:	CHECK_EQ [trap.cr2], FAR_TABLE + 4096, "and once more"
	CHECK_EQ [seen], 2, "two faults"

	; A stack that is in the Guest's tables, and not in the shadow: the frame's own fault
	; must not be taken for the one that it tells of.
	mov	ecx, 8
	mov	edi, STACKS + 4096 - 64
	mov	dword [resume], .stack
	mov	dword [seen], 0
	mov	dword [wrong], 0
	mov	[old_stack], esp
.stacks: mov	esp, edi
	mov	eax, [NOWHERE + edi]
.stack:	mov	eax, [trap.cr2]
	sub	eax, NOWHERE
	xor	eax, edi
	or	eax, [trap.error]
	or	[wrong], eax
	add	edi, 4096
	loop	.stacks
	mov	esp, [old_stack]
	CHECK_EQ [seen], 8, "a fault on a stack that is new to the Host"
	CHECK_EQ [wrong], 0, "has its own address and error code"

	; From ring 3, on the stack of SET_STACK.
	mov	dword [trap_hook + 14 * 4], 0
	mov	eax, u_kernel
	mov	edx, user_stack_top
	call	run_user
	CHECK_EQ eax, 14, "ring 3 at the kernel's page"
	CHECK_EQ [trap.error], PF_PROT | PF_USER, "is told that it may not"
	CHECK_EQ [trap.cr2], main, "where"
	CHECK_EQ [trap.esp], user_stack_top, "its stack"
	CHECK_EQ [trap.kesp], trap_stack_top - 8, "and the kernel's"
	mov	eax, u_absent
	mov	edx, user_stack_top
	call	run_user
	CHECK_EQ [trap.error], PF_WRITE | PF_USER, "ring 3 at a page that is not there"
	CHECK_EQ [trap.eip], u_absent, "its eip"

	; An interrupt gate turns interrupts off, a trap gate does not.
	mov	dword [trap_hook + 14 * 4], slow
	mov	dword [lg + lgd.irq_enabled], IF
	mov	dword [resume], .open
	mov	eax, [NOWHERE]
.open:	CHECK_EQ [trap.irq_enabled], IF, "a trap gate leaves interrupts on"
	SET_GATE 14, trap_stubs + 14 * 16, GATE_INT
	mov	dword [lg + lgd.irq_enabled], IF
	mov	dword [resume], .shut
	mov	eax, [NOWHERE]
.shut:	CHECK_EQ [trap.irq_enabled], 0, "an interrupt gate turns them off"
	mov	eax, [trap.eflags]
	and	eax, IF
	CHECK_EQ eax, IF, "and the frame says that they were on"
	mov	eax, [lg + lgd.irq_enabled]
	and	eax, IF
	CHECK_EQ eax, IF, "as they are again"
	jmp	finish

not_theirs:
	mov	dword [top_table + SLOT], 0x40000000 + PAGE_TABLE
	mov	eax, [ABSENT]
after_not_theirs:
	jmp	survived

; Reads PAGES pages from edi; [sum]: 0 if the treasure was in all of them.
read_treasures:
	mov	ecx, PAGES
	mov	dword [sum], 0
.next:	mov	eax, [edi + 20]
	xor	eax, [word_of_the_day]
	or	[sum], eax
	add	edi, 4096
	loop	.next
	ret

; ---- Handlers --------------------------------------------------------------------

quick:	inc	dword [faults]
	mov	eax, [lg + lgd.cr2]
	xor	eax, edi
	or	[wrong], eax
	pop	eax			; the error code: read, from ring 1, absent
	or	[wrong], eax
	mov	eax, [esp + 8]
	and	eax, IF
	xor	eax, [lg + lgd.irq_enabled]
	or	[wrong_if], eax
	mov	dword [esp], after
	iret

; ebp: the frame.
slow:	inc	dword [seen]
	cmp	dword [seen], 4 * PAGES
	ja	.enough
	jmp	[then]
.enough: CHECK_EQ [seen], 0, "the same fault, over and over: the Guest's tables have it by now"
	jmp	finish

go_on:	mov	eax, [resume]
	mov	[ebp + frame.eip], eax
	ret

fill_entry:
	mov	eax, [trap.cr2]
	sub	eax, ABSENT
	shr	eax, 12
	cmp	eax, PAGES
	jae	slow.enough
	mov	dword [a_table + eax * 4], treasure + PAGE_P + PAGE_RW
	ret

fill_table:
	mov	ecx, PAGES
.next:	mov	dword [b_table + ecx * 4 - 4], treasure + PAGE_P + PAGE_RW
	loop	.next
	mov	dword [top_table + 4 * (NO_TABLE >> 22)], b_table + PAGE_TABLE
	ret

section .user
u_kernel:
	mov	eax, [main]
u_absent:
	mov	[NOWHERE], eax

section .bss
left:	resd	1
rounds:	resd	1
faults:	resd	1
wrong:	resd	1
wrong_if: resd	1
seen:	resd	1
sum:	resd	1
then:	resd	1
resume:	resd	1
old_stack: resd	1
word_of_the_day: resd 1
mode:	resb	1
alignb 4096
a_table: resb	4096
b_table: resb	4096
other_table: resb 4096
treasure: resb	4096
other_top: resb 4096
