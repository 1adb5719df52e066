; SPDX-License-Identifier: MIT
; A Guest that dies with words of its own: the Launcher says CRASH and returns 3.
; ABI.md 2.4.
; status: 3
; output: the sky fell at 04:05
%include "lib.inc"
main:
	HCALL	HC_SHUTDOWN, .words, POWEROFF
	jmp	survived
.words:	db	"the sky fell at 04:05", 0
