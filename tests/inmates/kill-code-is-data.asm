; SPDX-License-Identifier: MIT
; The code segment in use becomes a data segment.  ABI.md 6.
; expect: unhandled trap
; output: ds 0x69 es 0x69 fs 0x0 gs 0x0
%include "lib.inc"

main:
	HCALL	HC_LOAD_GDT, 12, 0x0000ffff, 0x00cf9200
	HCALL	HC_FLUSH_ASYNC
	jmp	survived
