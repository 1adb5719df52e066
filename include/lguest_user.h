/* SPDX-License-Identifier: MIT */
/*P:220 The contract between the Launcher and the Host: /dev/lguest
 *
 * A Launcher opens the device, says CREATE once, then RUN again and again from
 * the same thread.  Other threads may raise interrupts with IRQ at any time.
 * Closing the last descriptor ends the Guest and gives everything back.
 * A descriptor is good for one Guest; ANOTHER gives a Launcher that can open no
 * files any more, because it has locked itself in, a descriptor for the next one.
 *:*/
#ifndef LGUEST_USER_H
#define LGUEST_USER_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define LG_DEVICE_PATH	"/dev/lguest"
/* Changes whenever anything below does: Launcher and lg.ko must agree on it. */
#define LG_INTERFACE	9

/* CREATE.  memory: page-aligned address, in the Launcher, of guest-physical 0.
 * pages: RAM, descriptor page and rings together; all of it must be mapped
 * readable and writable.  entry: the Guest's first eip, guest-physical. */
struct lg_create {
	__u64 memory;
	__u32 pages;
	__u32 entry;
	__u32 interface;	/* LG_INTERFACE, else EPROTO */
	__u32 flags;		/* LG_CREATE_*, else EINVAL */
};

/* Keep lg_stats.ticks: 260 instructions for each stay. */
#define LG_CREATE_TIME	1
/* The same, and let nothing go from ring 3 to ring 1 or back without the Host. */
#define LG_CREATE_RINGS	2

/* RUN returns 0 with one of these, or -1 with errno EINTR (a signal: run again). */
#define LG_RUN_NOTIFY	1	/* value: the NOTIFY argument, never 0 */
#define LG_RUN_POWEROFF	2	/* text: what the Guest said, see LGUEST_POWEROFF_TEXT */
#define LG_RUN_RESTART	3	/* text: what the Guest said, possibly empty */
#define LG_RUN_KILLED	4	/* the Host ended it: code and text say why */

#define LG_RUN_DEBUG	5	/* value: 1 #DB, 3 #BP, or 0: as LG_DEBUG_STOP wished */

#define LG_TEXT_MAX	256
#define LG_CODE_MAX	12	/* "E-PT-07" */
#define LG_BY_MAX	48

struct lg_run {
	__u32 what;		/* LG_RUN_* */
	__u32 value;
	char code[LG_CODE_MAX];
	char by[LG_BY_MAX];	/* KILLED: the function of the Host that decided */
	char text[LG_TEXT_MAX];	/* always NUL-terminated, like all three */
};

/* EVENTFD: NOTIFY(gpa) signals fd and no longer leaves RUN.  First match wins;
 * fd -1 removes the binding of gpa (ENOENT if there is none). */
struct lg_eventfd {
	__u32 gpa;		/* nonzero */
	__s32 fd;
};

/* One past exit.  vector: 0..255 as the CPU has it; 256 + n: fault n inside the
 * Switcher.  number: the hypercall, when vector is 0x1f. */
struct lg_exit_record {
	__u32 vector;
	__u32 error;
	__u32 cs, eip;
	__u32 number;
	__u32 cr2;
	__u64 tsc;
};

#define LG_EXIT_RECORDS	16

struct lg_regs {
	__u32 eax, ebx, ecx, edx, esi, edi, ebp, esp;
	__u32 eip, eflags;
	__u32 cs, ds, es, fs, gs, ss;
};

/* STATE: registers at the last exit, and the exits before it, oldest first. */
struct lg_state {
	struct lg_regs regs;
	__u32 vector, error, cr2;
	__u32 cr3;		/* the Guest's: argument of the last NEW_PGTABLE, 0: linear */
	__u32 esp1, ss1;	/* SET_STACK */
	__u32 irq_pending;	/* bit n: interrupt n waits for delivery */
	__u32 halted;
	__u32 exits;		/* how many of exit[] are filled */
	__u32 pae;		/* the tables at cr3 are PAE ones */
	__u32 recorded;		/* entry is filled: the Guest has run */
	__u32 undelivered;	/* 1 + the vector that could not be delivered; 0: all could */
	__u32 undelivered_at;	/* where its frame had no place on the stack; 0: no gate */
	__u32 told_cr2;		/* of the last page fault that the Guest was told of */
	struct lg_regs entry;	/* as they were when the Guest was last entered */
	struct lg_exit_record exit[LG_EXIT_RECORDS];
};

/* Every counter the Host keeps for a Guest, by name.  The order is the ABI of
 * struct lg_stats; debugfs and --stats print the names. */
#define LG_STATS(X) \
	X(switches,		"round trips through the Switcher") \
	X(sections,		"times the CPU was made ready for a row of round trips") \
	X(irq_exits,		"exits because a real interrupt came") \
	X(nmi_exits,		"exits because an NMI came while the Guest ran") \
	X(nmi_switcher,		"NMIs that hit the Switcher itself") \
	X(entry_aborts,		"entries given up half-way for an NMI") \
	X(fixups,		"direct deliveries that hit an absent stack page") \
	X(restarts,		"exits handled twice because a page had to be fetched first") \
	X(in_emulated,		"IN instructions answered with all ones") \
	X(out_emulated,		"OUT instructions ignored") \
	X(cli_skipped,		"CLI instructions skipped") \
	X(nm_reflected,		"#NM given to the Guest") \
	X(fill_linear,		"shadow entries made before the Guest had page tables") \
	X(fill_read,		"shadow entries made for a read or a fetch") \
	X(fill_write,		"shadow entries made for a write") \
	X(fill_user,		"of the above, for ring 3") \
	X(fill_dirty,		"read-only shadow entries made writable by the first write") \
	X(fault_absent,		"page faults that the Guest's own tables explain: not present") \
	X(fault_protection,	"page faults that the Guest's own tables explain: protection") \
	X(smap_heals,		"faults mended by setting EFLAGS.AC") \
	X(smep_heals,		"faults mended by running without SMEP") \
	X(root_hits,		"NEW_PGTABLE found its shadow") \
	X(root_misses,		"NEW_PGTABLE had to start a blank shadow") \
	X(root_evictions,	"shadows thrown away to make room") \
	X(flush_user,		"FLUSH_TLB of the user part") \
	X(flush_all,		"everything dropped") \
	X(set_pte_kernel,	"SET_PTE at or above kernel_address") \
	X(set_pte_user,		"SET_PTE below kernel_address, root in the cache") \
	X(set_pte_absent,	"SET_PTE below kernel_address, root not in the cache") \
	X(set_pgd_present,	"SET_PGD on a cached root") \
	X(set_pgd_absent,	"SET_PGD on a root not in the cache") \
	X(stack_pins,		"times the ring-1 stack was made present") \
	X(tables_live,		"shadow table pages in use now") \
	X(tables_recycled,	"times the table limit was reached and shadows were dropped") \
	X(pinned_pages,		"pages of the Launcher pinned now") \
	X(irq_delivered,	"virtual interrupts delivered") \
	X(irq_at_once,		"of these, at the first look after they were raised") \
	X(irq_waited,		"looks that found the Guest's interrupts disabled") \
	X(irq_in_noirq,		"looks that found eip in the no-interrupt range") \
	X(irq_blocked,		"looks that found only interrupts that the Guest masks") \
	X(irq_no_gate,		"looks that found no gate for the interrupt") \
	X(irq_woke,		"interrupts that ended a HALT") \
	X(irq_coalesced,	"raises of an interrupt that was pending already") \
	X(irq_from_launcher,	"interrupts raised by the Launcher") \
	X(timer_armed,		"SET_CLOCKEVENT with a time") \
	X(timer_fired,		"timer expiries") \
	X(nudges,		"exits forced because an interrupt waited") \
	X(halts,		"HALTs that really slept") \
	X(notify_launcher,	"NOTIFYs handed to the Launcher") \
	X(notify_eventfd,	"NOTIFYs that signalled an eventfd") \
	X(ring_runs,		"times the asynchronous ring had work")

#define LG_STAT_ENUM(name, text) LG_STAT_##name,
enum lg_stat { LG_STATS(LG_STAT_ENUM) LG_STAT_COUNT };
#undef LG_STAT_ENUM

/* Who had the CPU, while the Launcher was in RUN and did not sleep (LG_CREATE_TIME). */
#define LG_WORLDS(W) \
	W(user,		"the Guest's programs, ring 3") \
	W(kernel,	"the Guest's kernel, ring 1") \
	W(both,		"stays in which the Guest changed between the two by itself") \
	W(switcher,	"the Switcher, there and back") \
	W(host,		"the Host, for what the Guest wanted") \
	W(away,		"Linux, from a real interrupt until the Guest went on")

#define LG_WORLD_ENUM(name, text) LG_WORLD_##name,
enum lg_world { LG_WORLDS(LG_WORLD_ENUM) LG_WORLD_COUNT };
#undef LG_WORLD_ENUM

#define LG_HYPERCALLS	20

struct lg_stats {
	__u64 scalar[LG_STAT_COUNT];
	__u64 hypercall_direct[LG_HYPERCALLS];
	__u64 hypercall_ring[LG_HYPERCALLS];
	__u64 exit_vector[256];		/* exits to the Host */
	__u64 reflected[256];		/* traps the Host gave to the Guest */
	__u64 direct[256];		/* traps the Switcher gave to the Guest */
	__u64 fatal[256];		/* traps the Guest had no gate for: 0 or 1 */
	__u64 ticks[LG_WORLD_COUNT];	/* of the TSC */
};

/*
 * DEBUG: what the next RUN is to do, and those after it until the next DEBUG; the
 * argument is a sum of these, 0 for none.  A #BP leaves eip behind the INT3; a step ends
 * before the next instruction, which may be the first of a handler.  No interrupt is
 * delivered between two steps, but with IRQS.
 */
#define LG_DEBUG_ON	1	/* #DB and #BP end RUN with LG_RUN_DEBUG */
#define LG_DEBUG_STEP	2	/* so does every instruction */
#define LG_DEBUG_STOP	4	/* once: stop before the first of them */
#define LG_DEBUG_REFLECT 8	/* once: the trap just reported goes to the Guest */
#define LG_DEBUG_IRQS	16	/* interrupts are delivered between two steps as well */

/* SHADOW: the Host's own table for the 2 MiB at gva, see SDM vol. 3, table 4-20.  Frame
 * numbers are 0 without CAP_SYS_ADMIN. */
#define LG_SHADOW_NO_ROOT 0
#define LG_SHADOW_NO_TABLE 1
#define LG_SHADOW_TABLE	2

struct lg_shadow {
	__u32 root;		/* in: GPA of the top-level table, 0: the current one */
	__u32 gva;		/* in: the low 21 bits don't matter */
	__u32 found;		/* out: LG_SHADOW_*; entry[] is zero but for the last */
	__u32 reserved;
	__u64 entry[512];
};

/* ROOTS: the address spaces that have a shadow now. */
struct lg_roots {
	__u32 count;
	__u32 current_index;
	__u32 gpa[256];
};

/* FRAMES: which of the Guest's frames from `first` on are pinned: 1, else 0; with
 * CAP_SYS_ADMIN the host-physical address in bits 12 and up as well. */
struct lg_frames {
	__u32 first;
	__u32 reserved;
	__u64 frame[512];
};

/*
 * SAVE: a Guest without its memory, RESTORE: the same again, in a Guest that has been
 * created with as many pages and has not run.  Its memory is for the Launcher to keep.
 * Nothing of the shadow is in here: it is filled again.  RESTORE believes nothing (EINVAL,
 * `why` says what), but for what can hurt the Guest alone.
 */
#define LG_SAVED_INITIALISED 1	/* LGUEST_INIT was called */
#define LG_SAVED_LINEAR	2	/* no NEW_PGTABLE yet */
#define LG_SAVED_PAE	4
#define LG_SAVED_TS	8	/* the Guest's CR0.TS */
#define LG_SAVED_HALTED	16	/* it sleeps until an interrupt comes */
#define LG_SAVED_ALL	31

#define LG_WHY_MAX	64

struct lg_snapshot {
	__u32 bytes;		/* sizeof(struct lg_snapshot) */
	__u32 interface;	/* LG_INTERFACE */
	__u32 pages;		/* CREATE's */
	__u32 flags;		/* LG_SAVED_* */
	struct lg_regs regs;
	__u32 cr3;		/* 0 if LINEAR; so are the next five if not INITIALISED */
	__u32 data_gpa;		/* of struct lguest_data */
	__u32 noirq_start, noirq_end;
	__u32 kernel_address;
	__u32 ring_cursor;	/* the next slot to be looked at */
	__u32 irqs;		/* bit n: interrupt n waits for delivery */
	__u32 timer_ns;		/* until the clock goes off, 0: it was not set */
	__u32 ss1, esp1, stack_pages;	/* SET_STACK, 0: not yet */
	__u32 tsc_khz;		/* what the Host knew of its TSC, 0: nothing */
	__u64 tsc;		/* as the Guest would have read it */
	__u64 gdt[32];		/* as the Guest asked */
	__u64 idt[256];		/* high word of LOAD_IDT_ENTRY << 32 | low word; 0: none */
	__u8 fpu[512];		/* FXSAVE, SDM vol. 1, table 10-2 */
	char why[LG_WHY_MAX];	/* out of RESTORE, for EINVAL */
};

#define LG_IOC_CREATE	_IOW('L', 0, struct lg_create)
#define LG_IOC_RUN	_IOR('L', 1, struct lg_run)
#define LG_IOC_IRQ	_IO('L', 2)		/* argument: the interrupt, 0..31 */
#define LG_IOC_EVENTFD	_IOW('L', 3, struct lg_eventfd)
#define LG_IOC_STATS	_IOR('L', 4, struct lg_stats)
#define LG_IOC_STATE	_IOR('L', 5, struct lg_state)
#define LG_IOC_INTERFACE _IO('L', 6)		/* returns LG_INTERFACE */
/* These only between two RUNs, by the thread that runs. */
#define LG_IOC_DEBUG	_IO('L', 7)		/* argument: LG_DEBUG_* */
#define LG_IOC_SET_REGS	_IOW('L', 8, struct lg_regs) /* selectors as they are */
#define LG_IOC_SHADOW	_IOWR('L', 9, struct lg_shadow)
#define LG_IOC_ROOTS	_IOR('L', 10, struct lg_roots)
#define LG_IOC_FRAMES	_IOWR('L', 11, struct lg_frames)
#define LG_IOC_SAVE	_IOR('L', 13, struct lg_snapshot) /* EBUSY: an exit is half-way done */
#define LG_IOC_RESTORE	_IOWR('L', 14, struct lg_snapshot)
/* By anybody. */
#define LG_IOC_ANOTHER	_IO('L', 12)		/* returns a new descriptor, close-on-exec */

/*
 * What the calls return, besides 0:
 *  EBUSY   CREATE twice, RUN while another thread is in RUN, RESTORE after RUN
 *  EINVAL  a value out of range, or CREATE missing
 *  EFAULT  memory that is not the caller's
 *  ENOMEM  the Host has none left, or RLIMIT_MEMLOCK does not allow the pins
 *  EPERM   RUN from another thread than the one that said CREATE
 *  EPROTO  another LG_INTERFACE
 *  ENOENT  RUN, IRQ, EVENTFD, SAVE on a Guest that is dead
 *  ENOSPC  EVENTFD when 64 are bound already
 */
#endif
