/* SPDX-License-Identifier: MIT */
void queue_serve(struct queue *q)
{
	/* TODO 5.6.  Under q->lock, if q->running and the device is not broken: q->serve(q), the
	 * bell with host_irq(q->irq), and what if q->vq.error says something? */
	(void)q;
}
