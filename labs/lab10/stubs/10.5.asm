; SPDX-License-Identifier: GPL-2.0-only
lg_stub_syscall:
	endbr64
	; [rsp] eip, cs, eflags, esp, ss.  Not from ring 3: to syscall_to_host, rsp as it is.
	; The new esp, five words below the top, is in LG_SYSCALL_ESP.
direct_stores:
	; A fault between these two labels is expected.  Five words, 32 bits each.
direct_stores_end:
	; rsp = LG_SYSCALL_FRAME; one more in LG_DIRECT_COUNT_SYSCALL.
syscall_commit:
	; LG_NMI_PENDING is not 0: to syscall_nmi.
syscall_iret:
	iretq
syscall_commit_end:
