; SPDX-License-Identifier: MIT
; The doors between a 64-bit program and 32-bit code in the same process.  Linux has a
; 32-bit code segment in its GDT for everybody (0x23), and a 64-bit one (0x33): a far
; return goes in, a far jump comes out.  The program is linked without PIE, so that its own
; addresses fit into 32 bits.
;
; struct regs is in gate.h; its offsets are checked there.
;
%define CODE32	0x23
%define CODE64	0x33
%define DATA	0x2b
%define SYS_arch_prctl 158
%define ARCH_SET_FS 0x1002

%define EAX	0
%define EBX	4
%define ECX	8
%define EDX	12
%define ESI	16
%define EDI	20
%define EBP	24
%define ESP	28
%define EIP	32
%define EFLAGS	36
%define DS	40
%define ES	44
%define FS	48
%define GS	52

global gate_enter, gate_leave, gate_leave_other, gate_signal, gate_regs, gate_fs_base
global gate_other, gate_segments
extern gate_caught

section .bss
alignb 16
gate_regs:	resd 14			; in and out
gate_fs_base:	resq 1			; our thread's: 32-bit code may load fs
saved_rsp:	resq 1
gate_other:	resd 1			; which of the two ends it was
gate_segments:	resd 4			; ds, es, fs, gs when a signal came

section .text
bits 64
; void gate_enter(void): runs with gate_regs, until somebody comes to gate_leave.
gate_enter:
	push rbx
	push rbp
	push r12
	push r13
	push r14
	push r15
	mov [saved_rsp], rsp
	push qword CODE32
	push qword inside
	o64 retf

bits 32
inside:	mov esp, [ss:gate_regs + ESP]
	push dword [ss:gate_regs + EIP]
	push dword [ss:gate_regs + EFLAGS]
	mov ds, [ss:gate_regs + DS]
	mov es, [ss:gate_regs + ES]
	mov fs, [ss:gate_regs + FS]
	mov gs, [ss:gate_regs + GS]
	mov eax, [ss:gate_regs + EAX]
	mov ebx, [ss:gate_regs + EBX]
	mov ecx, [ss:gate_regs + ECX]
	mov edx, [ss:gate_regs + EDX]
	mov esi, [ss:gate_regs + ESI]
	mov edi, [ss:gate_regs + EDI]
	mov ebp, [ss:gate_regs + EBP]
	popf
	ret

; Where the code under test ends: it jumps or returns here, or there.
gate_leave_other:
	mov dword [ss:gate_other], 1
gate_leave:
	mov [ss:gate_regs + EAX], eax
	mov [ss:gate_regs + EBX], ebx
	mov [ss:gate_regs + ECX], ecx
	mov [ss:gate_regs + EDX], edx
	mov [ss:gate_regs + ESI], esi
	mov [ss:gate_regs + EDI], edi
	mov [ss:gate_regs + EBP], ebp
	mov [ss:gate_regs + ESP], esp
	pushf
	pop dword [ss:gate_regs + EFLAGS]
	mov eax, ds
	mov [ss:gate_regs + DS], eax
	mov eax, es
	mov [ss:gate_regs + ES], eax
	mov eax, fs
	mov [ss:gate_regs + FS], eax
	mov eax, gs
	mov [ss:gate_regs + GS], eax
	mov eax, DATA
	mov ds, eax
	mov es, eax
	push dword 2
	popf				; no TF, no DF
	jmp CODE64:outside

bits 64
outside:
	mov rsp, [saved_rsp]
	mov edi, ARCH_SET_FS
	mov rsi, [gate_fs_base]
	mov eax, SYS_arch_prctl
	syscall
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbp
	pop rbx
	ret

; A signal's handler: gives us our thread back, calls gate_caught(number, info, context),
; and gives the 32-bit code its fs and gs.
gate_signal:
	push rbp
	mov rbp, rsp
	mov [gate_segments], ds
	mov [gate_segments + 4], es
	mov [gate_segments + 8], fs
	mov [gate_segments + 12], gs
	push rdi
	push rsi
	push rdx
	push rdx
	mov edi, ARCH_SET_FS
	mov rsi, [gate_fs_base]
	mov eax, SYS_arch_prctl
	syscall
	pop rdx
	pop rdx
	pop rsi
	pop rdi
	and rsp, -16
	cld
	call gate_caught
	mov fs, [gate_segments + 8]
	mov gs, [gate_segments + 12]
	mov rsp, rbp
	pop rbp
	ret

section .note.GNU-stack noalloc noexec nowrite progbits
