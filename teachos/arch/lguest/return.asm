; SPDX-License-Identifier: MIT
;G:160 The last two instructions before the world goes on
;
; On a real machine `iret` gives back the interrupt flag together with everything
; else, in one indivisible step.  Ours is a word of memory: two steps.  Between
; them interrupts are on already while the frame is still on the stack, and a storm
; of interrupts could pile frame upon frame there until the stack is gone.  So the
; Host is told, once, at INIT: while eip is in [noirq_start, noirq_end), hold them
; back.
;
; The segment register is ss because ds and es are the user's again, and a user's
; ds may be anything.
;
; For the way back to ring 3 there is no need to look into the frame: nobody goes there
; with interrupts off.
;
%include "asm_values.inc"

extern lguest_data, irq_count

section .text
; LAB 2.2 BEGIN: the last instructions before the world goes on
global lguest_return, lguest_return_to_user, lguest_iret, noirq_start, noirq_end
lguest_return:
	push eax
	mov eax, [esp + 12]		; eflags, above eax, eip and cs
	and eax, EFLAGS_IF		; the interrupt flag and nothing else
noirq_start:
	mov [ss:lguest_data + IRQ_ENABLED], eax
	pop eax
	jmp lguest_iret
lguest_return_to_user:
	mov dword [ss:lguest_data + IRQ_ENABLED], EFLAGS_IF
lguest_iret:
	iret

; u32 noirq_spin(u32 thousands), for the self-test: turns interrupts on, stays in the
; range for about so many thousand instructions and returns how many timer interrupts
; had come by then.
global noirq_spin
noirq_spin:
	mov dword [lguest_data + IRQ_ENABLED], EFLAGS_IF
	mov edx, [esp + 4]
.more:	mov ecx, 1000
.spin:	loop .spin
	dec edx
	jnz .more
	mov eax, [irq_count]
	ret
noirq_end:
; LAB 2.2 END
;:*
