; SPDX-License-Identifier: MIT
;G:110 The first instruction
;
; Somebody copied us to where our ELF headers said, and jumped.  Who?  Two kinds of
; world begin here, with the same file, and the first question is in which one we woke
; up.  A boot loader that keeps to the Multiboot standard says a magic number in eax, and
; then this is a bare machine: ring 0, paging off, everything ours.  The Host of lguest
; says nothing (eax is 0), and then we are in ring 1, in "linear mode": until we bring
; page tables, every virtual address is the physical one.
;
; So both see physical addresses at first, but our C code was linked 3 GiB higher.  This
; little bridge builds two views of the first 8 MiB, one at 0 where we stand, one at
; 0xC0000000 where we want to be; has them put in force, by whoever can do that; and
; jumps from the one to the other.
;
; Everything we were given at the door is written down first: the Multiboot loader's
; ebx is an address that we need, and the self-test compares what a Guest was given with
; what the ABI promises.
;
; Physical addresses are symbols minus KERNEL_BASE, spelled PHYS().
;
%include "asm_values.inc"

%define PHYS(symbol)	((symbol) - KERNEL_BASE)
%define BOOT_MIB	8

extern lguest_first, lguest_paging, lguest_start
extern native_first, native_paging, native_start
global start, boot_registers, boot_stack_top, boot_root

section .boot progbits alloc exec nowrite align=16
start:
	mov [PHYS(boot_registers) + 0], eax
	mov [PHYS(boot_registers) + 4], ebx
	mov [PHYS(boot_registers) + 8], ecx
	mov [PHYS(boot_registers) + 12], edx
	mov [PHYS(boot_registers) + 16], esi
	mov [PHYS(boot_registers) + 20], edi
	mov [PHYS(boot_registers) + 24], ebp
	mov [PHYS(boot_registers) + 28], esp
	mov esp, PHYS(boot_stack_top)
	pushf
	pop dword [PHYS(boot_registers) + 32]
	mov [PHYS(boot_registers) + 36], cs
	mov [PHYS(boot_registers) + 40], ds
	mov [PHYS(boot_registers) + 44], es
	mov [PHYS(boot_registers) + 48], fs
	mov [PHYS(boot_registers) + 52], gs
	mov [PHYS(boot_registers) + 56], ss
	cld

	cmp eax, MULTIBOOT_LOADED
	je .machine
	call lguest_first
	call build_tables
	mov ebx, PHYS(boot_root)
	call lguest_paging
	mov eax, lguest_start
	jmp .up
.machine:
	call native_first
	call build_tables
	mov ebx, PHYS(boot_root)
	call native_paging
	mov eax, native_start
.up:	mov esp, boot_stack_top		; and up we go
	xor ebp, ebp			; the end of every backtrace
	push ebp			; nobody to return to
	jmp eax

build_tables:
	; One run of entries that maps 0..8 MiB, tables laid side by side.
	mov edi, PHYS(boot_tables)
	mov eax, PTE_KERNEL
	mov ecx, BOOT_MIB * 256
.entry:	mov [edi], eax
%ifdef CONFIG_PAE
	mov dword [edi + 4], 0
	add edi, 8
%else
	add edi, 4
%endif
	add eax, 4096
	loop .entry

%ifdef CONFIG_PAE
	; Four tables of 2 MiB under one directory; the PDPT names it twice.
	mov edi, PHYS(boot_directory)
	mov eax, PHYS(boot_tables) + DIR_BOOT
	mov ecx, BOOT_MIB / 2
.table:	mov [edi], eax
	add edi, 8
	add eax, 4096
	loop .table
	mov eax, PHYS(boot_directory) + 1
	mov [PHYS(boot_root) + 0 * 8], eax
	mov [PHYS(boot_root) + KERNEL_TOP_INDEX * 8], eax
%else
	mov eax, PHYS(boot_tables) + DIR_BOOT
	mov edi, PHYS(boot_root)
	xor ecx, ecx
.table:	mov [edi + ecx * 4], eax
	mov [edi + KERNEL_TOP_INDEX * 4 + ecx * 4], eax
	add eax, 4096
	inc ecx
	cmp ecx, BOOT_MIB / 4
	jne .table
%endif
	ret
;:*

section .bss
alignb 4096
boot_root:	resb 4096
%ifdef CONFIG_PAE
boot_directory:	resb 4096
%endif
boot_tables:	resb BOOT_MIB * 256 * PTE_BYTES
boot_stack:	resb 8192
boot_stack_top:
boot_registers:	resd 15
