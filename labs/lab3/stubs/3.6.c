/* SPDX-License-Identifier: MIT */
void take_from(struct virtqueue *vq)
{
	/* TODO 3.6.  tty_room(), tty_input(buffer, length); a buffer has INPUT_SIZE bytes, and
	 * goes back with offer_input(vq, buffer). */
	(void)vq;
}
