; SPDX-License-Identifier: MIT
;G:112 Two calls to begin with
;
; The first hypercall has to be LGUEST_INIT: the Host refuses to talk before it knows
; where struct lguest_data is.  The second names the page tables that boot.asm has made
; meanwhile (their physical address is in ebx already), and linear mode is over.  The Host
; gives every register back as it was.
;
%include "asm_values.inc"

extern lguest_data

section .boot progbits alloc exec nowrite align=16
; LAB 1.1 BEGIN: the first two calls, without a compiler
global lguest_first, lguest_paging
lguest_first:
	mov eax, LHCALL_LGUEST_INIT
	mov ebx, lguest_data - KERNEL_BASE
	int LGUEST_TRAP_ENTRY
	ret

lguest_paging:
	mov eax, LHCALL_NEW_PGTABLE
	int LGUEST_TRAP_ENTRY
	ret
; LAB 1.1 END
;:*
