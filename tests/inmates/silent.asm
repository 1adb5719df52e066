; SPDX-License-Identifier: MIT
; A Guest that never says anything, not even LGUEST_INIT: only the time-out ends it.
; timeout: 1
; status: 5
%define NO_INIT
%include "lib.inc"
main:	jmp	main
