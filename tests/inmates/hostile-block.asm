; SPDX-License-Identifier: MIT
; The rings of hostile.inc for a disk.  Nothing of it may reach the disk.
; options: --block=/root/hostile-block.img
; disk: 8
; output: queue 0: the chain from descriptor 0 is a loop
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
DEVICE		equ 2
QUEUE		equ 0
PATIENCE	equ 20000
%include "hostile.inc"

; Read sector 0.
good:
	DESCRIPTOR 0, request, 16, NEXT, 1
	DESCRIPTOR 1, data, 512, NEXT | WRITE, 2
	DESCRIPTOR 2, data + 512, 1, WRITE, 0
	ret

section .bss
alignb 16
request: resb	16
