; SPDX-License-Identifier: MIT
; The library for inmates in C: glue.h says what each of these does.
%include "lib.inc"

extern inmate_main
global hcall, say_text, pass_text, fail_text, number_argument, run_code, hang_on
global lguest_block, text_argument, kernel_root, kernel_tables, last_trap, user_page
global user_stack_end, survived_text

main:
	call	inmate_main
	jmp	finish

; void hcall(number, arg1, arg2, arg3, arg4)
hcall:	push	ebx
	push	esi
	mov	eax, [esp + 12]
	mov	ebx, [esp + 16]
	mov	ecx, [esp + 20]
	mov	edx, [esp + 24]
	mov	esi, [esp + 28]
	int	0x1f
	pop	esi
	pop	ebx
	ret

say_text:
	push	dword [esp + 4]
	call	say
	ret

pass_text:
	mov	eax, [esp + 4]
	jmp	pass

fail_text:
	push	ebx
	mov	eax, [esp + 8]
	call	fail
	call	put_line
	pop	ebx
	ret

number_argument:
	mov	eax, [esp + 4]
	jmp	argument_number

; Noise may well be an endless loop: the clock ends it, as if it had trapped.
PATIENCE equ 2000000			; nanoseconds

enough:	mov	eax, [trap.cs]
	and	eax, 3
	cmp	eax, 3
	je	user_exit
	mov	eax, [trap_resume]
	test	eax, eax
	jz	.late
	mov	dword [trap_resume], 0
	mov	[ebp + frame.eip], eax
	mov	dword [ebp + frame.cs], KCS
.late:	ret

; uint32_t run_code(ring, eip, esp): the vector of the first trap.
run_code:
	push	ebx
	push	esi
	push	edi
	push	ebp
	mov	dword [trap_hook + 32 * 4], enough
	mov	dword [lg + lgd.blocked], ~1
	HCALL	HC_CLOCKEVENT, PATIENCE
	mov	dword [lg + lgd.irq_enabled], IF
	mov	ecx, [esp + 20]
	mov	eax, [esp + 24]
	mov	edx, [esp + 28]
	cmp	ecx, 3
	je	.user
	mov	[keep], esp
	mov	dword [trap_resume], .back
	test	edx, edx
	jz	.jump
	mov	esp, edx
.jump:	jmp	eax
	; The handler comes back here on whatever stack there was.
.back:	mov	esp, [ss:keep]			; ds may be anything
	cld
	jmp	.out
.user:	call	run_user
.out:	mov	eax, KDS
	mov	ds, eax
	mov	es, eax
	mov	dword [trap_resume], 0
	xor	eax, eax
	mov	fs, eax
	mov	gs, eax
	mov	dword [lg + lgd.irq_enabled], 0
	mov	dword [lg + lgd.blocked], 0xffffffff
	mov	eax, [trap.vector]
	pop	ebp
	pop	edi
	pop	esi
	pop	ebx
	ret

; void hang_on(void): page tables and user segments.
hang_on:
	call	user_segments
	jmp	paging_on

lguest_block	equ lg
text_argument	equ 0x1000
kernel_root	equ top_table
kernel_tables	equ bottom_tables
last_trap	equ trap
user_page	equ user_code
user_stack_end	equ user_stack_top

section .rodata
survived_text: db "survived", 0
section .bss
keep:	resd	1
section .user
user_code: times 4096 db 0x90
