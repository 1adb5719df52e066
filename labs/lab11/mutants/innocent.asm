; SPDX-License-Identifier: MIT
; Harms nobody.
%include "lib.inc"
main:
	SAY	"how do you do"
	CHECK_EQ esp, boot_stack_top, "the stack is mine"
	jmp	finish
