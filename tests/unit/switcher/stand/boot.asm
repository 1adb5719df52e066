; SPDX-License-Identifier: MIT
; The stand's own assembly: from QEMU's door to C, the Host's gates, and the two ways to
; call what is on trial.
%include "offsets.inc"

BASE		equ 0xffffffff80000000
APIC_COUNT	equ 0xffff8000fee00380

extern stand_main, load_end, bss_end, host_trap, host_nmi

; ---- Multiboot (multiboot.org, version 0.6.96), addresses in the header ----------------
section .boot progbits alloc exec write align=16
bits 32
header:	dd	0x1badb002, 0x00010000, -(0x1badb002 + 0x00010000)
	dd	header, header, load_end, bss_end, boot_entry

global boot_entry
boot_entry:
	mov	esp, boot_stack.top
	mov	esi, [ebx + 16]			; the command line
	mov	dword [pml4], pdpt + 3		; the first GiB, and the same at BASE and at PHYS
	mov	dword [pml4 + 256 * 8], pdpt + 3
	mov	dword [pml4 + 511 * 8], pdpt + 3
	mov	dword [pdpt], pd + 3
	mov	dword [pdpt + 510 * 8], pd + 3
	mov	eax, 0x83			; 2 MiB pages
	xor	ecx, ecx
.page:	mov	[pd + ecx * 8], eax
	add	eax, 0x200000
	inc	ecx
	cmp	ecx, 512
	jb	.page
	mov	eax, pml4
	mov	cr3, eax
	mov	eax, 0x6a0			; PAE, PGE, OSFXSR, OSXMMEXCPT
	mov	cr4, eax
	mov	ecx, 0xc0000080			; EFER: LME, NXE
	rdmsr
	or	eax, 0x900
	wrmsr
	mov	eax, 0x80010033			; PG, WP, NE, ET, MP, PE
	mov	cr0, eax
	lgdt	[gdtr]
	jmp	0x10:.long
bits 64
.long:	mov	eax, 0x18
	mov	ds, eax
	mov	es, eax
	mov	ss, eax
	mov	rsp, main_stack.top
	mov	edi, esi
	mov	rax, 0xffff800000000000
	add	rdi, rax
	mov	rax, stand_main
	call	rax
	jmp	$

align 8
gdt:	dq	0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdtr:	dw	31
	dd	gdt
align 4096
pml4:	times 512 dq 0
pdpt:	times 512 dq 0
pd:	times 512 dq 0
boot_stack: times 64 dq 0
.top:

; ---- The Host's gates: 16 bytes each ----------------------------------------------------
section .text
default rel
global host_gates, host_nmi_gate
align 16
host_gates:
%assign v 0
%rep 256
	align	16, db 0x90
%if !(v == 8 || (v >= 10 && v <= 14) || v == 17)
	push	byte 0
%endif
	push	strict dword v
	jmp	strict near host_common
%assign v v + 1
%endrep
host_common:
	push	rax
	push	rcx
	push	rdx
	push	rsi
	push	rdi
	push	r8
	push	r9
	push	r10
	push	r11
	push	rbx
	push	rbp
	mov	rbp, rsp
	lea	rdi, [rsp + 11 * 8]
	and	rsp, -16
	cld
	call	host_trap
	mov	rsp, rbp
	pop	rbp
	pop	rbx
	pop	r11
	pop	r10
	pop	r9
	pop	r8
	pop	rdi
	pop	rsi
	pop	rdx
	pop	rcx
	pop	rax
	add	rsp, 16
	iretq

; ---- Calling what is on trial -----------------------------------------------------------
; Known values go in, and what comes out is noted down before anything else is done.

; host_in, host_out: struct host_view in stand.h
section .bss
global host_in, host_out, timer_count
alignb 16
host_in:	resq 14
host_out:	resq 14
timer_count:	resq 1
came_from:	resq 1
	resb	16384
main_stack:
.top:

section .text
extern lg_enter_guest

%macro PROLOGUE 0
	push	rbx
	push	rbp
	push	r12
	push	r13
	push	r14
	push	r15
	pushfq
	mov	[came_from], rsp
	mov	rbx, [host_in]
	mov	rbp, [host_in + 8]
	mov	r12, [host_in + 16]
	mov	r13, [host_in + 24]
	mov	r14, [host_in + 32]
	mov	r15, [host_in + 40]
	push	qword [host_in + 48]
	popfq
	mov	[host_in + 56], rsp
%endmacro

; void stand_enter(struct lg_pages *): the way in, and whatever way out.
global stand_enter, stand_back
stand_enter:
	PROLOGUE
	mov	rax, APIC_COUNT
	mov	ecx, [timer_count]
	mov	[rax], ecx
	call	lg_enter_guest
stand_back:
	mov	[host_out], rbx
	mov	[host_out + 8], rbp
	mov	[host_out + 16], r12
	mov	[host_out + 24], r13
	mov	[host_out + 32], r14
	mov	[host_out + 40], r15
	mov	[host_out + 56], rsp
	mov	rsp, [came_from]		; whatever it is worth
	pushfq
	pop	qword [host_out + 48]
	mov	[host_out + 64], ds
	mov	[host_out + 72], es
	mov	[host_out + 80], fs
	mov	[host_out + 88], gs
	mov	[host_out + 96], ss
	mov	[host_out + 104], cs
	popfq
	cld
	pop	r15
	pop	r14
	pop	r13
	pop	r12
	pop	rbp
	pop	rbx
	ret

; void stand_deliver(struct lg_pages *, const struct delivery *d, u64 cr3): as if the CPU had
; delivered an exception of the Guest, any of them, with any registers.  d lies in .both.
; The Guest's tables are in use already, but for those of its pages.
;   d: stub, words to push, those words (the last one lowest), eax ebx ecx edx esi edi ebp
global stand_deliver
stand_deliver:
	PROLOGUE
	lea	rax, [stand_back]
	push	rax				; what lg_enter_guest leaves on the stack
%assign word 0
%rep 7
	push	qword [host_in + word * 8]
%assign word word + 1
%endrep
	mov	[rdi + LG_HOST_RSP], rsp
	mov	r15, rdi
	jmp	as_if

section .both progbits alloc exec nowrite align=4096
as_if:	mov	cr3, rdx
	lea	rsp, [r15 + LG_REGS_EIP + 40]
	mov	r8, rsi
	mov	ecx, [r8 + 8]
	lea	r9, [r8 + 16]
.word:	push	qword [r9]
	add	r9, 8
	loop	.word
	mov	rax, [r8 + 80]
	mov	rbx, [r8 + 88]
	mov	rcx, [r8 + 96]
	mov	rdx, [r8 + 104]
	mov	rsi, [r8 + 112]
	mov	rdi, [r8 + 120]
	mov	rbp, [r8 + 128]
	jmp	[r8]
global delivery_here
align 16
delivery_here: times 17 dq 0			; struct delivery; written by its other address

; ---- Programs for the Guest: 32 bits, copied to where they are to run ---------------------
section .rodata
bits 32
SEEN	equ 0x20000			; struct guest_view
NEXT	equ 0x20100
TAIL	equ 0x10800			; what ends the stay: the test writes it there
global program_torture, program_torture_end
; Write down all registers, load others, and go on at TAIL.
program_torture:
	mov	[ss:SEEN], eax
	mov	[ss:SEEN + 4], ebx
	mov	[ss:SEEN + 8], ecx
	mov	[ss:SEEN + 12], edx
	mov	[ss:SEEN + 16], esi
	mov	[ss:SEEN + 20], edi
	mov	[ss:SEEN + 24], ebp
	mov	eax, ds
	mov	[ss:SEEN + 28], eax
	mov	eax, es
	mov	[ss:SEEN + 32], eax
	mov	eax, fs
	mov	[ss:SEEN + 36], eax
	mov	eax, gs
	mov	[ss:SEEN + 40], eax
	pushfd
	pop	dword [ss:SEEN + 44]
	mov	[ss:SEEN + 48], esp
	mov	ds, [ss:NEXT + 28]
	mov	es, [ss:NEXT + 32]
	mov	fs, [ss:NEXT + 36]
	mov	gs, [ss:NEXT + 40]
	push	dword [ss:NEXT + 44]
	popfd
	mov	eax, [ss:NEXT]
	mov	ebx, [ss:NEXT + 4]
	mov	ecx, [ss:NEXT + 8]
	mov	edx, [ss:NEXT + 12]
	mov	esi, [ss:NEXT + 16]
	mov	edi, [ss:NEXT + 20]
	mov	ebp, [ss:NEXT + 24]
	jmp	near $ + TAIL - 0x10000 - ($ - program_torture)
program_torture_end:

section .note.GNU-stack noalloc noexec nowrite progbits
