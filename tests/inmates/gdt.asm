; SPDX-License-Identifier: MIT
; Segments: bases, TLS, selectors with RPL 0, the fix-ups, the ignored entries, and what
; must never become a real descriptor.  ABI.md 6.
%include "lib.inc"

; DESC base, limit (20 bits), access byte, flags nibble: two dwords
%define DESC_LOW(base, limit) ((((base) & 0xffff) << 16) | ((limit) & 0xffff))
%define DESC_HIGH(base, limit, access, flags) (((base) & 0xff000000) | ((flags) << 20) | \
	((limit) & 0xf0000) | ((access) << 8) | (((base) >> 16) & 0xff))

%macro LOAD 5	; entry, base, limit, access, flags
	HCALL	HC_LOAD_GDT, %1, DESC_LOW(%2, %3), DESC_HIGH(%2, %3, %4, %5)
%endmacro

BASE1	equ 0x300000
BASE2	equ 0x310000
BASE3	equ 0x12345678 & 0x7fffff	; all bytes of the base differ

; A system descriptor must not be loadable: whatever the Host does with it, loading
; the selector faults, and a far call through it faults as well.
%macro REFUSED 2	; access byte, "name"
	HCALL	HC_LOAD_GDT, 22, (KCS << 16) | 0x1234, 0x00100000 | (%1 << 8)
	mov	eax, 22 * 8 + 1
	mov	dword [trap.vector], -1
	mov	dword [trap_resume], %%back
	mov	fs, eax
%%back:	mov	dword [trap_resume], 0
	mov	eax, [trap.vector]
	call	np_or_gp
	CHECK	e, %2
	mov	dword [trap.vector], -1
	mov	dword [trap_resume], %%back2
	jmp	22 * 8 + 1:far_target
%%back2: mov	dword [trap_resume], 0
	mov	eax, [trap.vector]
	call	np_or_gp
	CHECK	e, {%2}
%endmacro

np_or_gp:
	cmp	eax, 11
	je	.yes
	cmp	eax, 13
.yes:	ret

main:
	mov	dword [BASE1], 0x11111111
	mov	dword [BASE2], 0x22222222
	mov	dword [BASE1 + 0x100], 0x11110100
	mov	dword [BASE3], 0x33333333

	; The two that exist from the start.
	mov	eax, KDS
	mov	fs, eax
	CHECK_EQ [fs:BASE1], 0x11111111, "kernel data is flat"
	xor	eax, eax
	mov	fs, eax

	; A base of our own, DPL 0 in the descriptor: fixed up, so that ring 1 may load it.
	LOAD	27, BASE1, 0xfffff, 0x92, 0xc
	mov	eax, 27 * 8			; RPL 0, as Linux does for per-cpu data
	mov	fs, eax
	CHECK_EQ [fs:0], 0x11111111, "entry 27: base"
	HCALL	HC_FLUSH_ASYNC
	mov	eax, fs
	CHECK_EQ eax, 27 * 8, "a selector with RPL 0 comes back exactly"
	CHECK_EQ [fs:0x100], 0x11110100, "and its base with it"
	LOAD	28, BASE2, 0xfffff, 0x92, 0xc
	mov	eax, 28 * 8
	mov	gs, eax
	TRAP_BEGIN
	ud2
	TRAP_END 6, 0, "a trap with RPL 0 in fs and gs"
	mov	eax, gs
	CHECK_EQ eax, 28 * 8, "gs comes back exactly"
	CHECK_EQ [gs:0], 0x22222222, "entry 28: base"
	LOAD	26, BASE3, 0xfffff, 0x92, 0xc
	mov	eax, 26 * 8 + 1
	mov	fs, eax
	CHECK_EQ [fs:0], 0x33333333, "every byte of the base is kept"
	; The fix-up is visible: DPL 1 and accessed.
	mov	ecx, 26 * 8 + 1
	xor	eax, eax
	lar	eax, ecx
	CHECK	z, "lar works on it"
	and	eax, 0xff00
	CHECK_EQ eax, 0xb300, "DPL 0 became 1, accessed is set"
	; A DPL of 3 stays.
	LOAD	29, 0, 0xfffff, 0xf2, 0xc
	mov	ecx, 29 * 8 + 3
	lar	eax, ecx
	and	eax, 0xff00
	CHECK_EQ eax, 0xf300, "DPL 3 stays 3"
	; A reloaded descriptor takes effect with the next load.
	LOAD	27, BASE2, 0xfffff, 0x92, 0xc
	mov	eax, 27 * 8
	mov	fs, eax
	CHECK_EQ [fs:0], 0x22222222, "a changed base"

	; TLS: three at once.
	xor	eax, eax
	mov	fs, eax
	mov	gs, eax
	HCALL	HC_LOAD_TLS, tls1, 0
	mov	eax, 6 * 8 + 3
	mov	gs, eax
	CHECK_EQ [gs:0], 0x11111111, "TLS 0"
	mov	eax, 7 * 8 + 3
	mov	gs, eax
	CHECK_EQ [gs:0], 0x22222222, "TLS 1"
	mov	eax, 8 * 8 + 3
	mov	gs, eax
	CHECK_EQ [gs:0], 0x33333333, "TLS 2"
	xor	eax, eax
	mov	gs, eax
	HCALL	HC_LOAD_TLS, tls2, 0xffffffff		; the cpu number is ignored
	mov	eax, 6 * 8 + 3
	mov	gs, eax
	CHECK_EQ [gs:0], 0x22222222, "TLS 0 again"
	xor	eax, eax
	mov	gs, eax
	TRAP_BEGIN
	mov	eax, 7 * 8 + 3
	mov	gs, eax
	TRAP_END 13, 7 * 8, "an empty TLS entry cannot be loaded"

	; Ignored entries: accepted, without effect.
	LOAD	10, 0, 0xfffff, 0xf2, 0xc
	LOAD	11, 0, 0xfffff, 0xf2, 0xc
	LOAD	16, 0, 0xfffff, 0xf2, 0xc
	LOAD	31, 0, 0xfffff, 0xf2, 0xc
	%macro IGNORED 2
	TRAP_BEGIN
	mov	eax, %1 * 8 + 3
	mov	fs, eax
	TRAP_END 13, %1 * 8, %2
	%endmacro
	IGNORED	10, "entry 10 is the Host's"
	IGNORED	11, "entry 11 is the Host's"
	IGNORED	31, "entry 31 is the Host's"
	mov	dword [trap.vector], -1
	mov	dword [trap_resume], .tss
	mov	eax, 16 * 8 + 3
	mov	fs, eax
.tss:	mov	dword [trap_resume], 0
	CHECK_EQ [trap.vector], 13, "entry 16 is the Host's"

	; The other end: kernel code and data can be loaded again, unchanged.
	HCALL	HC_LOAD_GDT, 12, 0x0000ffff, 0x00cf9a00
	HCALL	HC_LOAD_GDT, 13, 0x0000ffff, 0x00cf9200
	HCALL	HC_FLUSH_ASYNC
	mov	eax, cs
	CHECK_EQ eax, KCS, "kernel code with DPL 0 is fixed up"
	mov	eax, KDS
	mov	fs, eax
	CHECK_EQ [fs:BASE1], 0x11111111, "kernel data as well"
	xor	eax, eax
	mov	fs, eax

	; A far jump into a code segment of our own with a base.
	LOAD	23, 0x1000, 0xfffff, 0x9a, 0xc
	mov	dword [returned], 0
	jmp	23 * 8 + 1:far_target - 0x1000
far_back:
	CHECK_EQ [returned], 23 * 8 + 1, "a code segment with a base"

	; System descriptors: a call gate, an interrupt gate, an LDT, TSSes, a task gate.
	REFUSED	0xec, "call gate, 32 bits"
	REFUSED	0xe4, "call gate, 16 bits"
	REFUSED	0xee, "interrupt gate"
	REFUSED	0xef, "trap gate"
	REFUSED	0xe2, "LDT"
	REFUSED	0xe9, "TSS, 32 bits"
	REFUSED	0xe1, "TSS, 16 bits"
	REFUSED	0xe5, "task gate"

	; A call gate as long mode wants it: sixteen bytes, into the Host's own code segment.
	; If it opens, the ud2 behind it runs in ring 0.
	HCALL	HC_LOAD_GDT, 23, 0, 0
	mov	edx, gate_target
	mov	ecx, edx
	and	ecx, 0xffff
	or	ecx, 0x10 << 16
	and	edx, 0xffff0000
	or	edx, 0xec00
	mov	ebx, 22
	mov	eax, HC_LOAD_GDT
	int	0x1f
	mov	ebp, esp
	mov	dword [trap.vector], -1
	mov	dword [trap_resume], .shut
	call	22 * 8 + 1:0
.shut:	mov	dword [trap_resume], 0
	mov	esp, ebp
	mov	eax, [trap.vector]
	call	np_or_gp
	CHECK	e, "a call gate of long mode is refused"

	; A code segment with L set must not give 64 bits.  The probe is "48 90": dec eax and
	; nop with 32 or 16 bits, a prefix and nop (eax keeps its value) with 64.
	mov	dword [trap_hook + 6 * 4], probed
	mov	dword [trap_hook + 11 * 4], probed
	mov	dword [trap_hook + 13 * 4], probed
	mov	dword [trap_hook + 14 * 4], probed
	call	user_segments
	call	paging_on
	LOAD	24, 0, 0xfffff, 0x9a, 0xa	; G, L
	mov	dword [probe_back], .first
	mov	eax, 5
	jmp	24 * 8 + 1:long_probe
.first:	call	not_64
	CHECK	e, "L=1, D=0 gives no 64-bit code"
	LOAD	24, 0, 0xfffff, 0x9a, 0xe	; G, D, L
	mov	dword [probe_back], .second
	mov	eax, 5
	jmp	24 * 8 + 1:long_probe
.second: call	not_64
	CHECK	e, "L=1, D=1 gives no 64-bit code"
	LOAD	24, 0, 0xfffff, 0xfa, 0xa	; the same for ring 3
	mov	dword [probe_back], .third
	mov	eax, 5
	push	dword UDS
	push	dword user_stack_top
	push	dword 0x202
	push	dword 24 * 8 + 3
	push	dword long_probe
	iret
.third:	call	not_64
	CHECK	e, "L=1 in ring 3 gives no 64-bit code"
	; And through LOAD_TLS, which is another way in.
	HCALL	HC_LOAD_TLS, tls_long, 0
	mov	dword [probe_back], .fourth
	mov	eax, 5
	jmp	6 * 8 + 1:long_probe
.fourth: call	not_64
	CHECK	e, "L=1 through LOAD_TLS gives no 64-bit code"
	HCALL	HC_LOAD_TLS, tls_gate, 0
	mov	dword [probe_back], .fifth
	mov	eax, 5
	jmp	7 * 8 + 1:long_probe
.fifth:	mov	eax, [trap.vector]
	call	np_or_gp
	CHECK	e, "a call gate through LOAD_TLS is refused"
	jmp	finish

; The probe or its jump trapped: back to ordinary code, with the probe's eax.
probed:	mov	eax, [probe_back]
	mov	[ebp + frame.eip], eax
	mov	dword [ebp + frame.cs], KCS
	test	byte [trap.cs], 2
	jz	.ring1
	mov	eax, [ebp + frame.eax]
	mov	[probe_eax], eax
	mov	esp, boot_stack_top
	jmp	[probe_back]
.ring1:	mov	eax, [ebp + frame.eax]
	mov	[probe_eax], eax
	ret

; ZF if the far jump was refused, or the code ran and lost one in eax.
not_64:	mov	eax, [trap.vector]
	call	np_or_gp
	je	.yes
	cmp	dword [probe_eax], 4
.yes:	ret

section .user
long_probe:
	db	0x48, 0x90
	ud2
section .text

gate_target:
	ud2

far_target:
	mov	[returned], cs
	jmp	KCS:far_back

section .rodata
align 4
tls1:	dd	DESC_LOW(BASE1, 0xfffff), DESC_HIGH(BASE1, 0xfffff, 0xf2, 0xc)
	dd	DESC_LOW(BASE2, 0xfffff), DESC_HIGH(BASE2, 0xfffff, 0xf2, 0xc)
	dd	DESC_LOW(BASE3, 0xfffff), DESC_HIGH(BASE3, 0xfffff, 0xf2, 0xc)
tls2:	dd	DESC_LOW(BASE2, 0xfffff), DESC_HIGH(BASE2, 0xfffff, 0xf2, 0xc)
	dd	0, 0, 0, 0
tls_long: dd	0x0000ffff, 0x00af9a00, 0, 0, 0, 0
tls_gate: dd	0, 0, (KCS << 16) | 0x1234, 0x0010ec00, 0, 0
section .bss
returned: resd	1
probe_back: resd 1
probe_eax: resd	1
