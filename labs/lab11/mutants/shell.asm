; SPDX-License-Identifier: MIT
; Wants to be more than a Guest.
; run: 0; rmmod lg; echo done
%include "lib.inc"
main:
	CHECK_EQ esp, boot_stack_top, "the stack is mine"
	jmp	finish
