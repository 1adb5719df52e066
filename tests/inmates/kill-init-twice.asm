; SPDX-License-Identifier: MIT
; LGUEST_INIT twice.  ABI.md 2.1.
; expect: already have lguest_data
%include "lib.inc"

main:
	HCALL	HC_INIT, lg
	jmp	survived
