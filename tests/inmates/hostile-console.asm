; SPDX-License-Identifier: MIT
; The rings of hostile.inc for the console's output.  The early console still works.
; output: queue 1: the chain from descriptor 0 is a loop
; output: available: descriptor 256, but there are only 256
; output: available: descriptor 65535, but there are only 256
; output: descriptor 0: next is 256, but there are only 256
; output: descriptor 0: 0x20 bytes at 0xfffffff0 are outside memory
; output: descriptor 0: 0x20 bytes at 0xfffffffffffffff0 are outside memory
; output: descriptor 0: 0x10 bytes at 0x7ffff000 are outside memory
; output: descriptor 0: 0xffffffff bytes at
; output: descriptor 0: 0x10000 bytes at
; output: descriptor 1: to be read, but after one to be written
; output: descriptor 0: indirect, which was never offered
; output: the chain is longer than 4 GiB
; output: the available index went from 0 to 257: more than the ring's 256
; repeated: 14 the Guest broke its
; output: after all that
DEVICE		equ 3
QUEUE		equ 1
PATIENCE	equ 1
%include "hostile.inc"

good:
	DESCRIPTOR 0, text, text_end - text, 0, 0
	ret

section .rodata
text:	db	"after all that", 10
text_end:
section .text
