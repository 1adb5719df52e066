/* SPDX-License-Identifier: MIT */
void *virtqueue_get(struct virtqueue *vq, u32 *written)
{
	/* TODO 3.4.  vq->last_used is how far you have read.  What if a device says that it is
	 * done with something that it never had?
	 *   panic("a device says that it used chain %u, which it did not have", ...) */
	(void)vq;
	(void)written;
	return NULL;
}
