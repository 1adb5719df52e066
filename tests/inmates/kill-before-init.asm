; SPDX-License-Identifier: MIT
; A hypercall before LGUEST_INIT.  ABI.md 2.1.
; expect: before INIT
%define NO_INIT
%include "lib.inc"

main:
	HCALL	HC_FLUSH_ASYNC
	jmp	survived
