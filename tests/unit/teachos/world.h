/* SPDX-License-Identifier: MIT */
/* Two machines with TeachOS's network in each, a wire between them, and a clock that
 * only moves when nothing is left to do at its time. */
#ifndef WORLD_H
#define WORLD_H

#include "net.h"
#include "test.h"

#define A 0x0a000001u
#define B 0x0a000002u

struct line {
	u32 lost, twice;		/* in a thousand */
	u32 delay_us, jitter_us;	/* jitter is what brings things out of order */
};

struct frame {
	struct frame *next;
	u32 to;				/* which machine */
	u64 when;
	u32 length;
	u8 data[];
};

extern u64 now;
extern struct line line;
extern u32 pages_out;			/* net_page() given and not taken back */
extern u32 lose_long;			/* so many of the next long frames are lost */
extern bool wire_cut;			/* what is sent is only kept in last_frame */
extern u8 last_frame[2048];
extern u32 last_length, frames_sent;

void world_begin(void);			/* both machines anew, address A and B */
void world_end(void);			/* nothing may be left over */
void become(u32 machine);
/* A frame comes in at the machine that we are; its bytes, and not one more, can be read. */
void arrives(const void *data, u32 length);
/* Runs until the clock shows then, or done() says so. */
void world_run(u64 then, bool (*done)(void));

#endif
