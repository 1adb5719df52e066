; SPDX-License-Identifier: MIT
; Exercise 11.3: a Guest that means harm.  It is assembled together with the inmates'
; library (tests/inmates/lib.inc tells what is in it) and set upon one broken Host after the
; other.  If you prefer C, call this file evil.c, with the same two marker lines.
; LAB 11.3 BEGIN: your Guest
; Each line `; run:` is one Guest, with these arguments.  At most twelve.
; run: {0..8}
%include "lib.inc"

main:
	xor	eax, eax
	call	argument_number
	jmp	[deeds + eax * 4]

; ---- Alive to the end: what is wrong shows as a failed CHECK, and so in the exit status ---

segments:
	; The Guest may ask for ring 0; LAR says what it was given.
	HCALL	HC_LOAD_GDT, 26, 0x0000ffff, 0x00cf9200
	mov	ecx, 26 * 8 + 1
	xor	eax, eax
	lar	eax, ecx
	and	eax, 0x6000
	CHECK_EQ eax, 0x2000, "DPL 0 became 1"
	; A call gate must not be there for LAR either.
	HCALL	HC_LOAD_GDT, 22, (KCS << 16) | 0x1234, 0x0010ec00
	mov	ecx, 22 * 8 + 1
	lar	eax, ecx
	CHECK	nz, "a call gate is nothing"
	; L: `48 90` is DEC EAX and NOP, or one NOP of 64 bits.
	mov	dword [trap_hook + 6 * 4], back
	mov	dword [trap_hook + 13 * 4], back
	HCALL	HC_LOAD_GDT, 24, 0x0000ffff, 0x00af9a00
	mov	eax, 5
	jmp	24 * 8 + 1:probe
probe:	db	0x48, 0x90
	ud2
after:	CHECK_EQ [probe_eax], 4, "no 64 bits"
	jmp	finish
back:	mov	eax, [ebp + frame.eax]
	mov	[probe_eax], eax
	mov	dword [ebp + frame.eip], after
	mov	dword [ebp + frame.cs], KCS
	ret

paging:
	call	user_segments
	call	paging_build
	and	dword [bottom_tables + 0x801 * 4], ~PAGE_RW
	HCALL	HC_NEW_PGTABLE, top_table
	mov	eax, [0x800000]
	mov	eax, [bottom_tables + 0x800 * 4]
	and	eax, PAGE_A | PAGE_D
	CHECK_EQ eax, PAGE_A, "a read sets A, and nothing else"
	TRAP_BEGIN
	mov	dword [0x801000], 5
	TRAP_END 14, PF_PROT | PF_WRITE, "read-only is read-only"
	mov	eax, peep
	mov	edx, user_stack_top
	mov	ebx, main
	call	run_user
	CHECK_EQ eax, 14, "ring 3 does not see the kernel"
	jmp	finish
section .user
peep:	mov	eax, [ebx]
	int	0x80
section .text

manners:
	TRAP_BEGIN
	int	0x41
	TRAP_END 13, 0x41 * 8 + 2, "the error code of an INT n that may not"
	; 0x46 is an image of EFLAGS, and interrupts are off in it.
	mov	dword [lg + lgd.blocked], 0
	mov	dword [lg + lgd.irq_enabled], 0x46
	HCALL	HC_CLOCKEVENT, 1000000
	mov	ecx, 4000
	call	spin
	HCALL	HC_SEND_INTERRUPTS
	CHECK_EQ [irq_count], 0, "0x46 does not mean enabled"
	mov	dword [lg + lgd.blocked], 0xffffffff
	; One call in the ring: done once, and its slot is free again.
	mov	dword [lg + lgd.calls], HC_FLUSH_ASYNC
	mov	byte [lg + lgd.status], 0
	HCALL	HC_FLUSH_ASYNC
	movzx	eax, byte [lg + lgd.status]
	CHECK_EQ eax, 0xff, "the slot is free"
	jmp	finish

; ---- One death each: on a good Host none of them gets any further -----------------------

unknown: HCALL	99
	jmp	survived
twice:	HCALL	HC_INIT, lg
	jmp	survived
beyond:	call	paging_on
	; With 16 MiB the Guest has 0x1007 frames (an obituary told us): this is one too far.
	mov	dword [bottom_tables + 0x800 * 4], 0x01007000 | PAGE_P | PAGE_RW
	mov	eax, [0x800000]
	jmp	survived
wrap:	HCALL	HC_SHUTDOWN, 0xffffffc0, POWEROFF
	jmp	survived
index:	HCALL	HC_LOAD_GDT, 32, 0, 0
	HCALL	HC_FLUSH_ASYNC
	jmp	survived
chair:	HCALL	HC_SET_STACK, 0x68, trap_stack_top, 1
	jmp	survived

section .rodata
align 4
deeds:	dd	segments, paging, manners, unknown, twice, beyond, wrap, index, chair
section .bss
probe_eax: resd	1
; LAB 11.3 END
