/* SPDX-License-Identifier: MIT */
/*G:140 How to ask
 *
 * One instruction, five registers, no answer.  A hypercall can't fail, so it has
 * nothing to return; the Host gives back every register as it was.  "memory" tells
 * the compiler that the Host may read and write anything of ours meanwhile.
 */
#ifndef LGUEST_HYPERCALL_H
#define LGUEST_HYPERCALL_H

#include "lguest.h"
#include "lib.h"

extern struct lguest_data lguest_data;

/* LAB 1.2 BEGIN: one instruction, five registers, and no answer */
static inline void hypercall(u32 number, u32 arg1, u32 arg2, u32 arg3, u32 arg4)
{
	asm volatile("int %0"
		     : : "i"(LGUEST_TRAP_ENTRY), "a"(number), "b"(arg1), "c"(arg2),
		       "d"(arg3), "S"(arg4)
		     : "memory");
}
/* LAB 1.2 END */

/*:*/

/* Queued if a batch is open and the ring has room, else made at once. */
void lazy_hypercall(u32 number, u32 arg1, u32 arg2, u32 arg3, u32 arg4);
/* Runs what the ring holds, if it holds anything. */
void ring_flush(void);
/* The slot that the next ring_push() will use: 0..63. */
extern unsigned int ring_position;
extern bool ring_used;

/* Puts one call into the ring; false if the ring is full.  The story is in ring.c. */
/* LAB 1.4 BEGIN: a call for later */
static inline bool ring_push(u32 number, u32 arg1, u32 arg2, u32 arg3, u32 arg4)
{
	volatile u8 *status = &lguest_data.hcall_status[ring_position];

	if (*status != LHCALL_RING_FREE)
		return false;
	lguest_data.hcalls[ring_position] = (struct hcall_args){number, arg1, arg2, arg3, arg4};
	asm volatile("" : : : "memory");	/* the words, then the status */
	*status = 0;
	ring_position = (ring_position + 1) % LHCALL_RING_SIZE;
	ring_used = true;
	return true;
}
/* LAB 1.4 END */

/* What the Host handed us at the door; boot.asm fills it. */
struct boot_registers {
	u32 eax, ebx, ecx, edx, esi, edi, ebp, esp, eflags;
	u32 cs, ds, es, fs, gs, ss;
};
extern struct boot_registers boot_registers;
extern u32 boot_time_s;

#endif
