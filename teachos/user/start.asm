; SPDX-License-Identifier: MIT
;G:800 Where a program begins
;
; exec leaves argc on the stack and the pointers above it, then those of the environment.
; main wants them as arguments; what main returns, exit gets.
;
global _start
extern main, exit, environ

section .text
_start:
	mov eax, [esp]
	lea edx, [esp + 4]
	lea ecx, [edx + eax * 4 + 4]	; behind argv and its 0
	mov [environ], ecx
	xor ebp, ebp
	and esp, -16
	sub esp, 8
	push edx
	push eax
	call main
	mov [esp], eax
	call exit
;:*
