; SPDX-License-Identifier: MIT
; Life before page tables: memory maps to itself, IN gives ones, OUT gives nothing,
; privileged instructions fault.  ABI.md 1.4, 2.1, 5.4, 9.2.
%include "lib.inc"


%macro IN_TEST 3	; name, expected, instruction
	mov	eax, 0x11223344
	mov	edx, 0xabcd03f8
	%3
	CHECK_EQ eax, %2, %1
	CHECK_EQ edx, 0xabcd03f8, {%1}
%endmacro

%macro GP_TEST 2	; name, instruction: must be #GP(0)
	mov	eax, KDS
	mov	ecx, 0x174
	mov	edx, 0x3f8
	mov	ebx, scratch
	mov	esi, scratch
	mov	edi, scratch
	TRAP_BEGIN
	%2
	TRAP_END 13, 0, %1
%endmacro

main:
	; The identity map, up to the last dword of RAM.
	mov	eax, [0x2d8]
	mov	dword [eax - 4], 0xcafe0001
	CHECK_EQ [eax - 4], 0xcafe0001, "the last dword of RAM"
	mov	byte [0xa0000], 0x5a
	movzx	eax, byte [0xa0000]
	CHECK_EQ eax, 0x5a, "0xa0000 is ordinary RAM"
	CHECK_EQ [0xb8000], 0, "0xb8000 is zeroed RAM"
	CHECK_EQ [0x800000], 0, "memory starts as zero"
	mov	dword [0], 0x12344321
	CHECK_EQ [0], 0x12344321, "address 0 is writable"
	mov	dword [0], 0

	; Port input, every encoding.
	IN_TEST	"in al, imm", 0x112233ff, {in al, 0x60}
	IN_TEST	"in ax, imm", 0x1122ffff, {in ax, 0x60}
	IN_TEST	"in eax, imm", 0xffffffff, {in eax, 0x60}
	IN_TEST	"in al, dx", 0x112233ff, {in al, dx}
	IN_TEST	"in ax, dx", 0x1122ffff, {in ax, dx}
	IN_TEST	"in eax, dx", 0xffffffff, {in eax, dx}
	IN_TEST	"66 in al, dx", 0x112233ff, {db 0x66, 0xec}
	IN_TEST	"66 in al, imm", 0x112233ff, {db 0x66, 0xe4, 0x71}
	; Port output does nothing at all.
	IN_TEST	"out imm, al", 0x11223344, {out 0x80, al}
	IN_TEST	"out imm, ax", 0x11223344, {out 0x80, ax}
	IN_TEST	"out imm, eax", 0x11223344, {out 0x80, eax}
	IN_TEST	"out dx, al", 0x11223344, {out dx, al}
	IN_TEST	"out dx, ax", 0x11223344, {out dx, ax}
	IN_TEST	"out dx, eax", 0x11223344, {out dx, eax}
	IN_TEST "66 out dx, al", 0x11223344, {db 0x66, 0xee}
	CHECK_EQ [trap.total], 0, "none of these reached the Guest's handlers"

	; An instruction that straddles two pages must be fetched from both.
	mov	byte [0x400fff], 0xe4		; in al, 0x60 / ret
	mov	byte [0x401000], 0x60
	mov	byte [0x401001], 0xc3
	mov	eax, 0x11223344
	mov	edx, 0x400fff
	call	edx
	CHECK_EQ eax, 0x112233ff, "in across a page boundary"

	; cli is skipped and changes nothing, whatever irq_enabled says.
	mov	dword [lg + lgd.irq_enabled], IF
	cli
	CHECK_EQ [lg + lgd.irq_enabled], IF, "cli does not touch irq_enabled"
	mov	dword [lg + lgd.irq_enabled], 0

	; Everything else that ring 1 may not do.
	GP_TEST	"sti is #GP", {sti}
	GP_TEST	"hlt is #GP", {hlt}
	GP_TEST	"insb is #GP", {insb}
	GP_TEST	"outsb is #GP", {outsb}
	GP_TEST	"rep insb is #GP", {rep insb}
	GP_TEST	"two 66 prefixes are #GP", {db 0x66, 0x66, 0xec}
	GP_TEST	"rep in is #GP", {db 0xf3, 0xec}
	GP_TEST	"cs in is #GP", {db 0x2e, 0xec}
	GP_TEST	"rdmsr is #GP", {rdmsr}
	GP_TEST	"wrmsr is #GP", {wrmsr}
	GP_TEST	"mov cr0 is #GP", {mov cr0, eax}
	GP_TEST	"reading cr0 is #GP", {mov eax, cr0}
	GP_TEST	"reading cr2 is #GP", {mov eax, cr2}
	GP_TEST	"mov cr3 is #GP", {mov cr3, eax}
	GP_TEST	"reading cr3 is #GP", {mov eax, cr3}
	GP_TEST	"mov cr4 is #GP", {mov cr4, eax}
	GP_TEST	"mov dr7 is #GP", {mov dr7, eax}
	GP_TEST	"reading dr6 is #GP", {mov eax, dr6}
	GP_TEST	"lgdt is #GP", {lgdt [ebx]}
	GP_TEST	"lidt is #GP", {lidt [ebx]}
	GP_TEST	"lldt is #GP", {lldt ax}
	GP_TEST	"ltr is #GP", {ltr ax}
	GP_TEST	"lmsw is #GP", {lmsw ax}
	GP_TEST	"clts is #GP", {clts}
	GP_TEST	"invlpg is #GP", {invlpg [ebx]}
	; Not INVD and WBINVD: QEMU 10 lets them pass in any ring.
	mov	ecx, 0
	TRAP_BEGIN
	rdpmc
	TRAP_END 13, 0, "rdpmc is #GP"

	; popf cannot turn real interrupts off, nor change the I/O level.
	push	dword 0x3002
	popfd
	pushfd
	pop	eax
	and	eax, 0x3200
	CHECK_EQ eax, 0x200, "popf changes neither IF nor IOPL"

	; Unused arguments may be anything (ABI.md 2.2).
	HCALL	HC_FLUSH_ASYNC, 0xffffffff, 0xfffffff0, 0xdeadbeef, 0x80000001
	HCALL	HC_SEND_INTERRUPTS, 0xffffffff, 0xfffffff0, 0xdeadbeef, 0x80000001
	HCALL	HC_FLUSH_TLB, 1, 0xffffffff, 0xffffffff, 0xffffffff
	HCALL	HC_FLUSH_TLB, 0, 0xffffffff, 0xffffffff, 0xffffffff
	HCALL	HC_NOTIFY, 0, 0xffffffff, 0xffffffff, 0xffffffff
	HCALL	HC_CLOCKEVENT, 0, 0xffffffff, 0xffffffff, 0xffffffff
	CHECK_EQ eax, HC_CLOCKEVENT, "no call returns a value"
	CHECK_EQ ebx, 0, "ebx comes back"
	CHECK_EQ ecx, 0xffffffff, "ecx comes back"
	CHECK_EQ edx, 0xffffffff, "edx comes back"

	; rdtsc works in ring 1.
	rdtsc
	mov	esi, eax
	mov	edi, edx
	mov	ecx, 10
	call	spin
	rdtsc
	sub	eax, esi
	sbb	edx, edi
	CHECK	nc, "the TSC goes forward"
	jmp	finish

section .bss
scratch: resb	64
