/* SPDX-License-Identifier: GPL-2.0-only */
/*H:150 What only a 64-bit Host does
 *
 * The rest of the Host speaks of eax and page tables in the abstract.  This header
 * is the border: how the Guest's registers are laid out when it is not running, and
 * which pages are mapped in both worlds.  A Host for another kind of CPU would put
 * another header here, and another Switcher.
 */
#ifndef LG_ARCH_H
#define LG_ARCH_H

/*
 * The Guest's registers between two stays, in the order in which the CPU and the
 * stubs push them.  Each slot is 64 bits because the CPU pushes 64 bits; a Guest has
 * only 32, upper halves are 0; of selectors, 16 bits count.
 */
struct lg_trap_frame {
	u64 eax, ebx, ecx, edx, esi, edi, ebp;
	u64 ds, es, fs, gs;
	u64 trapno;		/* a vector, or one of the LG_TRAP_* below */
	u64 error;		/* error code, 0 for vectors that have none */
	u64 eip, cs, eflags, esp, ss;	/* the CPU's own frame: IRETQ takes it back */
};

/* Not vectors: what the Switcher says of itself (switcher_64.asm has the same). */
#define LG_TRAP_ENTRY_IRET	0x100	/* + vector: IRETQ into the Guest faulted */
#define LG_TRAP_ENTRY_ABORT	0x200	/* an NMI turned the entry back: try again */
#define LG_TRAP_ENTRY_SEGMENT	0x300	/* + vector: a segment register faulted */
#define LG_TRAP_BUG		0x400	/* + vector: anything else in ring 0 */

#define LG_GDT_HOST_CS	2	/* 0x10: Linux' own kernel code selector */
#define LG_GDT_HOST_DS	3	/* 0x18 */
#define LG_GDT_TSS	32	/* and 33: a TSS descriptor takes 16 bytes */
#define LG_GDT_WORDS	34

/* SDM vol. 3, 8.7: the 64-bit TSS.  Nothing in it is aligned to its size. */
struct lg_tss {
	u32 reserved0;
	u64 rsp[3];
	u64 reserved1;
	u64 ist[7];
	u64 reserved2;
	u16 reserved3;
	u16 iomap_base;
} __attribute__((packed));

struct lg_desc_ptr {
	u16 limit;
	u64 base;
} __attribute__((packed, aligned(2)));

struct lg_idt_gate {
	u64 low, high;
};

/*
 * The four pages that are mapped in both worlds, beside the Switcher's text.  They
 * belong to one Guest, not to one CPU: all that depends on the CPU is filled in
 * when a section begins, so the Launcher's thread may move about as it likes.
 *
 * Page 0 is writable on the Guest's page tables, pages 1 and 2 are read-only there
 * (the CPU only reads them; the busy bit of the TSS is handled on the Host's side,
 * the accessed bits are all set in advance).  Page 3 holds the emergency stacks.
 */
struct lg_pages {
	/* Page 0 */
	u64 host_rsp;
	u64 host_cr3;
	u64 guest_cr3;
	u64 host_gs_base, host_fs_base;
	u16 host_ds, host_es, host_fs, host_gs;
	u64 host_tss_desc;		/* address of the TSS descriptor, writable alias */
	struct lg_desc_ptr host_gdtr_rw;
	struct lg_desc_ptr host_gdtr;
	struct lg_desc_ptr host_idtr;
	struct lg_desc_ptr guest_gdtr;
	struct lg_desc_ptr guest_idtr;
	u64 cr2;
	u32 nmi_pending;		/* an NMI hit the Switcher: Linux must hear of it */
	u32 esp1, ss1;			/* the Guest's ring-1 stack (SET_STACK) */
	u32 direct_flags;		/* OR-ed into EFLAGS of a direct delivery */
	u32 direct[32];			/* handler of trap n, 0: goes to the Host */
	u64 direct_count[32];
	u64 direct_count_syscall;
	u64 fixups;
	u64 nmi_switcher;
	u64 entry_aborts;
	u64 bug_rip;
	u64 spill_rax, spill_rbx;
	/* What IRETQ takes to enter the handler of int $0x80, made in advance.  The words
	 * before it are for a fault or an NMI there. */
	u64 syscall_below[16];
	struct lg_iret_frame {
		u64 rip, cs, rflags, rsp, ss;
	} syscall_frame;
	u64 scratch[64];		/* a stack for faults of the Switcher itself */
	u64 scratch_top[0];
	struct lg_trap_frame regs __attribute__((aligned(16)));
	u64 regs_end[0];		/* TSS.rsp0: the CPU pushes down from here */
	/* Page 1 */
	struct lg_idt_gate idt[256] __attribute__((aligned(4096)));
	/* Page 2 */
	u64 gdt[LG_GDT_WORDS] __attribute__((aligned(4096)));
	struct lg_tss tss;
	/* Page 3 */
	u64 ist[7][64] __attribute__((aligned(4096)));
} __attribute__((aligned(4096)));

_Static_assert(sizeof(struct lg_pages) == 4 * 4096, "four pages, one of each kind");
_Static_assert(sizeof(struct lg_tss) == 0x68, "SDM vol. 3, figure 8-11");
_Static_assert(offsetof(struct lg_pages, regs_end) % 16 == 0,
	       "the CPU aligns rsp before it pushes: the frame must not move");
_Static_assert(offsetof(struct lg_pages, regs_end) -
	       offsetof(struct lg_pages, regs.eip) == 40, "the CPU's frame is our tail");

#endif
/*:*/
