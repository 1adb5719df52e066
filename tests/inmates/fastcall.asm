; SPDX-License-Identifier: MIT
; The doors that a 64-bit kernel leaves open for its own programs: sysenter, syscall, and
; what else could lead out.  All of them must be locked: #GP or #UD, nothing more.
; ABI.md 6 (SYSENTER disabled), 9.3.
%include "lib.inc"

section .user
u_sysenter: mov	edx, 0x100000
	mov	ecx, user_stack_top
.at:	sysenter
	int	0x80
u_syscall:
.at:	syscall
	int	0x80
u_sysexit:
.at:	sysexit
	int	0x80
u_sysret:
.at:	sysret
	int	0x80
u_swapgs:
.at:	db	0x0f, 0x01, 0xf8
	int	0x80
u_vmcall:
.at:	db	0x0f, 0x01, 0xc1
	int	0x80
u_vmmcall:
.at:	db	0x0f, 0x01, 0xd9
	int	0x80
u_iret: pushfd				; to the Host's own code segment
	push	dword 0x10
	push	dword 0x100000
.at:	iretd
	int	0x80
u_far:
.at:	jmp	0x10:0x100000
	int	0x80
u_far_user: ; and to the 64-bit one that a Linux program has
.at:	jmp	0x33:0x100000
	int	0x80

; Allowed answers: #UD; #GP; with %4 also #NP.
%macro LOCKED 2		; label, "name"
	mov	eax, %1
	mov	edx, user_stack_top
	call	run_user
	call	ud_or_gp
	CHECK	e, {%2, " from ring 3"}
	CHECK_EQ [trap.eip], %1.at, {%2, " from ring 3: eip"}
	mov	dword [trap.vector], -1
	mov	[keep], esp
	mov	dword [trap_resume], %%back
	jmp	%1
%%back:	mov	esp, [keep]
	mov	dword [trap_resume], 0
	mov	eax, [trap.vector]
	call	ud_or_gp
	CHECK	e, {%2, " from ring 1"}
	CHECK_EQ [trap.eip], %1.at, {%2, " from ring 1: eip"}
%endmacro

section .text
ud_or_gp:
	cmp	eax, 6
	je	.yes
	cmp	eax, 13
.yes:	ret

main:
	call	user_segments
	call	paging_on
	LOCKED	u_sysenter, "sysenter"
	LOCKED	u_syscall, "syscall"
	LOCKED	u_sysexit, "sysexit"
	LOCKED	u_sysret, "sysret"
	LOCKED	u_swapgs, "swapgs"
	LOCKED	u_vmcall, "vmcall"
	LOCKED	u_vmmcall, "vmmcall"
	LOCKED	u_iret, "iret to selector 0x10"
	LOCKED	u_far, "far jump to selector 0x10"
	LOCKED	u_far_user, "far jump to selector 0x33"
	; Again, after a thousand exits: nothing is only locked at first.
	mov	ebp, 1000
.more:	HCALL	HC_FLUSH_ASYNC
	dec	ebp
	jnz	.more
	LOCKED	u_sysenter, "sysenter, later"
	LOCKED	u_syscall, "syscall, later"
	jmp	finish

section .bss
keep:	resd	1
