; SPDX-License-Identifier: MIT
; The same as paging2 with the three levels of PAE.  ABI.md 7.
; memory: 32
%define PAE
%include "lib.inc"
%include "paging.inc"
