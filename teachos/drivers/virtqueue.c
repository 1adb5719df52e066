/* SPDX-License-Identifier: MIT */
/*D:200 Two rings and a table
 *
 * A virtqueue is shared memory with a treaty.  The table says where buffers are.  In
 * the *avail* ring we write the numbers of table entries that the device should
 * work on; in the *used* ring the device writes the numbers of those that it has
 * finished.  Each side writes only its own ring, each has a counter that only ever
 * grows (and wraps at 65536), so no lock is needed: only order.  First the contents,
 * then the counter.
 *
 *	   we write		device writes
 *	 desc[]  avail	  --->	  used
 *
 * On x86 stores stay in order; it is the compiler that must be kept from improving
 * it.
 */
#include "virtqueue.h"

#define barrier() asm volatile("" : : : "memory")

void virtqueue_init(struct virtqueue *vq, void *memory, u32 num)
{
	u32 i;

	vq->num = num;
	vq->desc = memory;
	vq->avail = (void *)(vq->desc + num);
	vq->used = (void *)((u8 *)memory + vring_used_offset(num));
	vq->last_used = 0;
	vq->first_free = 0;
	vq->free_slots = num;
	for (i = 0; i < num; i++)
		vq->desc[i].next = i + 1;
}

bool virtqueue_add(struct virtqueue *vq, const void *buffer, u32 length, bool device_writes)
{
	u16 slot = vq->first_free;
	struct vring_desc *d = &vq->desc[slot];

	if (!vq->free_slots)
		return false;
	vq->free_slots--;
	vq->first_free = d->next;
	d->addr = virt_to_phys(buffer);
	d->len = length;
	d->flags = device_writes ? VRING_DESC_F_WRITE : 0;
	vq->avail->ring[vq->avail->idx % vq->num] = slot;
	barrier();
	vq->avail->idx++;
	return true;
}

void virtqueue_kick(struct virtqueue *vq)
{
	/* Our new counter must be seen before we ask whether to kick: a locked
	 * instruction, as x86 may otherwise let the load pass the store. */
	asm volatile("lock; addl $0, (%%esp)" : : : "memory");
	if (!(vq->used->flags & VRING_USED_F_NO_NOTIFY))
		vq->kick(vq->kick_value);
}

bool virtqueue_get(struct virtqueue *vq, void **buffer, u32 *length)
{
	volatile struct vring_used_elem *e;
	struct vring_desc *d;

	if (vq->used->idx == vq->last_used)
		return false;
	barrier();
	e = &vq->used->ring[vq->last_used++ % vq->num];
	if (e->id >= vq->num)
		panic("a device says that it used slot %u of %u", e->id, vq->num);
	d = &vq->desc[e->id];
	*buffer = phys_to_virt(d->addr);
	*length = e->len < d->len ? e->len : d->len;
	d->next = vq->first_free;
	vq->first_free = e->id;
	vq->free_slots++;
	return true;
}
/*:*/
