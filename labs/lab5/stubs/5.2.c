/* SPDX-License-Identifier: MIT */
int add_buffer(struct vq *vq, struct vq_chain *chain, unsigned i, const struct vring_desc *d)
{
	/* TODO 5.2.  *d is our own copy of descriptor i.  Append it to chain->iov[], readable ones
	 * first; count it in readable or writable and in read_bytes or write_bytes.  What is wrong:
	 * return vq_break(), and these words are looked for:
	 *   "descriptor %u: ... outside memory"
	 *   "descriptor %u: indirect"
	 *   "descriptor %u: to be read, but after one to be written"
	 *   "descriptor %u: the chain is longer than 4 GiB" */
	(void)chain;
	(void)d;
	return vq_break(vq, "descriptor %u: nobody takes buffers yet", i);
}
