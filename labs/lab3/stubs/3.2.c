/* SPDX-License-Identifier: MIT */
bool virtqueue_add(struct virtqueue *vq, const struct virtqueue_part *parts, u32 count,
		   void *token)
{
	/* TODO 3.2.  One descriptor for each part, linked.  The device wants to know where it
	 * is physically: virt_to_phys().  token[head] remembers whose chain it is.  Then into
	 * the avail ring, and at the very end the index; barrier() keeps the compiler from
	 * having ideas of its own about "the very end". */
	(void)vq;
	(void)parts;
	(void)count;
	(void)token;
	return false;
}
