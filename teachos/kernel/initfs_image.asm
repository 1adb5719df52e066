; SPDX-License-Identifier: MIT
;G:472 The box itself
;
; The archive, as the Makefile packed it.  INITFS is its path.
;:*
global initfs_start, initfs_end

section .initfs progbits alloc noexec nowrite align=4
initfs_start:
	incbin INITFS
initfs_end:
