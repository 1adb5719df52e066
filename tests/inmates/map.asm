; SPDX-License-Identifier: MIT
; A window with one page in each state that --map knows; tests/lib/mapped.py has the same
; list.  With an argument it stays there, to be looked at; with 2 it writes to one page later.
; memory: 32
%include "lib.inc"
%include "map.inc"
