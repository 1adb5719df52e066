; SPDX-License-Identifier: MIT
; Reason 2 restarts even when the string cannot be read: an ordinary Linux `reboot'
; passes 0x40000000.  ABI.md 2.4.
; timeout: 2
; status: 5
; repeated: 2 ok start
%include "lib.inc"
main:
	CHECK_EQ [0x700000], 0, "start: memory is zero again"
	mov	dword [0x700000], 1
	HCALL	HC_SHUTDOWN, 0x40000000, RESTART
	jmp	survived
