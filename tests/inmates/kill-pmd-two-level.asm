; SPDX-License-Identifier: MIT
; SET_PMD from a Guest whose tables have two levels.  ABI.md 2.2.
; expect: bad hypercall
%include "lib.inc"

main:
	call	paging_on
	HCALL	HC_SET_PMD, top_table, 0
	jmp	survived
