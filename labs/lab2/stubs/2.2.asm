; SPDX-License-Identifier: MIT
global lguest_return, lguest_return_to_user, lguest_iret, noirq_start, noirq_end
lguest_return:
	ud2
noirq_start:
lguest_return_to_user:
	ud2
lguest_iret:
	ud2

; u32 noirq_spin(u32 thousands), for the self-test, is written already: it turns interrupts on,
; stays in the range for about so many thousand instructions and returns how many timer
; interrupts had come by then.  Keep it in the range.
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
