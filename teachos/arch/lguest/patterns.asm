; SPDX-License-Identifier: MIT
;G:660 Seven registers and a trap
;
; void pattern_hypercall(const u32 in[7], u32 out[8])
; void pattern_wait(const u32 in[7], u32 out[8], u32 before)
;
; Load in[] into eax ebx ecx edx esi edi ebp; make a hypercall (its number is in[0]),
; or wait until irq_count[0] is not `before`; store them to out[], with eflags behind.  What
; comes back must be what was there: the Host owns not one of our registers.
;
%include "asm_values.inc"

global pattern_hypercall, pattern_wait
extern irq_count

section .bss
saved_esp:	resd 1
result:		resd 8
before:		resd 1

section .text
%macro LOAD 0
	push ebp
	push ebx
	push esi
	push edi
	mov [saved_esp], esp
	mov eax, [esp + 28]
	mov [before], eax
	mov ebp, [esp + 20]
	mov eax, [ebp]
	mov ebx, [ebp + 4]
	mov ecx, [ebp + 8]
	mov edx, [ebp + 12]
	mov esi, [ebp + 16]
	mov edi, [ebp + 20]
	mov ebp, [ebp + 24]
%endmacro

pattern_hypercall:
	LOAD
	stc
	int LGUEST_TRAP_ENTRY
	jmp store

pattern_wait:
	LOAD
.again:	push eax
	mov eax, [irq_count]
	cmp eax, [before]
	pop eax
	je .again
	stc

store:	mov [result], eax
	mov [result + 4], ebx
	mov [result + 8], ecx
	mov [result + 12], edx
	mov [result + 16], esi
	mov [result + 20], edi
	mov [result + 24], ebp
	pushf
	pop dword [result + 28]
	mov esp, [saved_esp]
	mov edi, [esp + 24]
	mov esi, result
	mov ecx, 8
	rep movsd
	pop edi
	pop esi
	pop ebx
	pop ebp
	ret
;:*
