; SPDX-License-Identifier: MIT
;G:200 Every way in
;
; The processor pushes eip, cs and eflags; if it came from ring 3 also esp and ss
; before them; for some vectors an error code after them.  A stub evens that out (a
; zero where no error code came) and adds the vector, and from there on all traps
; look alike: struct trap_frame in kernel.h is this picture, upside down.
;
;	  ss, esp		only from ring 3
;	  eflags, cs, eip
;	  error, vector
;	  eax ecx edx ebx esp ebp esi edi	(pusha)
;	  ds es fs gs		<- esp when C is called
;
; fs and gs get 0 in the kernel: a TLS descriptor may change while we are here, and
; a selector that points at a changed descriptor can't be loaded again.
;
%include "asm_values.inc"

extern trap_handler, syscall_handler, pv
global fork_return

section .text
; LAB 2.1 BEGIN: every way in, and the one way out
global trap_stubs, syscall_stub, trap_exit
global trap_pop_segments, trap_pop_segments_end

; The vectors for which the processor pushes an error code itself.
%define HAS_ERROR(v) (v == 8 || (v >= 10 && v <= 14) || v == 17)

%macro SAVE 0
	pusha
	push ds
	push es
	push fs
	push gs
	cld
	mov eax, ss			; ss is the kernel's data segment already
	mov ds, eax
	mov es, eax
	xor eax, eax
	mov fs, eax
	mov gs, eax
%endmacro

%macro RESTORE 0
	pop gs
	pop fs
	pop es
	pop ds
	popa
	add esp, 8			; vector and error
%endmacro

%assign vector 0
%rep 64
trap_stub_%+vector:
%if !HAS_ERROR(vector)
	push dword 0
%endif
	push dword vector
	jmp trap_common
%assign vector vector + 1
%endrep

	align 16
trap_common:
	SAVE
	push esp			; the frame, for C
	call trap_handler
	add esp, 4
	jmp trap_exit

	align 16
syscall_stub:
	push dword 0
	push dword 0x80
	SAVE
	push esp
	call syscall_handler
	add esp, 4
trap_pop_segments:			; a stale selector faults here: see trap.c
	RESTORE
	jmp [ss:pv + PV_RETURN_TO_USER]	; where interrupts are always on
trap_exit:
	RESTORE
trap_pop_segments_end:
	jmp [ss:pv + PV_RETURN]

section .rodata
trap_stubs:
%assign vector 0
%rep 64
	dd trap_stub_%+vector
%assign vector vector + 1
%endrep

section .text
; LAB 2.1 END

; A new process wakes up here, on a stack that process_fork() has laid out.
extern return_to_user
fork_return:
	call return_to_user
	jmp trap_exit
;:*
