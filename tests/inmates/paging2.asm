; SPDX-License-Identifier: MIT
; Page tables of two levels: faults, accessed and dirty bits, every paging call.
; ABI.md 7.
; memory: 32
%include "lib.inc"
%include "paging.inc"
