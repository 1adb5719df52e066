; SPDX-License-Identifier: MIT
; Other files call these two: they have to be `global`, and to stand in this section.
global lguest_first, lguest_paging
lguest_first:
	ret

lguest_paging:
	ret
