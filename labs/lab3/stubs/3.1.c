/* SPDX-License-Identifier: MIT */
void virtqueue_init(struct virtqueue *vq, void *memory, u32 num)
{
	/* TODO 3.1.  Three things lie in memory, one behind the other: the table of num
	 * descriptors, the avail ring, and at vring_used_offset(num) the used ring.  All
	 * slots are free: first_free is one of them, desc[].next leads to another, and
	 * free_slots says how many.  kick and kick_value are the bus's: leave them alone. */
	(void)memory;
	(void)num;
	vq->num = 0;
	vq->free_slots = 0;
}

void free_chain(struct virtqueue *vq, u16 head)
{
	/* TODO 3.1.  The chain begins at desc[head], and goes on as its flags say. */
	(void)vq;
	(void)head;
}
