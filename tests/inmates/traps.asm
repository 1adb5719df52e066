; SPDX-License-Identifier: MIT
; Every trap that a program can cause, through interrupt gates and trap gates, from
; ring 1 in linear mode, from ring 1 with page tables, from ring 3: vector, error code,
; eip, cs, stack, irq_enabled.  ABI.md 4.1, 5.1 to 5.5.
%include "lib.inc"

RING1	equ 1
RING3	equ 2
SETS_TS	equ 4
PAGED	equ 8			; only with page tables
NP_DATA	equ 20			; entry of a segment that is not present, DPL 3
NP_STACK equ 21			; the same, DPL 1
NOWHERE	equ 0x70000000

struc case
.code	resd 1
.eip	resd 1
.vector	resd 1
.error1	resd 1			; error code from ring 1, from ring 3
.error3	resd 1
.flags	resd 1
.name	resd 1
endstruc

; CASE code, eip, vector, error from ring 1, error from ring 3, flags, "name"
%macro CASE 7
	dd	%1, %2, %3, %4, %5, %6, %%name
	[section .data]
%%name:	db	%7, 0
	__SECT__
%endmacro

section .rodata
align 4
cases:
	CASE	c_de, c_de.at, 0, 0, 0, RING1 | RING3, "#DE divide by zero"
	CASE	c_db, c_db.at, 1, 0, 0, RING1 | RING3, "#DB single step"
	CASE	c_bp, c_bp.at, 3, 0, 0, RING1 | RING3, "#BP int3"
	CASE	c_bp2, c_bp2.at, 3, 0, 0, RING1 | RING3, "#BP int 3, two bytes"
	CASE	c_of, c_of.at, 4, 0, 0, RING1 | RING3, "#OF into"
	CASE	c_of2, c_of2.at, 4, 0, 0, RING1 | RING3, "#OF int 4"
	CASE	c_br, c_br.at, 5, 0, 0, RING1 | RING3, "#BR bound"
	CASE	c_ud, c_ud.at, 6, 0, 0, RING1 | RING3, "#UD ud2"
	CASE	c_nm, c_nm.at, 7, 0, 0, RING1 | RING3 | SETS_TS, "#NM with TS set"
	CASE	c_np, c_np.at, 11, NP_DATA * 8, NP_DATA * 8, RING1 | RING3, "#NP absent segment"
	CASE	c_ss1, c_ss1.at, 12, NP_STACK * 8, 0, RING1, "#SS absent stack, ring 1"
	CASE	c_ss3, c_ss3.at, 12, 0, NP_DATA * 8, RING3, "#SS absent stack, ring 3"
	CASE	c_gp, c_gp.at, 13, 0x50, 0x50, RING1 | RING3, "#GP the Host's data selector"
	CASE	c_gp10, c_gp10.at, 13, 0x10, 0x10, RING1 | RING3, "#GP selector 0x10"
	CASE	c_gp18, c_gp18.at, 13, 0x18, 0x18, RING1 | RING3, "#GP selector 0x18"
	CASE	c_gpbig, c_gpbig.at, 13, 0x2000, 0x2000, RING1 | RING3, "#GP selector beyond the GDT"
	CASE	c_gpldt, c_gpldt.at, 13, 0xc, 0xc, RING1 | RING3, "#GP selector in an LDT that is not there"
	CASE	c_in, c_in.at, 13, 0, 0, RING3, "#GP in from ring 3"
	CASE	c_out, c_out.at, 13, 0, 0, RING3, "#GP out from ring 3"
	CASE	c_cli, c_cli.at, 13, 0, 0, RING3, "#GP cli from ring 3"
	CASE	c_hlt, c_hlt.at, 13, 0, 0, RING1 | RING3, "#GP hlt"
	CASE	c_i0, c_i0.at, 13, 0 * 8 + 2, 0 * 8 + 2, RING1 | RING3, "#GP int 0, gate of DPL 0"
	CASE	c_i6, c_i6.at, 13, 6 * 8 + 2, 6 * 8 + 2, RING1 | RING3, "#GP int 6"
	CASE	c_i7, c_i7.at, 13, 7 * 8 + 2, 7 * 8 + 2, RING1 | RING3, "#GP int 7"
	CASE	c_i2, c_i2.at, 13, 2 * 8 + 2, 2 * 8 + 2, RING1 | RING3, "#GP int 2"
	CASE	c_i8, c_i8.at, 13, 8 * 8 + 2, 8 * 8 + 2, RING1 | RING3, "#GP int 8"
	CASE	c_i13, c_i13.at, 13, 13 * 8 + 2, 13 * 8 + 2, RING1 | RING3, "#GP int 13"
	CASE	c_i14, c_i14.at, 13, 14 * 8 + 2, 14 * 8 + 2, RING1 | RING3, "#GP int 14"
	CASE	c_i1f, c_i1f.at, 13, 0, 0xfa, RING3, "#GP hypercall from ring 3"
	CASE	c_i21, c_i21.at, 13, 0x21 * 8 + 2, 0x21 * 8 + 2, RING1 | RING3, "#GP int 0x21"
	CASE	c_i30, c_i30.at, 13, 0x30 * 8 + 2, 0x30 * 8 + 2, RING1 | RING3, "#GP int 0x30"
	CASE	c_iff, c_iff.at, 13, 0xff * 8 + 2, 0xff * 8 + 2, RING1 | RING3, "#GP int 0xff"
	CASE	c_pfr, c_pfr.at, 14, 0, PF_USER, RING1 | RING3 | PAGED, "#PF read"
	CASE	c_pfw, c_pfw.at, 14, PF_WRITE, PF_USER | PF_WRITE, RING1 | RING3 | PAGED, "#PF write"
	CASE	c_pfs, c_pfs.at, 14, 0, PF_USER | PF_PROT, RING3 | PAGED, "#PF supervisor page"
	CASE	c_mf, c_mf.at, 16, 0, 0, RING1 | RING3, "#MF x87 exception"
	dd	0

; The code: in pages that both rings may run.
section .user
c_de:	xor	ecx, ecx
.at:	div	ecx
c_db:	pushfd
	or	dword [esp], 0x100
	popfd
	nop
.at:	nop
	ud2
c_bp:	int3
.at:	ud2
c_bp2:	db	0xcd, 3
.at:	ud2
c_of:	mov	al, 0x7f
	add	al, 1
	into
.at:	ud2
c_of2:	int	4
.at:	ud2
c_br:	mov	eax, 11
.at:	bound	eax, [bounds]
	hlt
c_ud:
.at:	ud2
c_nm:
.at:	fnop
	ud2
c_np:	mov	eax, NP_DATA * 8 + 3
.at:	mov	fs, eax
	ud2
c_ss1:	mov	eax, NP_STACK * 8 + 1
.at:	mov	ss, eax
	ud2
c_ss3:	mov	eax, NP_DATA * 8 + 3
.at:	mov	ss, eax
	ud2
c_gp:	mov	eax, 0x50
.at:	mov	fs, eax
	ud2
c_gp10:	mov	eax, 0x10
.at:	mov	fs, eax
	ud2
c_gp18:	mov	eax, 0x18
.at:	mov	fs, eax
	ud2
c_gpbig: mov	eax, 0x2000
.at:	mov	fs, eax
	ud2
c_gpldt: mov	eax, 0x0c
.at:	mov	fs, eax
	ud2
c_in:	mov	edx, 0x60
.at:	in	al, dx
	ud2
c_out:	mov	edx, 0x60
.at:	out	dx, al
	ud2
c_cli:
.at:	cli
	ud2
c_hlt:
.at:	hlt
	ud2
%macro INT_CASE 2
c_%1:
.at:	db	0xcd, %2
	ud2
%endmacro
	INT_CASE i0, 0
	INT_CASE i2, 2
	INT_CASE i6, 6
	INT_CASE i7, 7
	INT_CASE i8, 8
	INT_CASE i13, 13
	INT_CASE i14, 14
	INT_CASE i1f, 0x1f
	INT_CASE i21, 0x21
	INT_CASE i30, 0x30
	INT_CASE iff, 0xff
c_pfr:
.at:	mov	eax, [NOWHERE]
	ud2
c_pfw:
.at:	mov	[NOWHERE], eax
	ud2
c_pfs:
.at:	mov	eax, [checks]
	ud2
c_mf:	fninit
	fldcw	[unmasked]
	fld1
	fldz
	fdivp	st1
.at:	fwait
	ud2
align 4
bounds:	dd	0, 10
unmasked: dw	0x0340		; every x87 exception unmasked

section .text
main:
	HCALL	HC_LOAD_GDT, NP_DATA, 0x0000ffff, 0x00cf7200
	HCALL	HC_LOAD_GDT, NP_STACK, 0x0000ffff, 0x00cf3200
	call	user_segments

	mov	dword [paged], 0
	call	rounds1
	call	paging_on
	mov	dword [paged], PAGED
	call	rounds1
	mov	dword [ring], 3
	mov	dword [ring_bit], RING3
	call	gates
	jmp	finish

rounds1:
	mov	dword [ring], 1
	mov	dword [ring_bit], RING1
	; fall through

; All cases of this ring, through both kinds of gate, with virtual interrupts on and off.
gates:
	mov	dword [gate], GATE_INT
	mov	dword [flag], IF
	call	all_cases
	mov	dword [flag], 0
	call	all_cases
	mov	dword [gate], GATE_TRAP
	mov	dword [flag], IF
	call	all_cases
	mov	dword [flag], 0
	; fall through

all_cases:
	mov	edi, cases
.next:	mov	eax, [edi + case.code]
	test	eax, eax
	jz	.done
	mov	eax, [edi + case.flags]
	test	eax, [ring_bit]
	jz	.skip
	and	eax, PAGED
	jz	.run
	cmp	dword [paged], PAGED
	jne	.skip
.run:	call	one_case
.skip:	add	edi, case_size
	jmp	.next
.done:	ret

; edi: the case
one_case:
	pushad
	mov	[current], edi
	; The gate of the vector.  int3 and into need DPL 3 to be called by software.
	mov	eax, [edi + case.vector]
	mov	edx, [gate]
	cmp	eax, 3
	je	.dpl3
	cmp	eax, 4
	jne	.load
.dpl3:	or	edx, GATE_DPL3
.load:	mov	ecx, eax
	shl	ecx, 4
	add	ecx, trap_stubs
	push	edx
	push	ecx
	push	eax
	call	set_gate
	mov	dword [trap.vector], -1
	mov	dword [trap.error], 0xffffffff
	test	dword [edi + case.flags], SETS_TS
	jz	.nots
	HCALL	HC_TS, 8
	mov	edi, [current]
.nots:	mov	eax, [flag]
	mov	[lg + lgd.irq_enabled], eax
	cmp	dword [ring], 3
	je	.user
	mov	[want_esp], esp
	mov	[want_kesp], esp
	mov	dword [want_ss], KDS
	mov	dword [want_cs], KCS
	mov	dword [trap_resume], .back
	jmp	[edi + case.code]
.user:	mov	dword [want_esp], user_stack_top
	mov	dword [want_kesp], trap_stack_top - 8
	mov	dword [want_ss], UDS
	mov	dword [want_cs], UCS
	mov	eax, [edi + case.code]
	mov	edx, user_stack_top
	call	run_user
.back:	mov	dword [lg + lgd.irq_enabled], 0
	xor	eax, eax
	mov	fs, eax
	mov	edi, [current]
	test	dword [edi + case.flags], SETS_TS
	jz	.nots2
	HCALL	HC_TS, 0
	mov	edi, [current]
.nots2:	fnclex
	fninit

	mov	ebx, .w_vector
	mov	eax, [trap.vector]
	mov	ecx, [edi + case.vector]
	cmp	eax, ecx
	jne	.bad
	mov	ebx, .w_error
	mov	eax, [trap.error]
	mov	ecx, [edi + case.error1]
	cmp	dword [ring], 1
	je	.e
	mov	ecx, [edi + case.error3]
.e:	cmp	eax, ecx
	jne	.bad
	mov	ebx, .w_eip
	mov	eax, [trap.eip]
	mov	ecx, [edi + case.eip]
	cmp	eax, ecx
	jne	.bad
	mov	ebx, .w_cs
	mov	eax, [trap.cs]
	mov	ecx, [want_cs]
	cmp	eax, ecx
	jne	.bad
	mov	ebx, .w_esp
	mov	eax, [trap.esp]
	mov	ecx, [want_esp]
	cmp	eax, ecx
	jne	.bad
	mov	ebx, .w_ss
	mov	eax, [trap.ss]
	mov	ecx, [want_ss]
	cmp	eax, ecx
	jne	.bad
	mov	ebx, .w_kesp
	mov	eax, [trap.kesp]
	mov	ecx, [want_kesp]
	cmp	eax, ecx
	jne	.bad
	mov	ebx, .w_enabled
	mov	eax, [trap.irq_enabled]
	xor	ecx, ecx
	cmp	dword [gate], GATE_INT
	je	.i
	mov	ecx, [flag]
.i:	cmp	eax, ecx
	jne	.bad
	; Through an interrupt gate the frame shows the virtual flag.  (A trap gate may
	; have been entered directly by the CPU, which only knows the real one.)
	cmp	dword [gate], GATE_INT
	jne	.good
	mov	ebx, .w_if
	mov	eax, [trap.eflags]
	and	eax, IF
	mov	ecx, [flag]
	cmp	eax, ecx
	jne	.bad
	cmp	dword [edi + case.vector], 14
	jne	.good
	mov	ebx, .w_cr2
	mov	eax, [trap.cr2]
	mov	ecx, NOWHERE
	cmp	dword [edi + case.code], c_pfs
	jne	.cr2
	mov	ecx, checks
.cr2:	cmp	eax, ecx
	jne	.bad
.good:	mov	ebx, 0
.bad:	mov	[got], eax
	mov	[wanted], ecx
	inc	dword [checks]
	mov	eax, .ok
	test	ebx, ebx
	jz	.line
	inc	dword [failures]
	mov	eax, .notok
.line:	call	put_str
	mov	eax, .g_int
	cmp	dword [gate], GATE_INT
	je	.g
	mov	eax, .g_trap
.g:	call	put_str
	mov	eax, .f_on
	cmp	dword [flag], IF
	je	.f
	mov	eax, .f_off
.f:	call	put_str
	mov	eax, .linear
	cmp	dword [paged], 0
	je	.p
	mov	eax, .paged
.p:	call	put_str
	mov	eax, .ring
	call	put_str
	mov	eax, [ring]
	call	put_dec
	mov	dl, ' '
	call	put_char
	mov	eax, [edi + case.name]
	call	put_str
	test	ebx, ebx
	jz	.end
	mov	eax, .colon
	call	put_str
	mov	eax, ebx
	call	put_str
	mov	eax, [got]
	call	put_hex
	mov	eax, .expected
	call	put_str
	mov	eax, [wanted]
	call	put_hex
.end:	call	put_line
	popad
	ret
.ok:	db	"ok ", 0
.notok:	db	"not ok ", 0
.g_int:	db	"interrupt gate, ", 0
.g_trap: db	"trap gate, ", 0
.f_on:	db	"flag on, ", 0
.f_off:	db	"flag off, ", 0
.linear: db	"linear, ", 0
.paged:	db	"paged, ", 0
.ring:	db	"ring ", 0
.colon:	db	": ", 0
.expected: db	", expected ", 0
.w_vector: db	"vector ", 0
.w_error: db	"error code ", 0
.w_eip:	db	"eip ", 0
.w_cs:	db	"cs ", 0
.w_esp:	db	"esp ", 0
.w_ss:	db	"ss ", 0
.w_kesp: db	"end of the frame ", 0
.w_enabled: db	"irq_enabled in the handler ", 0
.w_if:	db	"IF in the frame ", 0
.w_cr2:	db	"cr2 ", 0

section .bss
current: resd	1
paged:	resd	1
ring:	resd	1
ring_bit: resd	1
gate:	resd	1
flag:	resd	1
want_esp: resd	1
want_kesp: resd	1
want_ss: resd	1
want_cs: resd	1
got:	resd	1
wanted:	resd	1
