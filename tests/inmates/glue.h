/* SPDX-License-Identifier: MIT */
/*
 * What an inmate written in C gets from the library.  It defines inmate_main();
 * when that returns, the plan is printed and the Guest powers off.
 */
#ifndef GLUE_H
#define GLUE_H

#include <stddef.h>
#include <stdint.h>
#include "../../include/lguest.h"

/* One hypercall; all four argument registers are loaded. */
void hcall(uint32_t number, uint32_t arg1, uint32_t arg2, uint32_t arg3, uint32_t arg4);

/* Print a line; `ok name`; `not ok name`. */
void say_text(const char *text);
void pass_text(const char *name);
void fail_text(const char *name);

/* The first number among the Guest's arguments, or fallback. */
uint32_t number_argument(uint32_t fallback);

/*
 * Run code in ring 1 or 3 until the first trap that reaches the Guest; returns its
 * vector.  esp 0 keeps the stack (ring 1 only).  The code may destroy every register.
 * After 2 ms the clock ends it, and the vector is 32.
 */
uint32_t run_code(uint32_t ring, uint32_t eip, uint32_t esp);

/* Page tables of two levels (the first 16 MiB, twice) and the segments of ring 3. */
void hang_on(void);

extern struct lguest_data lguest_block;
extern char text_argument[];		/* the command line */
extern uint32_t kernel_root[1024];	/* the top-level table of hang_on() */
extern uint32_t kernel_tables[4096];	/* its four bottom tables */
extern uint8_t user_page[4096];		/* code that ring 3 may run */
extern uint8_t user_stack_end[];

/* The last trap that reached the Guest. */
extern struct {
	uint32_t vector, error, eip, cs, eflags, esp, ss, cr2, irq_enabled, kesp, total;
} last_trap;

int inmate_main(void);

#endif
