/* SPDX-License-Identifier: MIT */
#ifndef VIRTQUEUE_H
#define VIRTQUEUE_H

#include "kernel.h"
#include "lguest_bus.h"

/*D:210 A virtqueue, seen from its driver */
#define VIRTQUEUE_MAX 256

struct virtqueue {
	u32 num;			/* slots, a power of two */
	struct vring_desc *desc;	/* what a buffer is */
	struct vring_avail *avail;	/* ours: buffers to work on */
	volatile struct vring_used *used; /* the device's: buffers that are done */
	u16 last_used;			/* how far we have read used */
	u16 free_slots;
	u16 first_free;			/* chained through desc[].next */
	u32 kick_value;
	void (*kick)(u32 kick_value);	/* "look at avail" */
};

/* Takes over a ring of num slots at virtual address memory (already reset). */
void virtqueue_init(struct virtqueue *vq, void *memory, u32 num);
/* Offers one buffer.  device_writes: it is to be filled.  false: the ring is full. */
bool virtqueue_add(struct virtqueue *vq, const void *buffer, u32 length, bool device_writes);
/* Tells the device, unless it said that it watches by itself. */
void virtqueue_kick(struct virtqueue *vq);
/* Takes back one buffer that the device is done with; false: none.  *length: bytes it wrote. */
bool virtqueue_get(struct virtqueue *vq, void **buffer, u32 *length);
/*:*/

#endif
