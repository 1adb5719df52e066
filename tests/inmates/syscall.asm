; SPDX-License-Identifier: MIT
; int 0x80 from ring 3, through a trap gate and an interrupt gate and no gate at all;
; ten thousand there and back; a clock that ticks meanwhile.  ABI.md 4.1, 5.1, 5.2, 11.24.
; timeout: 60
%include "lib.inc"

ROUNDS	equ 10000

section .user
one:	mov	eax, 0x1234
	mov	ebx, 1
	int	0x80
.after:	ud2

; Count with the kernel: eax comes back one higher.
many:	mov	edi, ROUNDS
	xor	eax, eax
	mov	ebx, 0xb0b0b0b0
	mov	ecx, 0xc0c0c0c0
	mov	edx, 0xd0d0d0d0
	mov	esi, 0x51515151
	mov	ebp, 0xbbbbbbbb
.next:	int	0x80
	dec	edi
	jnz	.next
	cmp	ebx, 0xb0b0b0b0
	jne	.bad
	cmp	ecx, 0xc0c0c0c0
	jne	.bad
	cmp	edx, 0xd0d0d0d0
	jne	.bad
	cmp	esi, 0x51515151
	jne	.bad
	cmp	ebp, 0xbbbbbbbb
	jne	.bad
	ud2				; good
.bad:	int3				; bad

forever: inc	dword [rounds]
	jmp	forever
rounds:	dd	0

section .text
counting:
	inc	dword [ebp + frame.eax]
	ret

; Leave ring 3 after some clock ticks.
tick:	inc	dword [irq_count]
	cmp	dword [irq_count], 5
	jae	.enough
	HCALL	HC_CLOCKEVENT, 2000000
	ret
.enough: jmp	user_exit

main:
	call	user_segments
	call	paging_on

	; One, through the trap gate of the library.
	mov	dword [lg + lgd.irq_enabled], IF
	mov	eax, one
	mov	edx, user_stack_top
	call	run_user
	CHECK_EQ eax, 0x80, "int 0x80 arrives"
	CHECK_EQ [trap.eip], one.after, "eip is after the int"
	CHECK_EQ [trap.cs], UCS, "cs is the user's"
	CHECK_EQ [trap.esp], user_stack_top, "esp is the user's"
	CHECK_EQ [trap.ss], UDS, "ss is the user's"
	CHECK_EQ [trap.kesp], trap_stack_top - 8, "the frame starts at esp1"
	CHECK_EQ [trap.irq_enabled], IF, "a trap gate leaves irq_enabled"

	; Another stack for ring 1 takes effect at once.
	HCALL	HC_SET_STACK, KDS, trap_stack_top - 1024, 1
	mov	eax, one
	mov	edx, user_stack_top
	call	run_user
	CHECK_EQ [trap.kesp], trap_stack_top - 1024 - 8, "SET_STACK takes effect at once"
	HCALL	HC_SET_STACK, KDS, trap_stack_top, 2

	; From ring 1 the stack does not change.
	mov	dword [trap_hook + 0x80 * 4], counting
	mov	eax, 41
	mov	esi, esp
	int	0x80
	CHECK_EQ eax, 42, "int 0x80 from ring 1"
	mov	edx, esp
	CHECK_EQ edx, esi, "and the stack is as before"
	CHECK_EQ [trap.kesp], esi, "the frame lies right below"

	; Ten thousand.
	mov	eax, many
	mov	edx, user_stack_top
	call	run_user
	CHECK_EQ eax, 6, "registers survive ten thousand system calls"
	mov	eax, [trap_count + 0x80 * 4]
	cmp	eax, ROUNDS
	CHECK	ae, "all of them arrived"

	; Through an interrupt gate: the Host reflects it and clears irq_enabled.
	SET_GATE 0x80, trap_stubs + 0x80 * 16, GATE_INT | GATE_DPL3
	mov	dword [trap_hook + 0x80 * 4], 0
	mov	dword [lg + lgd.irq_enabled], IF
	mov	eax, one
	mov	edx, user_stack_top
	call	run_user
	CHECK_EQ eax, 0x80, "int 0x80 through an interrupt gate"
	CHECK_EQ [trap.eip], one.after, "eip is after the int (interrupt gate)"
	CHECK_EQ [trap.irq_enabled], 0, "an interrupt gate clears irq_enabled"
	mov	dword [trap_hook + 0x80 * 4], counting
	mov	eax, many
	mov	edx, user_stack_top
	call	run_user
	CHECK_EQ eax, 6, "ten thousand through an interrupt gate"
	mov	dword [trap_hook + 0x80 * 4], 0

	; A gate of DPL 0: not for ring 3, and not for ring 1 either.
	SET_GATE 0x80, trap_stubs + 0x80 * 16, GATE_TRAP
	mov	eax, one
	mov	edx, user_stack_top
	call	run_user
	CHECK_EQ eax, 13, "a gate of DPL 0 is #GP from ring 3"
	CHECK_EQ [trap.error], 0x80 * 8 + 2, "with the vector in the error code"
	; DPL 1: ring 1 may, ring 3 may not.
	SET_GATE 0x80, trap_stubs + 0x80 * 16, GATE_TRAP | GATE_DPL1
	mov	eax, one
	mov	edx, user_stack_top
	call	run_user
	CHECK_EQ eax, 13, "a gate of DPL 1 is #GP from ring 3"
	TRAP_BEGIN
	int	0x80
	TRAP_END 0x80, 0, "a gate of DPL 1 serves ring 1"

	; No gate.
	SET_GATE 0x80, 0, 0
	mov	eax, one
	mov	edx, user_stack_top
	call	run_user
	CHECK_EQ eax, 13, "no gate is #GP"
	CHECK_EQ [trap.error], 0x80 * 8 + 2, "with the vector in the error code, again"
	SET_GATE 0x80, trap_stubs + 0x80 * 16, GATE_TRAP | GATE_DPL3

	; The clock interrupts ring 3, on the ring-1 stack.
	mov	dword [trap_hook + 32 * 4], tick
	mov	dword [irq_count], 0
	mov	dword [lg + lgd.blocked], 0
	mov	dword [lg + lgd.irq_enabled], IF
	HCALL	HC_CLOCKEVENT, 2000000
	mov	eax, forever
	mov	edx, user_stack_top
	call	run_user
	CHECK_EQ eax, 32, "the clock interrupts ring 3"
	CHECK_EQ [irq_count], 5, "again and again"
	CHECK_EQ [trap.cs], UCS, "from ring 3"
	CHECK_EQ [trap.ss], UDS, "with its stack segment"
	CHECK_EQ [trap.esp], user_stack_top, "and its stack"
	CHECK_EQ [trap.kesp], trap_stack_top - 8, "onto the ring-1 stack"
	cmp	dword [rounds], 10
	CHECK	a, "ring 3 ran in between"
	jmp	finish
