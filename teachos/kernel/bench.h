/* SPDX-License-Identifier: MIT */
/*G:700 What does it cost?
 *
 * The time-stamp counter is the stop-watch.  Under an emulator that counts
 * instructions (`-icount`) it ticks once for each, so a figure is the same in every
 * run; on real silicon it counts cycles, and the figures differ.  The unit says
 * "tick" and leaves it at that.
 *
 * An operation is measured in eleven batches; what is printed is the median, the
 * smallest stands in a second line where the spread is of interest.  The clock is
 * off meanwhile.
 */
#ifndef BENCH_H
#define BENCH_H

#include "kernel.h"

#define BENCH_BATCHES 11

struct bench_result {
	u32 median10, min10;		/* tenths of a tick, for one operation */
};

/* Runs batch(arg) BENCH_BATCHES times; each run makes count operations. */
struct bench_result bench_measure(void (*batch)(void *arg), void *arg, u32 count);
/* Prints "bench NAME VALUE UNIT", VALUE with one decimal. */
void bench_print(const char *name, u32 value10, const char *unit);
/* Both lines of a result: NAME and NAME_min. */
void bench_report(const char *name, struct bench_result r);

/* What only one back end has: arch/lguest. */
void bench_lguest(void);
/* A handler for vector 0x80 that answers getpid by returning, without a word. */
extern char bench_bare_syscall[];
/*:*/
#endif
