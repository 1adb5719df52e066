; SPDX-License-Identifier: MIT
;G:800 Where a program begins
;
; exec leaves argc on the stack and the pointers above it.  main wants them as
; arguments; what main returns, exit gets.
;
global _start
extern main, exit

section .text
_start:
	mov eax, [esp]
	lea edx, [esp + 4]
	xor ebp, ebp
	and esp, -16
	sub esp, 8
	push edx
	push eax
	call main
	mov [esp], eax
	call exit
;:*
