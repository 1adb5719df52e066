; SPDX-License-Identifier: MIT
; A system call from ring 3 before any SET_STACK: ss1 and esp1 are 0.  ABI.md 1.4, 4.1.
; expect: *
%define NO_INIT
%include "lib.inc"

main:
	call	lib_data
	HCALL	HC_INIT, lg
	SET_GATE 0x80, trap_stubs + 0x80 * 16, GATE_TRAP | GATE_DPL3
	call	user_segments
	call	paging_on
	mov	dword [bottom_tables], 0	; and page 0 is not there
	HCALL	HC_FLUSH_TLB, 1
	mov	eax, .user
	mov	edx, user_stack_top
	call	run_user
	jmp	survived
section .user
.user:	int	0x80
section .text
	jmp	survived
