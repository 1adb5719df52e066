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

/* Slots that nobody uses hang together through desc[].next.  So does a chain, whether it is
 * under way or just back: free_chain() puts all of it in front, the way it hangs. */
/* LAB 3.1 BEGIN: the free list */
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

static void free_chain(struct virtqueue *vq, u16 head)
{
	u16 last = head;

	for (vq->free_slots++; vq->desc[last].flags & VRING_DESC_F_NEXT; vq->free_slots++)
		last = vq->desc[last].next;
	vq->desc[last].next = vq->first_free;
	vq->first_free = head;
}
/* LAB 3.1 END */

/* LAB 3.2 BEGIN: an offer */
bool virtqueue_add(struct virtqueue *vq, const struct virtqueue_part *parts, u32 count,
		   void *token)
{
	u16 head = vq->first_free;
	struct vring_desc *d = NULL;
	u32 i;

	if (!count || vq->free_slots < count)
		return false;
	for (i = 0; i < count; i++) {
		d = &vq->desc[vq->first_free];
		vq->first_free = d->next;
		d->addr = virt_to_phys(parts[i].memory);
		d->len = parts[i].length;
		d->flags = VRING_DESC_F_NEXT | (parts[i].device_writes ? VRING_DESC_F_WRITE : 0);
	}
	d->flags &= ~VRING_DESC_F_NEXT;
	vq->free_slots -= count;
	vq->token[head] = token;
	vq->avail->ring[vq->avail->idx % vq->num] = head;
	barrier();
	vq->avail->idx++;
	return true;
}
/* LAB 3.2 END */

/* LAB 3.3 BEGIN: a knock at the door */
void virtqueue_kick(struct virtqueue *vq)
{
	/* Our new counter must be seen before we ask whether to kick: a full barrier,
	 * as x86 may otherwise let the load pass the store. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!(vq->used->flags & VRING_USED_F_NO_NOTIFY))
		vq->kick(vq->kick_value);
}
/* LAB 3.3 END */

/* A device that lies about what it finished would have us free a chain twice: as bad
 * as any wild pointer, so trust ends here. */
/* LAB 3.4 BEGIN: what is done */
void *virtqueue_get(struct virtqueue *vq, u32 *written)
{
	volatile struct vring_used_elem *e;
	void *token;
	u32 id;

	if (vq->used->idx == vq->last_used)
		return NULL;
	barrier();
	e = &vq->used->ring[vq->last_used++ % vq->num];
	id = e->id;
	token = id < vq->num ? vq->token[id] : NULL;
	if (!token)
		panic("a device says that it used chain %u, which it did not have", id);
	vq->token[id] = NULL;
	*written = e->len;
	free_chain(vq, id);
	return token;
}
/* LAB 3.4 END */
/*:*/
