/* SPDX-License-Identifier: MIT */
void virtqueue_kick(struct virtqueue *vq)
{
	/* TODO 3.3.  vq->kick(vq->kick_value), unless the device said VRING_USED_F_NO_NOTIFY
	 * in vq->used->flags.  And what must have happened before you ask? */
	(void)vq;
}
