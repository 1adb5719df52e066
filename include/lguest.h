/* SPDX-License-Identifier: MIT */
/*P:200 The contract between a Guest and the Host
 *
 * The hypercalls, and the one structure of Guest memory that both of them write.
 *
 * Everything here is fixed: Guests that we never met were built against these
 * numbers (the 2011 lguest ABI, Linux 3.1 to 3.18).  The _Static_asserts at the
 * end are the values such a Guest was compiled with.
 *:*/
#ifndef LGUEST_H
#define LGUEST_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stddef.h>
#include <stdint.h>
#endif

/* ---- The doorbell --------------------------------------------------------
 * `int $0x1f` from ring 1, number in eax, arguments in ebx, ecx, edx, esi.
 * No hypercall returns a value; no hypercall can fail.  What would be an error
 * anywhere else is, here, the end of the Guest.
 */
#define LGUEST_TRAP_ENTRY	0x1f

#define LHCALL_FLUSH_ASYNC	0	/* nothing itself: but the ring is run */
#define LHCALL_LGUEST_INIT	1	/* GPA of struct lguest_data */
#define LHCALL_SHUTDOWN		2	/* GPA of a string, LGUEST_SHUTDOWN_* */
#define LHCALL_NEW_PGTABLE	4	/* GPA of the top-level table */
#define LHCALL_FLUSH_TLB	5	/* 0: user part of the current table; else all */
#define LHCALL_LOAD_IDT_ENTRY	6	/* vector, low word, high word */
#define LHCALL_SET_STACK	7	/* ss, esp (GVA just past the stack), pages */
#define LHCALL_TS		8	/* 0: clear CR0.TS; else: set it */
#define LHCALL_SET_CLOCKEVENT	9	/* nanoseconds from now, 0: cancel */
#define LHCALL_HALT		10	/* sleep until an interrupt can be delivered */
#define LHCALL_SET_PMD		13	/* GPA of the PMD page, index (PAE) */
#define LHCALL_SET_PTE		14	/* GPA of top-level table, GVA, PTE low, PTE high */
#define LHCALL_SET_PGD		15	/* GPA of top-level table, index */
#define LHCALL_LOAD_TLS		16	/* GPA of three descriptors, cpu (ignored) */
#define LHCALL_NOTIFY		17	/* GPA: the Launcher decides what it means */
#define LHCALL_LOAD_GDT_ENTRY	18	/* entry, low word, high word */
#define LHCALL_SEND_INTERRUPTS	19	/* nothing itself: interrupts are looked at */
#define LHCALL_COUNT		20	/* 3, 11 and 12 are unassigned */

#define LGUEST_SHUTDOWN_POWEROFF 1
#define LGUEST_SHUTDOWN_RESTART	2
/* The one string of a Guest that goes in peace; any other is an epitaph. */
#define LGUEST_POWEROFF_TEXT	"Power down"

/* ---- Segments that exist from the first instruction ---------------------- */
#define LGUEST_GDT_ENTRIES	32
#define LGUEST_KERNEL_CS	0x61	/* GDT entry 12, RPL 1 */
#define LGUEST_KERNEL_DS	0x69	/* GDT entry 13, RPL 1 */
#define LGUEST_USER_CS		0x73	/* GDT entry 14, RPL 3: by custom only */
#define LGUEST_USER_DS		0x7b	/* GDT entry 15, RPL 3: by custom only */

/* ---- Interrupts ---------------------------------------------------------- */
#define LGUEST_IRQS		32	/* virtual interrupts 0..31 */
#define LGUEST_IRQ_VECTOR	32	/* interrupt n uses IDT vector 32 + n */
#define LGUEST_IRQ_TIMER	0
#define LGUEST_IF		0x200	/* EFLAGS.IF, and the bit in irq_enabled */

/* ---- The asynchronous ring ----------------------------------------------- */
#define LHCALL_RING_SIZE	64
#define LHCALL_RING_FREE	0xff	/* free, or done; any other value is "please do" */

struct hcall_args {
	uint32_t number;
	uint32_t arg1, arg2, arg3, arg4;
};

/*
 * The page both sides scribble on.  "host" and "guest" name the writer.
 * Fields marked "INIT" are read or written once, by LHCALL_LGUEST_INIT.
 */
struct lguest_data {
	uint32_t irq_enabled;		/* both: bit LGUEST_IF, other bits mean nothing */
	uint32_t blocked_interrupts;	/* guest: bit n masks interrupt n */
	uint32_t cr2;			/* host: GVA of the last page fault reflected */
	struct {
		uint32_t tv_sec;	/* host: wall clock */
		uint32_t tv_nsec;
	} time;
	uint32_t irq_pending;		/* host: LGUEST_IF while one waits for irq_enabled */
	uint8_t hcall_status[LHCALL_RING_SIZE];
	struct hcall_args hcalls[LHCALL_RING_SIZE];
	uint32_t reserve_mem;		/* host, INIT: bytes at the top of GVA to keep off */
	uint32_t tsc_khz;		/* host, INIT: 0 = the TSC is no clock */
	uint32_t noirq_start;		/* guest, INIT: no interrupt is delivered while */
	uint32_t noirq_end;		/*   noirq_start <= eip < noirq_end */
	uint32_t kernel_address;	/* guest, INIT: from here up all tables agree */
	uint32_t syscall_vec;		/* guest, INIT: 0x80 */
};

#define LGUEST_ABI_CHECK(field, off) \
	_Static_assert(offsetof(struct lguest_data, field) == (off), "ABI.md section 3.1")
LGUEST_ABI_CHECK(blocked_interrupts, 4);
LGUEST_ABI_CHECK(cr2, 8);
LGUEST_ABI_CHECK(time, 12);
LGUEST_ABI_CHECK(irq_pending, 20);
LGUEST_ABI_CHECK(hcall_status, 24);
LGUEST_ABI_CHECK(hcalls, 88);
LGUEST_ABI_CHECK(reserve_mem, 1368);
LGUEST_ABI_CHECK(tsc_khz, 1372);
LGUEST_ABI_CHECK(noirq_start, 1376);
LGUEST_ABI_CHECK(noirq_end, 1380);
LGUEST_ABI_CHECK(kernel_address, 1384);
LGUEST_ABI_CHECK(syscall_vec, 1388);
_Static_assert(sizeof(struct lguest_data) == 1392, "the ABI's struct lguest_data");
#undef LGUEST_ABI_CHECK

#endif
