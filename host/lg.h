/* SPDX-License-Identifier: GPL-2.0-only */
/*H:100 The Host
 *
 * Welcome to the engine room.  Everything here serves one sentence: the Guest thinks
 * that it is alone, and it is not.  It thinks it set up page tables: we read them and
 * make our own.  It thinks it disabled interrupts: it wrote a word in its memory, and
 * we were polite enough to look.  It thinks it is the kernel.  In ring 1, that is an
 * opinion.
 *
 * The files, one idea each, in the order in which the story goes:
 *
 *   reasons.h        how a Guest dies, and what is said at the funeral
 *   core.c           the loop: enter, come back, find out why
 *   watch.c          a stopwatch, for those who ask
 *   clock.c          the Guest's clock, its alarm, and its bed
 *   hypercalls.c     what a Guest may ask for
 *   segments.c       the GDT: the wall, because ring 1 has no other
 *   traps.c          what to do with trap n, and a few instructions we finish
 *   interrupts.c     which interrupt, when, and the five words on the stack
 *   page_tables.c    reading the Guest's tables, and filling in ours
 *   shadow.c         keeping, finding and forgetting ours
 *   debug.c          stop, look, and one step at a time
 *   snapshot.c       all of a Guest but its memory: out, and in again
 *   memory.c         borrowing the Launcher's pages
 *   device.c         /dev/lguest
 *   freeze.c         ... and what it has to do with snapshots
 *   x86_64/arch.c    all that only a 64-bit Linux needs
 *
 * hypercalls.c, segments.c, traps.c, interrupts.c, page_tables.c, shadow.c, debug.c and
 * snapshot.c are pure: they include no kernel header, sleep never, and ask the world for
 * help only through the few functions of os.h.  So the same files compile into a test
 * program, where a mistake is a line from the sanitizer and not a frozen machine.
 *:*/
#ifndef LG_H
#define LG_H

#ifdef __KERNEL__
#include <linux/types.h>
#include <linux/minmax.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <linux/compiler.h>
#else
#include "lg_userspace.h"
#endif

#include "lguest.h"
#include "lguest_user.h"
#include "reasons.h"
#include "x86_64/arch.h"

#define LG_PAGE_SHIFT	12
#define LG_PAGE_SIZE	4096u
#define LG_PAGE_OFFSET(a) ((u32)(a) & (LG_PAGE_SIZE - 1))

/* SDM vol. 1, 3.4.3: the bits of EFLAGS that we touch. */
#define LG_EFLAGS_FIXED	0x00000002u
#define LG_EFLAGS_TF	0x00000100u
#define LG_EFLAGS_IF	0x00000200u
#define LG_EFLAGS_NT	0x00004000u
#define LG_EFLAGS_RF	0x00010000u
#define LG_EFLAGS_VM	0x00020000u
#define LG_EFLAGS_AC	0x00040000u

/* SDM vol. 3, table 6-1: the exceptions that we treat in a way of their own. */
#define LG_VECTOR_DB	1
#define LG_VECTOR_NMI	2
#define LG_VECTOR_BP	3
#define LG_VECTOR_NM	7
#define LG_VECTOR_DF	8
#define LG_VECTOR_NP	11
#define LG_VECTOR_GP	13
#define LG_VECTOR_PF	14
#define LG_VECTOR_MC	18
#define LG_VECTOR_SYSCALL 0x80

/* SDM vol. 3, figure 4-12: the error code of a page fault. */
#define LG_PF_PRESENT	0x01u
#define LG_PF_WRITE	0x02u
#define LG_PF_USER	0x04u
#define LG_PF_FETCH	0x10u

/* SDM vol. 3, tables 4-5, 4-6, 4-19: entries of any level, the Guest's and ours. */
#define LG_PTE_PRESENT	0x001ull
#define LG_PTE_RW	0x002ull
#define LG_PTE_USER	0x004ull
#define LG_PTE_ACCESSED	0x020ull
#define LG_PTE_DIRTY	0x040ull
#define LG_PTE_BIT7	0x080ull	/* PS in a directory, PAT in a table */
#define LG_PTE_NX	(1ull << 63)
#define LG_PTE_FRAME	0x000ffffffffff000ull

/* Above this the Guest may map nothing (ABI.md 7.5): one 4 MiB directory slot, so
 * that no access can straddle the end of the 32-bit world. */
#define LG_RESERVE_MEM	0x400000u
#define LG_RESERVED	(0u - LG_RESERVE_MEM)

/*H:130 What the rest of the loop must do
 *
 * Most exits are dealt with at once, interrupts off, in a few dozen instructions.
 * Now and then something is missing that only a sleeping kernel can provide: a page
 * of the Launcher that was never touched, memory for a table.  Then a function says
 * what it wants (lg->want) and returns LG_AGAIN; the loop gets it, and calls for the
 * very same exit once more.  So every handler is written to be run twice: look at
 * everything first, change things last.
 */
enum lg_result {
	LG_RESUME,	/* done: back into the Guest */
	LG_AGAIN,	/* get lg->want, then handle this exit again from the start */
	LG_OUT,		/* done, but the loop has something to do: sleep, tell, bury */
};

enum lg_want {
	LG_WANT_NOTHING,
	LG_WANT_FRAME,	/* frame lg->want_pfn */
	LG_WANT_TABLES,	/* a few free shadow tables */
	LG_WANT_DATA,	/* struct lguest_data, at lg->data_gpa, mapped for us */
	LG_WANT_NOTIFY,	/* NOTIFY(lg->notify) to be passed on */
	LG_WANT_DEBUG,	/* the Launcher's debugger to have a look, see lg->debug_trap */
};
/*:*/

/* How a page fault ended, for the tracepoint; it is the counters fill_* and fault_* that
 * say more, and was and now. */
#define LG_FAULTS(X) \
	X(FILL,		"fill") \
	X(STACK,	"stack") \
	X(ABSENT,	"absent") \
	X(PROTECTION,	"protection")
#define LG_FAULT_ENUM(name, text) LG_FAULT_##name,
enum lg_fault { LG_FAULTS(LG_FAULT_ENUM) LG_FAULT_COUNT };
#undef LG_FAULT_ENUM
#define LG_FAULT_NAME(name, text) { LG_FAULT_##name, text },

/* A gate of the Guest's IDT, as far as we keep it (ABI.md 5.1). */
struct lg_gate {
	u32 offset;
	bool present;
	u8 type;		/* LG_GATE_* */
	u8 dpl;
};
#define LG_GATE_INTERRUPT 0xe
#define LG_GATE_TRAP	0xf

/* One page of shadow table.  Number 0 means "none". */
struct lg_table {
	u64 *entry;		/* 512 of them; all zero while the table is free */
	u16 low, high;		/* the entries that may be nonzero; low > high: none */
	u16 next;		/* free list */
};
#define LG_TABLES	2048	/* what 11 spare bits of an entry can number: 8 MiB */
#define LG_TABLES_LEAST	16	/* any one instruction gets along with these */
#define LG_TABLE_ENTRIES 512

/* The shadow of one address space: four tables of the second level (1 GiB each). */
struct lg_root {
	u32 gpa;		/* the Guest's top-level table: the key */
	bool used;
	u16 next;		/* hash chain */
	u16 pd[4];
	u64 stamp;		/* when it was last current */
};
#define LG_ROOTS	256	/* entry 0 is the one of linear mode */
#define LG_ROOT_HASH	256

/*
 * A Guest, as the pure part of the Host sees it.  One CPU, one thread: whoever runs
 * it owns all of this, but for what is marked.
 */
struct lguest {
	/* Hot: every exit */
	struct lg_pages *pages;		/* registers, GDT, IDT: shared with the Switcher */
	struct lguest_data *data;	/* the Guest's page, NULL before LGUEST_INIT */
	u32 irqs;			/* raised, not delivered; atomic, by anybody */
	u32 irqs_seen;			/* of these, the ones we have looked at */
	u32 ring_cursor;
	bool initialised;
	bool linear;			/* no NEW_PGTABLE yet */
	bool pae;
	bool ts;			/* the Guest's CR0.TS */
	bool halted;
	bool stack_unpinned;		/* the ring-1 stack may be absent from the shadow */
	u8 stack_pages;
	bool debug;			/* #DB and #BP are the debugger's first (debug.c) */
	bool debug_step, debug_stop, debug_irqs;
	u8 debug_trap;			/* of the last stop: 1, 3, or 0 */
	u8 debug_reflect;		/* the Guest is to have this one */
	bool watched;			/* one of watch.time, watch.rings */
	u32 noirq_start, noirq_end;
	u32 exits;			/* counts; exit_record is a ring */

	/* What we want from the loop */
	enum lg_want want;
	u32 want_pfn;
	u32 data_gpa;
	u32 notify;

	/* Memory */
	u32 pfn_limit;
	void **frame;			/* our address of each pinned frame, or NULL */

	/* Shadow page tables (shadow.c) */
	u32 cr3;			/* the Guest's */
	u32 kernel_address;
	u32 shared;			/* from this GiB up, all roots share kernel_pd[] */
	u64 *pdpt;			/* the four entries that the CPU sees */
	u16 kernel_pd[4];
	u16 current_root;
	u16 free_table;
	u16 free_tables;
	u16 tables;			/* ever allocated */
	u16 table_limit;
	u64 clock;			/* for lg_root.stamp */
	u16 root_hash[LG_ROOT_HASH];
	struct lg_root root[LG_ROOTS];
	struct lg_table table[LG_TABLES];

	struct lg_gate idt[256];
	u64 gdt[LGUEST_GDT_ENTRIES];	/* as the Guest asked; pages->gdt is what is real */

	/* What the CPU under us does (x86_64/arch.c) */
	bool smap;			/* CR4.SMAP is on: ring 1 needs EFLAGS.AC */
	bool smep;			/* CR4.SMEP is on */
	bool smap_off, smep_off;	/* this Guest must run without it */

	/* Restored from a snapshot, with a TSC for a clock that was another one (H:794) */
	struct lg_moved {
		bool yes;		/* CR4.TSD is on while the Guest runs */
		u32 khz, khz_here;	/* its clock's rate, this machine's (0: not known) */
		u64 tsc, tsc_here;	/* the same moment by both */
	} moved;

	/* The end */
	u32 over;			/* 0, or LG_RUN_POWEROFF, _RESTART, _KILLED */
	enum lg_reason reason;
	const char *killed_by;		/* the function that said so */
	u32 undelivered;		/* 1 + the vector that could not be delivered, or 0 */
	u32 undelivered_at;		/* the word of its frame that had no place; 0: no gate */
	char text[LG_TEXT_MAX];

	struct lg_watch {		/* watch.c */
		bool time;		/* LG_CREATE_TIME */
		bool rings;		/* LG_CREATE_RINGS */
		bool let_out;		/* this IRET may enter ring 3 */
		bool away;		/* the last stay ended for Linux' sake */
		u32 switcher;		/* ticks of a trip that executes nothing */
		u32 trip;		/* the Switcher's part of the last one */
		u64 in, out;		/* TSC before and after it */
		u64 direct;		/* lg_direct_traps() after it */
		u64 since;		/* we have had the CPU since then, 0: not all the time */
	} watch;
	struct lg_trap_frame entry_regs; /* at the last entry */
	struct lg_exit_record exit_record[LG_EXIT_RECORDS];
	struct lg_stats stats;
};

#define lg_count(lg, name)	((lg)->stats.scalar[LG_STAT_##name]++)

static inline struct lg_trap_frame *lg_regs(struct lguest *lg)
{
	return &lg->pages->regs;
}

/* For the obituary, which tells what has changed.  Two dozen instructions for each entry. */
static inline void lg_note_entry(struct lguest *lg)
{
	lg->entry_regs = *lg_regs(lg);
}

/* The privilege level the Guest was at: 1 or 3. */
static inline unsigned int lg_cpl(struct lguest *lg)
{
	return lg_regs(lg)->cs & 3;
}

/* hypercalls.c */
enum lg_result lg_hypercall(struct lguest *lg);
enum lg_result lg_read(struct lguest *lg, u32 gpa, void *to, u32 len);
bool lg_range_ok(struct lguest *lg, u32 gpa, u32 len);

/* segments.c */
void lg_segments_init(struct lguest *lg);
u64 lg_sanitise_descriptor(u64 descriptor);
void lg_load_gdt_entry(struct lguest *lg, u32 entry, u32 low, u32 high);
enum lg_result lg_load_tls(struct lguest *lg, u32 gpa);
u32 lg_segment_base(struct lguest *lg, u32 selector);

/* traps.c */
enum lg_result lg_handle_exit(struct lguest *lg);
void lg_note_exit(struct lguest *lg);
void lg_load_idt_entry(struct lguest *lg, u32 vector, u32 low, u32 high);
void lg_show_gate(struct lguest *lg, u32 vector);
void lg_set_stack(struct lguest *lg, u32 ss, u32 esp, u32 pages);
bool lg_trap_has_error(unsigned int vector);

/* interrupts.c */
void lg_irq_raise(struct lguest *lg, unsigned int irq);
bool lg_irq_would_wake(struct lguest *lg);
enum lg_result lg_before_entry(struct lguest *lg);
enum lg_result lg_deliver(struct lguest *lg, unsigned int vector, bool has_error, u32 error);

/* page_tables.c */
enum lg_result lg_page_fault(struct lguest *lg, u32 gva, u32 error);
enum lg_result lg_guest_address(struct lguest *lg, u32 gva, bool write, void **address);
enum lg_result lg_pin_stack(struct lguest *lg);
void lg_set_pte(struct lguest *lg, u32 root_gpa, u32 gva, u64 pte);

/* shadow.c */
void lg_shadow_init(struct lguest *lg);
void lg_shadow_kernel_address(struct lguest *lg, u32 kernel_address);
enum lg_result lg_new_pgtable(struct lguest *lg, u32 gpa);
void lg_set_pgd(struct lguest *lg, u32 root_gpa, u32 index);
void lg_flush_user(struct lguest *lg);
void lg_flush_all(struct lguest *lg);
void lg_recycle_tables(struct lguest *lg);
void lg_add_table(struct lguest *lg, u64 *page);
struct lg_root *lg_find_root(struct lguest *lg, u32 gpa);
u64 *lg_shadow_find(struct lguest *lg, struct lg_root *root, u32 gva);
u64 *lg_shadow_make(struct lguest *lg, u32 gva, u64 directory_flags);

/* debug.c */
void lg_debug_set(struct lguest *lg, u32 flags);
bool lg_debug_set_regs(struct lguest *lg, const struct lg_regs *to);
enum lg_result lg_debug_before_entry(struct lguest *lg);
bool lg_debug_exit(struct lguest *lg);
void lg_debug_exit_done(struct lguest *lg, u32 eip);
void lg_debug_shadow(struct lguest *lg, struct lg_shadow *s, bool show_frames);
void lg_debug_roots(struct lguest *lg, struct lg_roots *roots);

/* snapshot.c */
void lg_save(struct lguest *lg, struct lg_snapshot *s);
const char *lg_saved_wrong(struct lguest *lg, const struct lg_snapshot *s);
void lg_restore(struct lguest *lg, const struct lg_snapshot *s);
u64 lg_tsc(const struct lguest *lg);

#include "os.h"

/* The Guest is dead of a trap that could not be delivered; see struct lg_state. */
static inline enum lg_result lg_undelivered(struct lguest *lg, unsigned int vector, u32 at)
{
	lg->undelivered = vector + 1;
	lg->undelivered_at = at;
	return LG_OUT;
}

/* Ask the loop for frame pfn (which must be below pfn_limit), and try again. */
static inline enum lg_result lg_want_frame(struct lguest *lg, u32 pfn)
{
	lg->want = LG_WANT_FRAME;
	lg->want_pfn = pfn;
	return LG_AGAIN;
}

#endif
