; SPDX-License-Identifier: MIT
;G:113 The same door, without a doorman
;
; What is above in arch/lguest/boot.asm two hypercalls, is here what the Host does when it
; gets them: look whether the processor has all that we need, switch on PAE if our tables
; are of that kind, tell CR3 where they are, and throw the big switch in CR0.  Bit 16 there,
; WP, makes a read-only page read-only for the kernel, too; ring 1 cannot have it otherwise.
;
; The twelve bytes at the front are for the boot loader: it looks for the magic number in
; the first 8 KiB of the file (Multiboot Specification 0.6.96, section 3.1), and the sum
; of the three words is 0.  It leaves its own notes somewhere in memory that we are going
; to give away, so they are copied before anything else.
;
; If the processor is too old there is no C yet to say so.  A few lines speak to whoever
; listens: the screen, whose memory begins at 0xb8000, and the serial line at port 0x3f8.
;
%include "asm_values.inc"

%define PHYS(symbol)	((symbol) - KERNEL_BASE)
%define HEADER_FLAGS	3		; modules on page boundaries; tell us about memory
%define CR0_PAGING	0x80010000	; PG and WP
%define CR4_PAE		0x20
; CPUID leaf 1, edx: FPU, TSC, CMOV, FXSR, SSE; and PAE
%define NEEDED		(1 << 0 | 1 << 4 | 1 << 15 | 1 << 24 | 1 << 25)
%define INFO_WORDS	29
%define INFO_CMDLINE	16
%define INFO_LOADER	64

global native_first, native_paging, multiboot_info, multiboot_line, multiboot_loader

section .multiboot progbits alloc noexec nowrite align=4
	dd MULTIBOOT_HEADER
	dd HEADER_FLAGS
	dd -(MULTIBOOT_HEADER + HEADER_FLAGS)

section .boot progbits alloc exec nowrite align=16
native_first:
	mov esi, ebx
	mov edi, PHYS(multiboot_info)
	mov ecx, INFO_WORDS
	rep movsd
	mov esi, [ebx + INFO_CMDLINE]	; where there is none, C knows from the flags
	mov edi, PHYS(multiboot_line)
	mov ecx, MULTIBOOT_LINE / 4
	rep movsd
	mov esi, [ebx + INFO_LOADER]
	mov edi, PHYS(multiboot_loader)
	movsd
	movsd

	mov eax, 1
	cpuid
	not edx
%ifdef CONFIG_PAE
	test edx, NEEDED | 1 << 6
%else
	test edx, NEEDED
%endif
	jnz too_old
	ret

native_paging:
%ifdef CONFIG_PAE
	mov eax, cr4
	or eax, CR4_PAE
	mov cr4, eax
%endif
	mov cr3, ebx
	mov eax, cr0
	or eax, CR0_PAGING
	mov cr0, eax
	ret

too_old:
	mov esi, PHYS(sorry)
	mov edi, 0xb8000
	mov ah, 0x07			; grey on black
	mov dx, 0x3f8
.next:	lodsb
	out dx, al			; a machine without a UART does not mind
	stosw
	test al, al
	jnz .next
.stop:	cli
	hlt
	jmp .stop
;:*
section .rodata
%ifdef CONFIG_PAE
sorry:	db "TeachOS needs a processor with TSC, CMOV, FXSR, SSE and PAE; this one lacks some.", 0
%else
sorry:	db "TeachOS needs a processor with TSC, CMOV, FXSR and SSE; this one lacks some.", 0
%endif

section .bss
alignb 4
multiboot_info:	resd INFO_WORDS
multiboot_line:	resb MULTIBOOT_LINE
multiboot_loader: resb 8
