; SPDX-License-Identifier: GPL-2.0-only
; r8 new esp, r9 handler, r10 ss, r11 eflags; rsp at LG_REGS_EIP.
direct_go:
	; What a gate clears (FLAGS_CLEARED), what it sets (LG_DIRECT_FLAGS), and the frame.
direct_commit:
	; LG_NMI_PENDING is not 0: to direct_nmi.
direct_iret:
	iretq
direct_commit_end:

direct_nmi:
	push	0
	push	NMI
	jmp	save_and_leave

; [rsp] vector, [rsp + 8] error code; r9 handler, r14 vector.  For a fault in here: r13 is
; the error code.
direct_trap:
	; From ring 3: LG_ESP1 and LG_SS1, and five words.  From ring 1: its own esp, and three.
	; The error code, if GUEST_ERROR_VECTORS has the vector.
trap_stores:
	; A fault between these two labels is expected.
trap_stores_end:
	; One more in LG_DIRECT_COUNT + r14 * 8, and direct_go.  Until then the Host does it:
	jmp	save_and_leave
