; SPDX-License-Identifier: MIT
; The same as map with the three levels of PAE.
; memory: 32
%define PAE
%include "lib.inc"
%include "map.inc"
