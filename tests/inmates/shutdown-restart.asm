; SPDX-License-Identifier: MIT
; Reason 2 starts the Guest again, from the beginning, for ever.  ABI.md 2.4.
; timeout: 2
; status: 5
; repeated: 2 ok start
%include "lib.inc"
main:
	CHECK_EQ [0x700000], 0, "start: memory is zero again"
	mov	dword [0x700000], 1
	HCALL	HC_SHUTDOWN, power_down, RESTART
	jmp	survived
