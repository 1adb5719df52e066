; SPDX-License-Identifier: MIT
; Other files need these five.  Macros, and whatever labels you like, go here as well.
global trap_stubs, syscall_stub, trap_exit
global trap_pop_segments, trap_pop_segments_end

syscall_stub:
	ud2
trap_pop_segments:
	ud2
trap_exit:
	ud2
trap_pop_segments_end:

section .rodata
trap_stubs:
	times 64 dd 0

section .text
