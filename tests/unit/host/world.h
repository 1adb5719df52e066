/* SPDX-License-Identifier: MIT */
/*
 * A small world for the Host's pure files: Guest memory whose frames lie scattered and
 * are fetched only when asked for, tables with a guard page on either side, a journal of
 * all that the Host told the world, and the loop of host/core.c.
 *
 * Tests read and write Guest memory through w->ram, where it lies in one piece.  The
 * Host sees the same bytes through lg.frame[], one page at a time, in random order.
 */
#ifndef WORLD_H
#define WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lg.h"

#include <cmocka.h>

#define TEST(f) cmocka_unit_test(f)

enum what { TOLD_TIMER = 1, TOLD_NOTIFY, TOLD_TS, TOLD_GATE };

struct told {
	enum what what;
	u32 a, b, c;
};

enum state { ENTERS, SLEEPS, DEAD, STOPS };	/* STOPS: the debugger is asked */

struct guarded {
	void *base;
	size_t bytes;
	struct guarded *next;
};

struct world {
	struct lguest lg;		/* first: os.h passes its address */
	u8 *ram;			/* all of Guest memory, in a row */
	int fd;
	u8 *scattered;
	u32 *place;			/* where in `scattered` frame n goes */
	u32 *at_place;			/* and back */
	u32 next_frame;			/* for world_frame */
	struct guarded *guarded;
	u8 *data_pages;			/* what lg.data points into */

	struct told told[4096];
	u32 tolds;
	u8 gate_dpl[256];		/* the real IDT */
	u32 gate_handler[256];
	bool ts;
	u32 timer;
	bool nudged;
	bool smap, smep;		/* what the real CPU has on */
	u32 kills;
	u32 again;			/* how often LG_AGAIN came */
	void (*on_again)(struct world *w);
	void (*on_timer)(struct world *w, u32 ns);
};

struct world_plan {
	u32 frames;			/* 0: 64 */
	u32 data_gpa;			/* 0: 0x1000 */
	u32 kernel_address;		/* as it is; usually 0xc0000000 */
	u32 noirq_start, noirq_end;
	u32 table_limit;		/* 0: the maximum */
	bool raw;			/* before LGUEST_INIT */
};

#define WORLD_DATA	0x1000u		/* the usual place of struct lguest_data */
#define WORLD_EIP	0x123456u

struct world *world_new(const struct world_plan *plan);
void world_free(struct world *w);
void world_data(struct world *w, u32 gpa, const struct world_plan *plan);

enum state world_exit(struct world *w);	/* an exit, as lg_regs says, and the way back in */
enum state world_enter(struct world *w);	/* the way in only */
enum state world_hypercall(struct world *w, u32 number, u32 a1, u32 a2, u32 a3, u32 a4);
enum state world_trap(struct world *w, u32 vector, u32 error);
/* host/freeze.c: what LG_IOC_RESTORE does with what lg_saved_wrong() lets through. */
void world_restore(struct world *w, const struct lg_snapshot *s);
void world_revive(struct world *w);	/* forget a kill */
void world_forget(struct world *w);	/* forget the journal */

void world_read(struct world *w, u32 gpa, void *to, u32 len);
void world_write(struct world *w, u32 gpa, const void *from, u32 len);
u32 world_get32(struct world *w, u32 gpa);
void world_put32(struct world *w, u32 gpa, u32 value);
u32 world_frame(struct world *w);	/* a fresh frame: its number */
u32 world_pfn_of(struct world *w, u64 phys);	/* ~0u: not one of the Guest's */

/* A Launcher that writes to this word between any two of our next 2000 instructions, now a,
 * now b; or until world_settle(). */
void world_scramble(u32 *word, u32 a, u32 b);
void world_settle(void);

/* Guest page tables.  Tables that are missing are made, with directory flags 0x67. */
u32 guest_root(struct world *w);
u32 guest_pte_gpa(struct world *w, u32 root, u32 gva, bool make);
u32 guest_pde_gpa(struct world *w, u32 root, u32 gva);
void guest_map(struct world *w, u32 root, u32 gva, u64 pte);
u64 guest_entry(struct world *w, u32 gpa);
void guest_set_entry(struct world *w, u32 gpa, u64 entry);

/* The wrong end of a Guest: reason and the first words, or the test fails. */
#define expect_dead(w, why, words) expect_dead_at(w, why, words, __FILE__, __LINE__)
void expect_dead_at(struct world *w, enum lg_reason why, const char *words, const char *file,
		    int line);

#define check(cond, ...) \
	do { \
		if (!(cond)) { \
			print_error("%s:%d: %s\n", __FILE__, __LINE__, #cond); \
			fail_msg(__VA_ARGS__); \
		} \
	} while (0)

/* xorshift: the same numbers everywhere for the same seed.  SEED=n repeats a run. */
extern u64 random_state;
void random_start(const char *test);

static inline u32 random32(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (u32)(random_state >> 16);
}

static inline u32 below(u32 n)
{
	return random32() % n;
}

static inline bool chance(u32 percent)
{
	return below(100) < percent;
}

#endif
