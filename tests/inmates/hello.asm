; SPDX-License-Identifier: MIT
; The first minute of a Guest: registers, boot parameters, LGUEST_INIT, a printed line.
; ABI.md 1.1, 1.3, 1.4, 2.3, 8.1.
; run: one two  three
; memory: 32
; output: hello from ring 1
%define NO_INIT
%include "lib.inc"

main:
	call	lib_data
	mov	eax, HC_INIT
	mov	ebx, lg
	mov	ecx, 0xdeadbeef			; junk where no argument belongs
	mov	edx, ecx
	mov	esi, ecx
	mov	edi, 0x12345678
	int	0x1f
	mov	[after], eax
	mov	[after + 4], ebx
	mov	[after + 8], edi
	call	lib_gates
	SAY	"hello from ring 1"

	CHECK_EQ [after], HC_INIT, "eax survives LGUEST_INIT"
	CHECK_EQ [after + 4], lg, "ebx survives LGUEST_INIT"
	CHECK_EQ [after + 8], 0x12345678, "edi survives LGUEST_INIT"

	CHECK_EQ [entry.eax], 0, "entry eax"
	CHECK_EQ [entry.ebx], 0, "entry ebx"
	CHECK_EQ [entry.ecx], 0, "entry ecx"
	CHECK_EQ [entry.edx], 0, "entry edx"
	CHECK_EQ [entry.esi], 0, "entry esi: boot_params"
	CHECK_EQ [entry.edi], 0, "entry edi"
	CHECK_EQ [entry.ebp], 0, "entry ebp"
	CHECK_EQ [entry.esp], 0, "entry esp"
	CHECK_EQ [entry.cs], KCS, "entry cs"
	CHECK_EQ [entry.ds], KDS, "entry ds"
	CHECK_EQ [entry.es], KDS, "entry es"
	CHECK_EQ [entry.ss], KDS, "entry ss"
	CHECK_EQ [entry.fs], 0, "entry fs"
	CHECK_EQ [entry.gs], 0, "entry gs"
	mov	eax, [entry.eflags]
	and	eax, 0x37702			; IOPL, NT, VM, TF, DF, IF; AC is the Host's own
	and	eax, ~0x10000			; and so is RF
	CHECK_EQ eax, 0x202, "entry eflags"

	movzx	eax, byte [0x1e8]
	CHECK_EQ eax, 1, "one e820 entry"
	movzx	eax, word [0x206]
	CHECK_EQ eax, 0x207, "boot protocol 2.07"
	movzx	eax, byte [0x210]
	CHECK_EQ eax, 0, "no boot loader without an initrd"
	movzx	eax, byte [0x211]
	and	eax, 0x40
	CHECK_EQ eax, 0x40, "KEEP_SEGMENTS"
	CHECK_EQ [0x228], 0x1000, "command line pointer"
	CHECK_EQ [0x230], 0x1000000, "kernel alignment"
	CHECK_EQ [0x23c], 1, "hardware_subarch is lguest"
	CHECK_EQ [0x2d0], 0, "e820 address"
	CHECK_EQ [0x2d8], 32 << 20, "e820 size"
	CHECK_EQ [0x2e0], 1, "e820 type is RAM"
	movzx	eax, byte [0x1ef]
	CHECK_EQ eax, 0, "sentinel is zero"

	mov	esi, arguments
	mov	edi, 0x1000
	mov	ecx, arguments_end - arguments
	repe	cmpsb
	CHECK	e, "arguments, joined by one space"

	mov	eax, [lg + lgd.tv_sec]
	cmp	eax, 1500000000
	CHECK	g, "wall clock is later than 2017"
	cmp	dword [lg + lgd.tv_nsec], 1000000000
	CHECK	b, "nanoseconds are below a second"
	mov	eax, [lg + lgd.reserve_mem]
	and	eax, 0x1fffff
	CHECK_EQ eax, 0, "reserve_mem is a whole number of large pages"
	cmp	dword [lg + lgd.reserve_mem], 0x8000000
	CHECK	be, "reserve_mem is modest"
	CHECK_EQ [lg + lgd.irq_pending], 0, "nothing pending"
	CHECK_EQ [lg + lgd.irq_enabled], 0, "interrupts stay as the Guest set them"
	movzx	eax, byte [lg + lgd.status]
	CHECK_EQ eax, 0xff, "the ring was not run by LGUEST_INIT"

	; The device page lies right above RAM, and the console is the last device.
	mov	ebx, 32 << 20
	xor	edx, edx
.device:
	movzx	eax, byte [ebx]
	test	eax, eax
	jz	.end
	mov	edx, eax
	call	next_device
	cmp	ebx, (32 << 20) + 4000
	jb	.device
.end:	CHECK_EQ edx, 3, "the last device is the console"
	jmp	finish

section .rodata
arguments: db	"one two three", 0
arguments_end:
section .bss
after:	resd	3
