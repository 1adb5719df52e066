/* SPDX-License-Identifier: MIT */
#ifndef VIRTQUEUE_H
#define VIRTQUEUE_H

#include "kernel.h"
#include "lguest_bus.h"

/*D:210 A virtqueue, seen from its driver */
#define VIRTQUEUE_MAX 1024		/* QEMU 10 gives a disk that many; the Launcher 256 */

struct virtqueue {
	u32 num;			/* slots, a power of two */
	struct vring_desc *desc;	/* what a buffer is */
	struct vring_avail *avail;	/* ours: chains to work on */
	volatile struct vring_used *used; /* the device's: chains that are done */
	u16 last_used;			/* how far we have read used */
	u16 free_slots;
	u16 first_free;			/* chained through desc[].next */
	u32 kick_value;
	void (*kick)(u32 kick_value);	/* "look at avail" */
	void *token[VIRTQUEUE_MAX];	/* by first slot: whose chain it is */
};

/* One piece of a request.  memory is the kernel's own, and in one piece physically. */
struct virtqueue_part {
	const void *memory;
	u32 length;			/* bytes, not 0 */
	bool device_writes;		/* it is to be filled; these parts come last */
};

/* Takes over a ring of num slots at virtual address memory (already reset). */
void virtqueue_init(struct virtqueue *vq, void *memory, u32 num);
/* Offers a chain of count parts.  token: anything but NULL.  false: no room. */
bool virtqueue_add(struct virtqueue *vq, const struct virtqueue_part *parts, u32 count,
		   void *token);
/* Tells the device, unless it said that it watches by itself. */
void virtqueue_kick(struct virtqueue *vq);
/* Takes back a chain that the device is done with: its token; NULL: none.
 * *written: bytes that the device put into it (there must be room for the answer). */
void *virtqueue_get(struct virtqueue *vq, u32 *written);
/*:*/

#endif
