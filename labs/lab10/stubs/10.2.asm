; SPDX-License-Identifier: GPL-2.0-only
enter_segments:
	; ds, es, fs, gs.  A fault between these two labels is expected, and told to the Host.
enter_segments_end:
	; eax, ebx, ecx, edx, esi, edi, ebp: rdi and its like take the whole slot.
	; And rsp to where IRETQ finds eip, cs, eflags, esp and ss.
enter_iret:
	iretq
enter_end:
