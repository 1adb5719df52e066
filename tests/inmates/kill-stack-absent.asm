; SPDX-License-Identifier: MIT
; SET_STACK on a page that is not there.  ABI.md 2.6.
; expect: bad stack page
%include "lib.inc"

main:
	call	paging_on
	HCALL	HC_SET_STACK, KDS, 0x70001000, 1
	jmp	survived
