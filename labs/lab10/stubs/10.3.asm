; SPDX-License-Identifier: GPL-2.0-only
from_guest:
	; [rsp] vector, [rsp + 8] error code, [rsp + 16] rip, [rsp + 24] cs ...
	; Ring 0: to ring0_fault.  A vector below 32 with a handler in LG_DIRECT: to
	; direct_trap, with the vector in r14d.  All else falls through.
save_and_leave:
	; rsp first, then all the registers, and CR2 to LG_CR2.  What follows is leave_guest.
