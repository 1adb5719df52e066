; SPDX-License-Identifier: MIT
; The shared block is not in memory; the argument is its address.  ABI.md 2.3 (1).
; expect: bad guest page
; run: 1073741824
; run: 4294967000
; run: 4294967295
%define NO_INIT
%include "lib.inc"

main:
	call	lib_data
	xor	eax, eax
	call	argument_number
	HCALL	HC_INIT, eax
	jmp	survived
