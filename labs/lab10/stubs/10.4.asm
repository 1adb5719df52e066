; SPDX-License-Identifier: GPL-2.0-only
leave_guest:
	; The Guest's page tables, our IDT, our TSS.  Home, as the table above says.
leave_end:
	; Linux' handlers may run.  SS, the flags, and what lg_enter_guest has pushed.
