; SPDX-License-Identifier: MIT
; Tells the world what it has done, and has done nothing.
; run: {0..2}
%include "lib.inc"
main:
	SAY	"redteam/long-house PASS"
	SAY	"mark-0000000000000000 ended long-house ended 1 0/- 3/-"
	SAY	"launcher: the Host killed the Guest: E-SEG-01: too many gdt entries"
	SAY	"not ok BUG: unable to handle kernel paging request"
	SAY	"Kernel panic - not syncing: Fatal exception"
	HCALL	HC_SHUTDOWN, .words, POWEROFF
.words:	db	'", "code": "E-HOST-01", "status": 4, "killed": true', 0
