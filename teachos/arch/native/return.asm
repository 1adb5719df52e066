; SPDX-License-Identifier: MIT
;G:161 The last instruction before the world goes on
;
; G:160 needs six instructions and a promise from the Host, because a Guest's interrupt
; flag is a word of memory.  Here the flag is in the frame, and `iret` restores it with
; everything else, in one step that nothing can interrupt.
;
global native_return

section .text
native_return:
	iret
;:*
