; SPDX-License-Identifier: MIT
; INT n through gates that allow it, for vectors that otherwise belong to exceptions: no
; error code, whatever the exception would have (SDM vol. 3, 6.4.4), through both kinds of
; gate.  ABI.md 5.1, 5.2.
%include "lib.inc"

; vector, flags of the gate, what kind it is
%macro SOFT 3
	SET_GATE %1, handler, %2 | GATE_DPL3
	xor	edi, edi
	mov	esi, esp
	int	%1
%%next:
%defstr number %1
%strcat text %3, " gate, int ", number
%strcat stack text, ": the stack is as before"
	CHECK_EQ edi, %%next, text
	mov	ebp, esp
	CHECK_EQ ebp, esi, stack
	SET_GATE %1, trap_stubs + %1 * 16, GATE_INT
%endmacro

main:
%assign vector 9
%rep 11
%if vector != 13 && vector != 14 && vector != 15 && vector != 18
	SOFT	vector, GATE_INT, "interrupt"
	SOFT	vector, GATE_TRAP, "trap"
%endif
%assign vector vector + 1
%endrep
	jmp	finish

; Where it came from, read off a frame without an error code.
handler:
	mov	edi, [esp]
	iret
