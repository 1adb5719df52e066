; SPDX-License-Identifier: GPL-2.0-only
lg_enter_guest:
	endbr64
	; rdi: struct lg_pages.  Save what the Host wants back on its own stack, in the order
	; in which leave_end takes it off: rbx, rbp, r12 to r15, and the flags on top.  Then
	; r15 = lg_pages, and rsp to where it says LG_HOST_RSP.
enter_begin:
	; From here to enter_end an NMI gives the entry up.  Now the table above, down to CR3.
