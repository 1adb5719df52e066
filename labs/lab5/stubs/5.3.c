/* SPDX-License-Identifier: MIT */
int walk_chain(struct vq *vq, struct vq_chain *chain)
{
	/* TODO 5.3.  From chain->head; desc_at() says where a descriptor is, memory_fetch() copies
	 * it, add_buffer() checks it.
	 *   "descriptor %u: next is %u, but there are only %u"
	 *   "the chain from descriptor %u is a loop" */
	return vq_break(vq, "the chain from descriptor %u: nobody walks yet", chain->head);
}
