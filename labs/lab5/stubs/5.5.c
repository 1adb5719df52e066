/* SPDX-License-Identifier: MIT */
void vq_push(struct vq *vq, uint16_t head, uint32_t written)
{
	/* TODO 5.5.  used_at() is where the used ring is; first the entry, then the index. */
	(void)vq;
	(void)head;
	(void)written;
}

bool vq_wants_interrupt(struct vq *vq)
{
	/* TODO 5.5.  VRING_AVAIL_F_NO_INTERRUPT, in the first word of the available ring. */
	(void)vq;
	return false;
}
