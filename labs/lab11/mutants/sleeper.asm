; SPDX-License-Identifier: MIT
; Never ends.
%include "lib.inc"
main:
	jmp	$
