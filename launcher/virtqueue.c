// SPDX-License-Identifier: MIT
/*L:500 The ring
 *
 * How do two programs that do not trust each other pass buffers?  With three tables
 * in the Guest's memory:
 *
 *	descriptors	"4096 bytes at 0x52000, and go on at descriptor 7"
 *	available	a ring: the Guest says "please do the chain at 3, then at 12"
 *	used		a ring: we say "12 is done, I wrote 80 bytes into it; 3 is done"
 *
 *	          the Guest writes            we write
 *	        +-------+  +-----+         +------+
 *	   0 -> | addr  |  | idx | 2       | idx  | 1
 *	        | len   |  | [0] | 3       | [0]  | id 3, wrote 0
 *	        | flags |  | [1] | 12      |      |
 *	        | next  |  |     |         |      |
 *	        +-------+  +-----+         +------+
 *
 * Each side writes its own ring only, and each index only ever grows: 65535 is
 * followed by 0, entry idx % num is meant, and "how many are new" is a subtraction
 * of 16-bit numbers that comes out right across the wrap.  No lock is needed.
 *
 * There is no address of ours in it anywhere, which is the point.  Everything the
 * Guest wrote is a *claim*: an index may be too large, a chain may bite its own
 * tail, an address may be outside.  Whoever breaks the rules loses the device, not
 * more: the ring goes quiet until the Guest resets it.
 :*/
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "launcher.h"

/* Where things are, as guest-physical addresses. */
static uint64_t desc_at(const struct vq *vq, unsigned i)
{
	return vq->gpa + i * sizeof(struct vring_desc);
}

static uint64_t avail_at(const struct vq *vq)
{
	return vq->gpa + vq->num * sizeof(struct vring_desc);
}

static uint64_t used_at(const struct vq *vq)
{
	return vq->gpa + vring_used_offset(vq->num);
}

int vq_break(struct vq *vq, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(vq->error, sizeof(vq->error), format, args);
	va_end(args);
	vq->breaks++;
	return -1;
}

void vq_reset(struct vq *vq)
{
	void *ring = memory_at(vq->mem, vq->gpa, vring_bytes(vq->num));

	if (ring)
		memset(ring, 0, vring_bytes(vq->num));
	vq->next_avail = vq->next_used = 0;
	vq->pushed = false;
	vq->error[0] = '\0';
}

/*L:510 Walking a chain
 * Follow `next` until a descriptor has no NEXT flag.  A chain that visits more
 * descriptors than there are visits one twice, and would go on for ever.
 *
 * Descriptors for us to read come first, then those for us to write.  A device may
 * rely on that: it knows where its answer goes as soon as it has read the question.
 *
 * Note what is checked: `d`, our own copy.  The descriptor in the Guest's memory may
 * say something else by the time we are at the end of this line.
 */
/* LAB 5.2 BEGIN: one buffer */
static int add_buffer(struct vq *vq, struct vq_chain *chain, unsigned i,
		      const struct vring_desc *d)
{
	bool write = d->flags & VRING_DESC_F_WRITE;
	uint32_t *total = write ? &chain->write_bytes : &chain->read_bytes;
	void *p = memory_at(vq->mem, d->addr, d->len);

	if (!p)
		return vq_break(vq, "descriptor %u: 0x%x bytes at 0x%llx are outside memory", i,
				d->len, (unsigned long long)d->addr);
	if (d->flags & VRING_DESC_F_INDIRECT)
		return vq_break(vq, "descriptor %u: indirect, which was never offered", i);
	if (!write && chain->writable)
		return vq_break(vq, "descriptor %u: to be read, but after one to be written", i);
	if (d->len > UINT32_MAX - *total)
		return vq_break(vq, "descriptor %u: the chain is longer than 4 GiB", i);
	chain->iov[chain->readable + chain->writable] =
		(struct iovec){ .iov_base = p, .iov_len = d->len };
	*total += d->len;
	if (write)
		chain->writable++;
	else
		chain->readable++;
	return 0;
}
/* LAB 5.2 END */

/* LAB 5.3 BEGIN: a chain */
static int walk_chain(struct vq *vq, struct vq_chain *chain)
{
	unsigned i = chain->head;

	for (unsigned visited = 0; visited < vq->num; visited++) {
		struct vring_desc d;

		if (!memory_fetch(vq->mem, desc_at(vq, i), &d, sizeof(d)))
			return vq_break(vq, "the ring itself is outside memory");
		if (add_buffer(vq, chain, i, &d) < 0)
			return -1;
		if (!(d.flags & VRING_DESC_F_NEXT))
			return 1;
		if (d.next >= vq->num)
			return vq_break(vq, "descriptor %u: next is %u, but there are only %u", i,
					d.next, vq->num);
		i = d.next;
	}
	return vq_break(vq, "the chain from descriptor %u is a loop", chain->head);
}
/* LAB 5.3 END */
/*:*/

/*L:520 What is new?
 * The index is read first, with acquire: whatever the Guest wrote before it is
 * there.  It cannot have moved by more than the ring has entries, because the
 * Guest may not offer a buffer again before we gave it back.
 */
/* LAB 5.4 BEGIN: what is new? */
int vq_pop(struct vq *vq, struct vq_chain *chain)
{
	uint16_t idx, head = vq->num;

	if (vq->error[0])
		return -1;
	if (!memory_load16(vq->mem, avail_at(vq) + offsetof(struct vring_avail, idx), &idx))
		return vq_break(vq, "the ring itself is outside memory");
	if (idx == vq->next_avail)
		return 0;
	if ((uint16_t)(idx - vq->next_avail) > vq->num)
		return vq_break(vq, "the available index went from %u to %u: more than the ring's "
				"%u", vq->next_avail, idx, vq->num);
	memory_load16(vq->mem, avail_at(vq) + offsetof(struct vring_avail, ring) +
		      2 * (vq->next_avail % vq->num), &head);
	if (head >= vq->num)
		return vq_break(vq, "available: descriptor %u, but there are only %u", head, vq->num);
	vq->next_avail++;

	chain->head = head;
	chain->readable = chain->writable = 0;
	chain->read_bytes = chain->write_bytes = 0;
	return walk_chain(vq, chain);
}
/* LAB 5.4 END */
/*:*/

/*L:530 Giving back, and ringing the bell
 * First the entry, then the index, with release: whoever sees the new index sees
 * the entry.  The bell is rung once for a whole batch.
 *
 * The fence is the one place where x86 would reorder: it may let the *load* of the
 * Guest's flags overtake our *store* of the index.  Then the Guest could switch its
 * bell on and look at the index (still old), while we saw the bell still off: nobody
 * would ring, and nobody would look.  It would happen about once a week.
 */
/* LAB 5.5 BEGIN: giving back, and the bell */
void vq_push(struct vq *vq, uint16_t head, uint32_t written)
{
	struct vring_used_elem done = { .id = head, .len = written };

	memory_store(vq->mem, used_at(vq) + offsetof(struct vring_used, ring) +
		     sizeof(done) * (vq->next_used % vq->num), &done, sizeof(done));
	memory_store16(vq->mem, used_at(vq) + offsetof(struct vring_used, idx), ++vq->next_used);
	vq->pushed = true;
}

bool vq_wants_interrupt(struct vq *vq)
{
	uint16_t flags = 0;

	if (!vq->pushed)
		return false;
	vq->pushed = false;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	memory_load16(vq->mem, avail_at(vq) + offsetof(struct vring_avail, flags), &flags);
	return !(flags & VRING_AVAIL_F_NO_INTERRUPT);
}
/* LAB 5.5 END */
/*:*/
