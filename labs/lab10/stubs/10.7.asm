; SPDX-License-Identifier: GPL-2.0-only
lg_stub_hypercall:
	; Error code 0, vector 0x1f, and to save_and_leave: ring 1 is sure.
	endbr64
	jmp	save_and_leave

align 16
lg_stubs:
	; Number n at lg_stubs + 16 * n: an error code if the CPU pushed none, the number, and
	; to from_guest.
%rep 256
	align	16
	endbr64
	jmp	strict near save_and_leave
%endrep
