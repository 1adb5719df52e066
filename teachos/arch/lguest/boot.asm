; SPDX-License-Identifier: MIT
;G:110 The first instruction
;
; The Launcher copied us to where our ELF headers said and the Host started us
; here: ring 1, flat segments, a stack pointer of zero.  "Linear mode": until we
; bring page tables, every virtual address is the physical one.  But our C code was
; linked 3 GiB higher.  So this little bridge builds two views of the first 8 MiB,
; one at 0 where we stand, one at 0xC0000000 where we want to be; hands them to the
; Host; and jumps from the one to the other.
;
; The first hypercall has to be LGUEST_INIT: the Host refuses to talk before it
; knows where struct lguest_data is.  Everything the Guest was given at the door is
; written down first, because the self-test compares it with what the ABI promises.
;
; Physical addresses are symbols minus KERNEL_BASE, spelled PHYS().
;
%include "asm_values.inc"

%define PHYS(symbol)	((symbol) - KERNEL_BASE)
%define BOOT_MIB	8

extern lguest_data, lguest_start
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

	mov eax, LHCALL_LGUEST_INIT
	mov ebx, PHYS(lguest_data)
	int LGUEST_TRAP_ENTRY

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
	mov eax, LHCALL_NEW_PGTABLE
	mov ebx, PHYS(boot_root)
	int LGUEST_TRAP_ENTRY

	mov esp, boot_stack_top		; and up we go
	mov eax, lguest_start
	xor ebp, ebp			; the end of every backtrace
	push ebp			; nobody to return to
	jmp eax
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
