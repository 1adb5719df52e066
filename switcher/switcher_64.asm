; SPDX-License-Identifier: GPL-2.0-only
;S:100 The Switcher
;
; Here is the bridge between two worlds.  On one bank stands Linux: 64 bits, its
; own page tables, its own idea of what happens on interrupt 32.  On the other
; bank stands the Guest: 32 bits, ring 1, and convinced that the machine is its
; own.  No instruction crosses for us, so we build the bridge plank by plank, and
; at every moment each plank must carry whoever steps on it: an interrupt, a page
; fault, or worst of all an NMI, which asks nobody.
;
; Three rules hold it all together.
;
; 1. This code is mapped at the same address on both banks.  It is the module's
;    own text, in a section of its own, and the Guest's page tables map those few
;    pages and the four pages of `struct lg_pages`, and nothing else of the Host.
;    Between the two `mov cr3` nothing outside may be touched or even called.
;
; 2. From `lidt` (ours) to `lidt` (the Host's) r15 points at struct lg_pages.  The
;    Guest runs in compatibility mode, where r8 to r15 do not exist: it can neither
;    read nor change them (SDM vol. 1, 3.4.1.1).  So each stub wakes up with its
;    bearings, and with r8 to r14 to scribble on.
;
; 3. Interrupts are off throughout, except where IRETQ turns them on together with
;    ring 1.  Only faults of ours, NMI and machine checks can happen in here.
;:*

%include "offsets.inc"

bits 64
default rel

%ifdef RETHUNK
extern __x86_return_thunk
%endif

%define KERNEL_DS	0x18		; Linux' __KERNEL_DS, and ours (see lg_pages.gdt)
%define HOST_TR		0x40		; Linux' TSS selector: GDT_ENTRY_TSS * 8
%define GUEST_TR	LG_GDT_TSS * 8
%define GUEST_CS	0x61
%define MSR_FS_BASE	0xc0000100
%define MSR_GS_BASE	0xc0000101

; EFLAGS that a gate clears when it delivers: TF, IOPL, NT, RF, VM
%define FLAGS_CLEARED	(0x00000100 | 0x00003000 | 0x00004000 | 0x00010000 | 0x00020000)
; Vectors for which the CPU pushes an error code and a Guest expects it: 8, 10-14, 17
%define GUEST_ERROR_VECTORS 0x00027d00

; What regs.trapno says when it is not a vector.  Host/x86_64/arch.h has the C side.
%define TRAP_ENTRY_IRET	0x100		; + vector: the last IRETQ faulted
%define TRAP_ENTRY_ABORT 0x200		; an NMI came before the Guest did
%define TRAP_ENTRY_SEG	0x300		; + vector: loading DS, ES, FS or GS faulted
%define TRAP_BUG	0x400		; + vector: anything else in ring 0

%define NMI		2
%define MACHINE_CHECK	18

section .lgswitcher progbits alloc exec nowrite align=4096

global lg_switcher_begin:function (lg_switcher_end - lg_switcher_begin)
global lg_switcher_end
global lg_enter_guest, lg_stubs, lg_stub_hypercall, lg_stub_syscall
global lg_stub_nmi, lg_stub_df, lg_stub_mce

lg_switcher_begin:

;S:110 Crossing over
;
; The order is the whole art.  Read the table from the top for the way in, and ask
; of each line: if a fault or an NMI came right here, who would answer, on which
; stack, on which page tables?
;
;   step                 because
;   ---------------------------------------------------------------------------
;   save rsp             every way back needs it
;   lidt  ours           first: from here to IRETQ an NMI is ours to turn back
;   lgdt  ours           0x10 and 0x18 mean the same in both GDTs: CS and SS hold
;   clear busy, ltr      LTR refuses a busy TSS, and writes the bit: so it must
;                        happen while the GDT is still mapped writable
;   rsp = scratch        a fault below must not land on the Guest's saved registers
;   cr3 = Guest          now only the Switcher and lg_pages exist of the Host
;   ds es fs gs          with the Guest's GDT; may fault: lg_enter_segments
;   general registers    by MOV, not POP: the saved copy must stay whole for a retry
;   rsp = frame, iretq   may fault: lg_enter_iret
;
; void lg_enter_guest(struct lg_pages *pages)
;   Context: interrupts off, in a section (lg_arch_section_begin), on any CPU.
;   Comes back after the next exit, on the same CPU, interrupts still off, all
;   callee-saved registers, segments and bases as they were.
align 16
; LAB 10.1 BEGIN: leaving home
lg_enter_guest:
	endbr64
	push	rbx
	push	rbp
	push	r12
	push	r13
	push	r14
	push	r15
	pushfq
	mov	r15, rdi
	mov	[r15 + LG_HOST_RSP], rsp
enter_begin:
	lidt	[r15 + LG_GUEST_IDTR]
	lgdt	[r15 + LG_GUEST_GDTR]
	and	byte [r15 + LG_GDT + GUEST_TR + 5], ~2
	mov	ecx, GUEST_TR
	ltr	cx
	lea	rsp, [r15 + LG_SCRATCH_TOP]
	mov	rcx, [r15 + LG_GUEST_CR3]
	mov	cr3, rcx
; LAB 10.1 END
; LAB 10.2 BEGIN: in disguise
enter_segments:
	mov	ds, [r15 + LG_REGS_DS]
	mov	es, [r15 + LG_REGS_ES]
	mov	fs, [r15 + LG_REGS_FS]
	mov	gs, [r15 + LG_REGS_GS]
enter_segments_end:
	mov	rax, [r15 + LG_REGS_EAX]
	mov	rbx, [r15 + LG_REGS_EBX]
	mov	rcx, [r15 + LG_REGS_ECX]
	mov	rdx, [r15 + LG_REGS_EDX]
	mov	rsi, [r15 + LG_REGS_ESI]
	mov	rdi, [r15 + LG_REGS_EDI]
	mov	rbp, [r15 + LG_REGS_EBP]
	lea	rsp, [r15 + LG_REGS_EIP]
enter_iret:
	iretq
enter_end:
; LAB 10.2 END
;:*

;S:120 Coming back
;
; Something happened in the Guest, and the CPU has pushed ss, esp, eflags, cs and
; eip where TSS.rsp0 points: exactly at the tail of lg_pages.regs.  The stub added
; error code and vector.  What is left is to save the rest and walk home.
;
;   step                 because
;   ---------------------------------------------------------------------------
;   direct?              some traps the Guest handles itself: no need to go home
;   rsp = scratch        an NMI that interrupts us returns by writing below rsp
;   save registers, cr2  as 32 bits: compatibility mode leaves the upper halves of
;                        rax to rbp undefined; the slots' upper halves stay 0
;   cr3 = Host           everything is reachable again, on OUR IDT still
;   lgdt  Host, writable LTR writes the busy bit, and the GDT that Linux runs on is
;                        mapped read-only: so take the other alias first
;   clear busy, ltr
;   lgdt  Host, real
;   segments, bases      selectors first: loading FS or GS sets the base
;   rsp
;   lidt  Host           last: Linux' handlers may now run, and find all in order
;   ss                   but for this: coming from ring 1 has left 0 in it, which does no
;                        harm.  Only now, since QEMU makes it 0 again with each NMI
;
; Never is the Host's IDT live on the Guest's page tables, nor with our TSS.
; LAB 10.3 BEGIN: taking it all down
from_guest:
	test	byte [rsp + 24], 3		; cs of the frame: ring 0 is us
	jz	ring0_fault
	mov	r14d, [rsp]
	cmp	r14d, 32
	jae	save_and_leave
	mov	r9d, [r15 + LG_DIRECT + r14 * 4]
	test	r9d, r9d
	jnz	direct_trap

save_and_leave:
	lea	rsp, [r15 + LG_SCRATCH_TOP]
	mov	[r15 + LG_REGS_EAX], eax
	mov	[r15 + LG_REGS_EBX], ebx
	mov	[r15 + LG_REGS_ECX], ecx
	mov	[r15 + LG_REGS_EDX], edx
	mov	[r15 + LG_REGS_ESI], esi
	mov	[r15 + LG_REGS_EDI], edi
	mov	[r15 + LG_REGS_EBP], ebp
	mov	[r15 + LG_REGS_DS], ds
	mov	[r15 + LG_REGS_ES], es
	mov	[r15 + LG_REGS_FS], fs
	mov	[r15 + LG_REGS_GS], gs
	mov	rax, cr2
	mov	[r15 + LG_CR2], rax
; LAB 10.3 END
; LAB 10.4 BEGIN: home again
leave_guest:
	mov	rax, [r15 + LG_HOST_CR3]
	mov	cr3, rax
	lgdt	[r15 + LG_HOST_GDTR_RW]
	mov	rax, [r15 + LG_HOST_TSS_DESC]
	and	byte [rax + 5], ~2
	mov	eax, HOST_TR
	ltr	ax
	lgdt	[r15 + LG_HOST_GDTR]
	mov	ds, [r15 + LG_HOST_DS]
	mov	es, [r15 + LG_HOST_ES]
	mov	fs, [r15 + LG_HOST_FS]
	mov	gs, [r15 + LG_HOST_GS]
	mov	ecx, MSR_GS_BASE
	mov	eax, [r15 + LG_HOST_GS_BASE]
	mov	edx, [r15 + LG_HOST_GS_BASE + 4]
	wrmsr
	mov	ecx, MSR_FS_BASE
	mov	eax, [r15 + LG_HOST_FS_BASE]
	mov	edx, [r15 + LG_HOST_FS_BASE + 4]
	wrmsr
	mov	rsp, [r15 + LG_HOST_RSP]
	lidt	[r15 + LG_HOST_IDTR]
leave_end:
	mov	eax, KERNEL_DS
	mov	ss, eax
	popfq
	pop	r15
	pop	r14
	pop	r13
	pop	r12
	pop	rbp
	pop	rbx
; LAB 10.4 END
%ifdef RETHUNK
	jmp	__x86_return_thunk		; the only word to the outside, on the Host's cr3
%else
	ret
%endif
;:*

;S:130 The short cut
;
; A system call is ring 3 asking ring 1, and both belong to the Guest.  Going home
; to Linux just to be sent back would cost ten times the call itself.  Real 32-bit
; lguest pointed the CPU's own gate at the Guest's handler.  In long mode a gate
; can only lead to 64-bit code, so we do what the CPU would have done: take the
; ring-1 stack, push the five words, and return into the handler.  The Host never hears
; of it (lg_pages.direct_count does).
;
; For a system call most of that is known beforehand: handler, stack and segments change
; only when the Guest says so, and then the Host writes them where IRETQ will find them
; (lg_pages.syscall_frame).  The flags are the same each time; a system call is no place
; to pass a carry.  What remains is to copy five words: nineteen instructions.
;
; Any store below may hit a page that the shadow tables lack.  Then we do go home:
; `ring0_fault` sees an address between direct_stores and direct_stores_end, finds
; vector and error code in r14 and r13, and lets the Host build the frame.  A fault
; pushes its own frame below rsp, over error code and vector: hence the registers.
;
;   r8 new esp   r9 handler   r10 scratch   r11 eflags   r13 error   r14 vector
align 16
; LAB 10.5 BEGIN: the short cut
lg_stub_syscall:
	endbr64
	test	byte [rsp + 8], 2		; cs: from ring 3?
	jz	syscall_to_host
	mov	r8d, [r15 + LG_SYSCALL_ESP]
direct_stores:
	mov	r10, [rsp]
	mov	[r8], r10d
	mov	r10, [rsp + 8]
	mov	[r8 + 4], r10d
	mov	r10, [rsp + 16]
	mov	[r8 + 8], r10d
	mov	r10, [rsp + 24]
	mov	[r8 + 12], r10d
	mov	r10, [rsp + 32]
	mov	[r8 + 16], r10d
direct_stores_end:
	lea	rsp, [r15 + LG_SYSCALL_FRAME]
	inc	qword [r15 + LG_DIRECT_COUNT_SYSCALL]
syscall_commit:
	cmp	dword [r15 + LG_NMI_PENDING], 0
	jne	syscall_nmi
syscall_iret:
	iretq
syscall_commit_end:
; LAB 10.5 END

; Home first after all: the frame goes where the Host looks for it.
%macro SYSCALL_FRAME_TO_REGS 0
%assign word 0
%rep 5
	mov	r8, [r15 + LG_SYSCALL_FRAME + word * 8]
	mov	[r15 + LG_REGS_EIP + word * 8], r8
%assign word word + 1
%endrep
%endmacro
syscall_nmi:
	SYSCALL_FRAME_TO_REGS
	lea	rsp, [r15 + LG_REGS_EIP]
	jmp	direct_nmi

syscall_to_host:
	push	0
	push	strict dword 0x80
	jmp	from_guest

; LAB 10.6 BEGIN: faults that stay in the family
direct_go:
	and	r11d, ~(FLAGS_CLEARED)
	or	r11d, [r15 + LG_DIRECT_FLAGS]	; IF, and AC where SMAP is on
	mov	[rsp], r9
	mov	qword [rsp + 8], GUEST_CS
	mov	[rsp + 16], r11
	mov	[rsp + 24], r8
	mov	[rsp + 32], r10
direct_commit:
	cmp	dword [r15 + LG_NMI_PENDING], 0
	jne	direct_nmi
direct_iret:
	iretq
direct_commit_end:

direct_nmi:					; an NMI came meanwhile: home first
	push	0
	push	NMI
	jmp	save_and_leave

; The same for exceptions 0 to 31 that the Guest gave a trap gate.  They may come
; from ring 1, which keeps its stack, and may have an error code.
direct_trap:
	mov	r13d, [rsp + 8]
	lea	rsp, [r15 + LG_REGS_EIP]
	mov	r11, [rsp + 16]
	test	byte [rsp + 8], 2
	jz	trap_from_ring1
	mov	r8d, [r15 + LG_ESP1]
	sub	r8d, 20
trap_stores:
	mov	r10, [rsp + 24]
	mov	[r8 + 12], r10d
	mov	r10, [rsp + 32]
	mov	[r8 + 16], r10d
	mov	r12d, [r15 + LG_SS1]
	jmp	trap_three_words
trap_from_ring1:
	mov	r8d, [rsp + 24]
	sub	r8d, 12
	mov	r12d, [rsp + 32]
trap_three_words:
	mov	r10, [rsp]
	mov	[r8], r10d
	mov	r10, [rsp + 8]
	mov	[r8 + 4], r10d
	mov	[r8 + 8], r11d
	mov	r10d, GUEST_ERROR_VECTORS
	bt	r10d, r14d
	jnc	trap_no_error
	sub	r8d, 4
	mov	[r8], r13d
trap_no_error:
trap_stores_end:
	mov	r10d, r12d
	inc	qword [r15 + LG_DIRECT_COUNT + r14 * 8]
	jmp	direct_go
; LAB 10.6 END
;:*

;S:140 When the bridge itself shakes
;
; A fault with ring 0 in its frame is a fault of the Switcher.  Where it happened
; tells what it means; four places are expected, the rest is a bug of ours.  Even
; then the Host is brought back whole, and only the Guest pays.
;
; In: [rsp] vector, [rsp + 8] error code, [rsp + 16] rip.
ring0_fault:
	mov	r8, [rsp + 16]
	lea	r9, [direct_stores]
	cmp	r8, r9
	jb	.not_direct
	lea	r9, [direct_stores_end]
	cmp	r8, r9
	jb	.syscall
	lea	r9, [trap_stores]
	cmp	r8, r9
	jb	.not_direct
	lea	r9, [trap_stores_end]
	cmp	r8, r9
	jb	.direct
	jmp	.not_direct
.syscall:
	mov	r14d, 0x80
	xor	r13d, r13d
.direct:					; the Guest's stack page is not there
	inc	qword [r15 + LG_FIXUPS]
	lea	rsp, [r15 + LG_REGS_EIP]
	push	r13
	push	r14
	jmp	save_and_leave
.not_direct:
	mov	r10, [rsp]
	mov	r11, [rsp + 8]
	lea	r9, [enter_iret]
	cmp	r8, r9
	je	.iret
	lea	r9, [direct_iret]
	cmp	r8, r9
	je	.iret
	lea	r9, [syscall_iret]
	cmp	r8, r9
	jne	.not_iret
	SYSCALL_FRAME_TO_REGS
.iret:	; General registers hold the Guest's values already; its frame is untouched.
	lea	rsp, [r15 + LG_REGS_EIP]
	push	r11
	or	r10, TRAP_ENTRY_IRET
	push	r10
	jmp	save_and_leave
.not_iret:
	mov	r12d, TRAP_ENTRY_SEG
	lea	r9, [enter_segments]
	cmp	r8, r9
	jb	.bug
	lea	r9, [enter_segments_end]
	cmp	r8, r9
	jb	.known
.bug:
	mov	[r15 + LG_BUG_RIP], r8
	mov	r12d, TRAP_BUG
.known:
	or	r10, r12
	lea	rsp, [r15 + LG_SCRATCH_TOP]
	mov	[r15 + LG_REGS_TRAPNO], r10
	mov	[r15 + LG_REGS_ERROR], r11
	mov	rax, cr2
	mov	[r15 + LG_CR2], rax
	jmp	leave_guest
;:*

;S:150 The guest who does not knock
;
; NMI ignores IF.  It can arrive between any two instructions of this file, and it
; stays blocked only until the next IRET, anybody's IRET.  The Host's own handler
; relies on that.  So:
;
;   * From its arrival until C says `int $2`, nobody may IRET.  From the Guest that
;     comes for free: the way home has none.
;   * No push in this stub: while our IDT is live with the Host's TSS (a few
;     instructions on either side), IST 2 is the HOST's NMI stack, and Linux keeps
;     notes in the words below the frame.  Spill to lg_pages instead.
;   * Hit in ring 0 on the way in: give up the entry.  The saved registers are
;     whole, as nothing but reading was done; the next try enters just the same.
;   * Hit right before the IRETQ of a direct delivery: too late for its check of
;     nmi_pending.  Turn the delivery into a full exit; the frame is complete.
;   * Hit elsewhere in ring 0: note it, and go on where we were, without IRET:
;     put rflags, rip and cs just below the interrupted rsp, POPFQ, RETF.  A far
;     return is IRET's quiet sister: it leaves NMI alone.  All code here keeps
;     those three words free.
align 16
lg_stub_nmi:
	endbr64
	test	byte [rsp + 8], 3
	jnz	.from_guest
	inc	qword [r15 + LG_NMI_SWITCHER]
	mov	dword [r15 + LG_NMI_PENDING], 1
	mov	[r15 + LG_SPILL_RAX], rax
	mov	[r15 + LG_SPILL_RBX], rbx
	mov	rbx, [rsp]			; where it hit
	lea	rax, [enter_begin]
	cmp	rbx, rax
	jb	.not_entry
	lea	rax, [enter_end]
	cmp	rbx, rax
	jae	.not_entry
	inc	qword [r15 + LG_ENTRY_ABORTS]
	mov	qword [r15 + LG_REGS_TRAPNO], TRAP_ENTRY_ABORT
	lea	rsp, [r15 + LG_SCRATCH_TOP]
	jmp	leave_guest
.not_entry:
	lea	rax, [syscall_commit]
	cmp	rbx, rax
	jb	.not_syscall
	lea	rax, [syscall_commit_end]
	cmp	rbx, rax
	jae	.not_syscall
	mov	rax, [r15 + LG_SPILL_RAX]
	mov	rbx, [r15 + LG_SPILL_RBX]
	jmp	syscall_nmi
.not_syscall:
	lea	rax, [direct_commit]
	cmp	rbx, rax
	jb	.go_on
	lea	rax, [direct_commit_end]
	cmp	rbx, rax
	jae	.go_on
	mov	rax, [r15 + LG_SPILL_RAX]
	mov	rbx, [r15 + LG_SPILL_RBX]
	lea	rsp, [r15 + LG_REGS_EIP]
	jmp	direct_nmi
.go_on:
	mov	rax, [rsp + 24]			; the interrupted rsp
	mov	[rax - 16], rbx
	mov	rbx, [rsp + 8]
	mov	[rax - 8], rbx
	mov	rbx, [rsp + 16]
	mov	[rax - 24], rbx
	lea	rsp, [rax - 24]
	mov	rax, [r15 + LG_SPILL_RAX]
	mov	rbx, [r15 + LG_SPILL_RBX]
	popfq
	o64 retf
.from_guest:
	mov	r14d, NMI
	xor	r13d, r13d
	mov	r12, rsp
; The CPU used an IST stack: bring its frame to where all others are.
;   r12 the frame, r13 error code, r14 vector
ist_to_regs:
%assign word 0
%rep 5
	mov	r8, [r12 + word * 8]
	mov	[r15 + LG_REGS_EIP + word * 8], r8
%assign word word + 1
%endrep
	mov	[r15 + LG_REGS_ERROR], r13
	mov	[r15 + LG_REGS_TRAPNO], r14
	jmp	save_and_leave

; A machine check is the Host's affair wherever it hits: C says `int $18`.
align 16
lg_stub_mce:
	endbr64
	push	0
	push	MACHINE_CHECK
	jmp	ist_common

; Two faults in one.  In ring 0 that is our bug, and IST 1 is why we can still talk.
align 16
lg_stub_df:
	endbr64
	push	8
ist_common:
	test	byte [rsp + 24], 3
	jz	ring0_fault
	mov	r14, [rsp]
	mov	r13, [rsp + 8]
	lea	r12, [rsp + 16]
	jmp	ist_to_regs
;:*

;S:160 Two hundred and fifty-six doors
;
; Every vector needs a stub, if only to say which one it was.  Each is 16 bytes, so
; C finds stub n at lg_stubs + 16 * n.  ENDBR64 is for hosts with CET: an IDT entry
; is an indirect branch, and one may be taken before CR4 is anything but the Host's.
; The hypercall gets a stub of its own: it comes from ring 1 by its gate's DPL, so
; there is nothing to check.
align 16
; LAB 10.7 BEGIN: two hundred and fifty-six doors
lg_stub_hypercall:
	endbr64
	push	0
	push	0x1f
	jmp	save_and_leave

align 16
lg_stubs:
%assign vector 0
%rep 256
	align	16
	endbr64
%if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30)
	push	byte 0				; the CPU pushed no error code
%endif
	push	strict dword vector
	jmp	strict near from_guest
%assign vector vector + 1
%endrep
; LAB 10.7 END
	endbr64				; C walks the table up to here: keeps objtool calm
	align	4096, db 0xcc		; whole pages: what follows us stays out of the Guest
lg_switcher_end:
;:*

;S:170 Passing on the mail
;
; A real interrupt that came while the Guest ran was taken from the CPU by our IDT;
; Linux still waits for it.  The interrupt controller holds it "in service" until
; Linux acknowledges, so the simplest thing in the world is also the right one:
; back home, say `int n` and let Linux' own gate take over.  `int` wants its number in
; the instruction, so there are 256 of them, 16 bytes each.
;
; STI comes right before it and takes effect right after it, so no other interrupt gets
; in between; and Linux sees what it would have seen had the interrupt come by itself: a
; kernel that had interrupts on.  (Newer ones put off some work if it had not.)
;
; void lg_int_table[256](void): called by C, on the Host's side, interrupts off,
; preemption off.  Returns with interrupts ON.
section .lgdeliver progbits alloc exec nowrite align=16
global lg_int_table:function (lg_int_table_end - lg_int_table)
lg_int_table:
%assign vector 0
%rep 256
	align	16
	endbr64
	sti
	db	0xcd, vector
%ifdef RETHUNK
	jmp	strict near __x86_return_thunk
%else
	ret
%endif
%assign vector vector + 1
%endrep
	align	16
lg_int_table_end:
;:*

; The kernel's objtool follows calls and returns to prove things about stacks.  Nothing
; here is a call or a return of that kind, so it is told not to try.
section .discard.func_stack_frame_non_standard progbits alloc noexec nowrite align=8
	dq	lg_switcher_begin
	dq	lg_int_table

section .note.GNU-stack noalloc noexec nowrite progbits
