/* SPDX-License-Identifier: MIT */
int vq_pop(struct vq *vq, struct vq_chain *chain)
{
	/* TODO 5.4.  avail_at() is where the available ring is: memory_load16() reads an index with
	 * acquire.  vq->next_avail is ours, and runs freely.
	 *   "the available index went from %u to %u"
	 *   "available: descriptor %u, but there are only %u"
	 *   "the ring itself is outside memory" */
	(void)chain;
	return vq_break(vq, "nobody looks into the ring yet");
}
