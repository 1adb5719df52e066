/* SPDX-License-Identifier: MIT */
/* The kernel that a driver finds around it: interrupts, somebody who sleeps, a terminal, a
 * disk's readers.  Its header is the real one; what stands behind it is the tests'. */
#ifndef AROUND_H
#define AROUND_H

#include "device.h"

#include "virtio.h"

/* The queues that virtio_queue() hands out, in order, and what virtio_config() reads. */
extern struct device queues[2];
extern u8 config[64];
extern u32 config_length;

/* Everything anew; num: slots of each of the n queues. */
void around_begin(u32 n, u32 num);
void around_end(void);

/* The driver is in its place: interrupts are on, and no test takes five seconds. */
void around_ready(void);
/* What cmocka calls when a test is over that was ready. */
int around_over(void **state);

/* Interrupts.  raise() calls the handler that was asked for, or waits until they are on. */
extern bool irqs_on;
void raise_irq(u32 irq);
/* It comes at the worst moment: just before they are turned off. */
void irq_is_on_its_way(u32 irq);
#define IRQ_OF_QUEUE(n) (5 + (n))

/* Whoever sleeps lets the machine go on: this is called, with interrupts on, until somebody
 * calls wake() for it.  It returns false if nothing is left to happen. */
extern bool (*goes_on)(void);
extern u32 sleeps, wakes;
extern const void *last_woken;

/* Where print_to() was sent; what was typed, and how much more the terminal has room for. */
extern console_writer *console;
extern char typed[8192];
extern u32 typed_length, terminal_room;
extern void (*terminal_poll)(void);

/* The disks that were added. */
extern struct disk *disk[8];
extern u32 disks;

/* Runs it and returns what panic() said, or NULL. */
const char *panic_of(void (*run)(void));

#endif
