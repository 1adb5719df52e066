// SPDX-License-Identifier: MIT
/* teachos/drivers/virtqueue.c against a device that knows the specification, and takes its
 * liberties.  What is expected comes from virtio 0.9.5, section 2.3 and 2.4, and from the
 * contracts in virtqueue.h. */
#include "around.h"

#define SMALL 8u
#define ROUNDS 66000u			/* once around a 16-bit index, and on */

static struct device *const d = &queues[0];
static struct virtqueue *vq;
static u8 memory[256][64];
static int name[256];			/* tokens */

static void init(u32 num)
{
	device_end(d);
	device_begin(d, num);
	memset(vq, 0xa5, sizeof(*vq));
	memset(vq->token, 0, sizeof(vq->token));
	virtqueue_init(vq, d->shared, num);
	vq->kick = device_kick;
	vq->kick_value = (u32)(uintptr_t)d->shared;
}

/* On the heap, so that whoever writes beside it is caught. */
static int set_up(void **state)
{
	(void)state;
	around_begin(1, SMALL);
	vq = malloc(sizeof(*vq));
	assert_non_null(vq);
	init(SMALL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	around_end();
	free(vq);
	return 0;
}

/* Offers count parts, the last `writable` of them for the device to write. */
static bool offer(u32 count, u32 writable, void *token)
{
	struct virtqueue_part parts[256];
	u32 i;

	for (i = 0; i < count; i++)
		parts[i] = (struct virtqueue_part){memory[i], 1 + (i * 7 + count) % 60,
						   i >= count - writable};
	return virtqueue_add(vq, parts, count, token);
}

/* The same, where there is room for it. */
static void must_offer(u32 count, u32 writable, void *token)
{
	u32 room = vq->free_slots;

	if (!offer(count, writable, token))
		broken("%u of %u slots were free, and a chain of %u was refused", room, vq->num, count);
}

static void *get(u32 *written)
{
	u32 ignored;

	return virtqueue_get(vq, written ? written : &ignored);
}

/* The device is done with the n-th, and the driver takes it: must be whose it was. */
static void finish_and_get(u32 n, const void *whose)
{
	struct device_chain *c = device_chain(d, n);
	u32 room = c->writable, said = below(room + 1), written = ~said;
	void *token;

	device_finish(d, c, said);
	token = get(&written);
	if (token != whose)
		broken("the device was done with chain %p, the driver took out %p", (void *)whose,
		       token);
	if (written != said)
		broken("the device wrote %u bytes, the driver says %u", said, written);
}

/* ---- 3.1: the free list ------------------------------------------------------------ */

static void all_slots_are_free(void **state)
{
	u32 num, i;

	(void)state;
	for (num = 1; num <= DEVICE_MOST; num *= 2) {
		init(num);
		if (vq->num != num || vq->free_slots != num)
			broken("a ring of %u slots has num %u, of which %u are free", num, vq->num,
			       vq->free_slots);
		for (i = 0; i < num; i++)
			if (!offer(1, 0, &name[i]))
				broken("no room for buffer %u in a ring of %u", i + 1, num);
		if (offer(1, 0, &name[0]))
			broken("%u buffers in a ring of %u", num + 1, num);
		if (device_look(d) != num)
			broken("the device does not see %u buffers", num);
	}
}

/* The device's structures are where the specification has them. */
static void layout(void **state)
{
	u32 num;

	(void)state;
	for (num = 1; num <= DEVICE_MOST; num *= 2) {
		init(num);
		if ((u8 *)vq->desc != d->shared || (u8 *)vq->avail != d->shared + avail_at(d) ||
		    (u8 *)vq->used != d->shared + used_at(d))
			broken("a ring of %u: desc, avail, used are at 0x%x, 0x%x, 0x%x; expected "
			       "0x0, 0x%x, 0x%x", num, (u32)((u8 *)vq->desc - d->shared),
			       (u32)((u8 *)vq->avail - d->shared),
			       (u32)((u8 *)vq->used - d->shared), avail_at(d), used_at(d));
		if (vq->last_used)
			broken("nothing was used yet, and last_used is %u", vq->last_used);
		offer(1, 1, name);
		device_look(d);
		finish_and_get(0, name);
	}
}

static void nothing_leaks(void **state)
{
	u32 i, round;

	(void)state;
	random_start("nothing_leaks");
	for (round = 0; round < 2000; round++) {
		u32 count = 1 + below(SMALL);

		if (!offer(count, below(count + 1), name))
			broken("round %u: no room for %u parts, and nothing is under way", round,
			       count);
		if (vq->free_slots != SMALL - count)
			broken("%u of %u slots are out, and %u free", count, SMALL, vq->free_slots);
		device_look(d);
		finish_and_get(0, name);
		if (vq->free_slots != SMALL)
			broken("all came back, and %u of %u slots are free", vq->free_slots,
			       SMALL);
	}
	for (i = 0; i < SMALL; i++)
		must_offer(1, 0, &name[i]);
	assert_int_equal(device_look(d), SMALL);
}

/* Chains come back in another order than they left, so the list is a wild tangle soon; but
 * it never has the same slot twice. */
static void a_tangle(void **state)
{
	struct {
		u32 slots;
		int *token;
	} out[32];
	u32 count = 0, busy = 0, next = 0, i;

	(void)state;
	init(32);
	random_start("a_tangle");
	for (i = 0; i < 20000; i++) {
		u32 slots = 1 + below(6), n;

		if (below(2)) {
			bool fits = slots <= 32 - busy;

			if (offer(slots, below(slots + 1), &name[next]) != fits)
				broken("%u of 32 slots are busy: %u more were %s", busy, slots,
				       fits ? "refused" : "taken");
			if (!fits)
				continue;
			out[count].slots = slots;
			out[count++].token = &name[next];
			next = (next + 1) % 256;
			busy += slots;
			device_look(d);
		} else if (count) {
			n = below(count);
			finish_and_get(n, out[n].token);
			busy -= out[n].slots;
			memmove(out + n, out + n + 1, (--count - n) * sizeof(out[0]));
		}
	}
}

/* ---- 3.2: an offer ------------------------------------------------------------------- */

static void one_chain(void **state)
{
	struct virtqueue_part parts[] = {
		{memory[3], 10, false}, {memory[9], 64, false}, {memory[1], 1, true},
	};
	struct device_chain *c;
	u32 i, first = vq->first_free;

	(void)state;
	if (!virtqueue_add(vq, parts, 3, name))
		broken("three parts were refused, and the ring is empty");
	if (ring_get(d, AVAIL_INDEX(d), 2) != 1)
		broken("after the first chain the available index is %u, expected 1",
		       ring_get(d, AVAIL_INDEX(d), 2));
	if (ring_get(d, AVAIL_RING(d, 0), 2) != first)
		broken("the chain begins at %u, in the avail ring stands %u", first,
		       ring_get(d, AVAIL_RING(d, 0), 2));
	assert_int_equal(device_look(d), 1);
	c = device_chain(d, 0);
	if (c->count != 3)
		broken("three parts were offered, the device sees %u", c->count);
	for (i = 0; i < 3; i++)
		if (c->part[i].at != parts[i].memory || c->part[i].length != parts[i].length ||
		    c->part[i].writable != parts[i].device_writes)
			broken("part %u: the device sees %u bytes %s, %lld from where they are; expected "
			       "%u %s", i, c->part[i].length,
			       c->part[i].writable ? "to write" : "to read",
			       (long long)(c->part[i].at - (const u8 *)parts[i].memory),
			       parts[i].length, parts[i].device_writes ? "to write" : "to read");
	if (vq->token[c->head] != name)
		broken("token[%u] is not the chain's", c->head);
}

/* Free slots are where the list says, not side by side. */
static void scattered(void **state)
{
	static const u32 back[] = {6, 1, 4, 0, 0, 1, 0, 0};	/* of those that are still out */
	int *out[SMALL];
	u32 i, n, left = SMALL;

	(void)state;
	for (i = 0; i < SMALL; i++) {
		out[i] = &name[i];
		must_offer(1, 0, out[i]);
	}
	device_look(d);
	for (i = 0; i < SMALL; i++) {
		n = back[i];
		finish_and_get(n, out[n]);
		memmove(out + n, out + n + 1, (--left - n) * sizeof(out[0]));
	}
	must_offer(3, 1, name);
	must_offer(5, 2, name + 1);
	if (device_look(d) != 2)
		broken("two chains were offered, the device sees %u", d->count);
	for (i = 0; i < 2; i++)
		if (device_chain(d, i)->count != (i ? 5 : 3))
			broken("a chain of %u, over slots that do not lie side by side: the device sees %u",
			       i ? 5 : 3, device_chain(d, i)->count);
	finish_and_get(0, name);
	finish_and_get(0, name + 1);
	if (d->kicks)
		broken("virtqueue_add() has kicked: when to do that is its caller's business");
}

/* What was there before does not shine through. */
static void old_flags(void **state)
{
	u32 i;

	(void)state;
	for (i = 0; i < 40; i++) {
		u32 count = 1 + i % SMALL;

		must_offer(count, i % 3 ? count : 0, name);
		device_look(d);
		if (device_chain(d, 0)->count != count)
			broken("a chain of %u, the device sees %u", count, device_chain(d, 0)->count);
		finish_and_get(0, name);
	}
}

static void no_room(void **state)
{
	u8 before[sizeof(*vq)], ring[4096];

	(void)state;
	must_offer(5, 2, name);
	device_look(d);
	memcpy(before, vq, sizeof(*vq));
	memcpy(ring, d->ring, sizeof(ring));
	if (offer(4, 0, name + 1) || offer(SMALL + 1, 0, name + 1) || offer(0, 0, name + 1))
		broken("an offer of more than is free, or of nothing, was taken");
	if (memcmp(before, vq, sizeof(*vq)) || memcmp(ring, d->ring, sizeof(ring)))
		broken("an offer was refused, but something has changed");
	must_offer(3, 0, name + 1);
	assert_int_equal(device_look(d), 1);
}

/* The device looks after each store of the driver's: it sees whole chains or none. */
static u32 seen;

static void looks(struct device *dev, u32 offset)
{
	(void)offset;
	seen += device_look(dev);
}

static void published_last(void **state)
{
	u32 i;

	(void)state;
	for (i = 0; i < 50; i++) {
		u32 count = 1 + below(SMALL);

		/* In the ring's next entry stands a number from before; in the table, too. */
		ring_put(d, AVAIL_RING(d, i), 2, 0xdead);
		d->stored = looks;
		seen = 0;
		device_watch(d);
		offer(count, below(count + 1), name);
		device_watch_no_more();
		if (seen != 1)
			broken("the device saw %u chains, expected 1", seen);
		if (device_chain(d, 0)->count != count)
			broken("a chain of %u, but what the device saw when the index moved had %u",
			       count, device_chain(d, 0)->count);
		finish_and_get(0, name);
	}
}

static void avail_wraps(void **state)
{
	int *out[3];
	u32 count = 0, i, n;

	(void)state;
	random_start("avail_wraps");
	/* Three are under way, any of them comes back: no pattern in the numbers. */
	for (i = 0; i < ROUNDS; i++) {
		out[count] = &name[i % 256];
		if (!offer(1, 1, out[count++]) || device_look(d) != 1)
			broken("offer %u did not arrive", i);
		if (count < 3)
			continue;
		n = below(3);
		finish_and_get(n, out[n]);
		memmove(out + n, out + n + 1, (--count - n) * sizeof(out[0]));
	}
}

/* ---- 3.3: a knock ----------------------------------------------------------------------- */

static void kick(void **state)
{
	(void)state;
	offer(1, 0, name);
	virtqueue_kick(vq);
	if (d->kicks != 1)
		broken("%u kicks, expected 1", d->kicks);
	offer(1, 0, name + 1);
	virtqueue_kick(vq);
	assert_int_equal(d->kicks, 2);
}

static void no_notify(void **state)
{
	(void)state;
	device_silence(d, true);
	offer(1, 0, name);
	virtqueue_kick(vq);		/* complains if it does */
	device_silence(d, false);
	virtqueue_kick(vq);
	if (d->kicks != 1)
		broken("the device took NO_NOTIFY back, and was kicked %u times", d->kicks);
}

/* Bits other than NO_NOTIFY mean nothing yet. */
static void other_flags(void **state)
{
	(void)state;
	ring_put(d, USED_FLAGS(d), 2, 0xfffe);
	offer(1, 0, name);
	virtqueue_kick(vq);
	if (d->kicks != 1)
		broken("flags 0xfffe are not NO_NOTIFY, but there were %u kicks", d->kicks);
}

/* The device goes to sleep: it takes NO_NOTIFY away and looks a last time.  Whoever asks
 * first and publishes then is not heard. */
static void asks_after_publishing(void **state)
{
	int order;

	(void)state;
	offer(1, 0, name);
	fence_watch(d, USED_FLAGS(d));
	virtqueue_kick(vq);
	order = fence_seen();
	if (order < 0)
		broken("the device's flags were not looked at");
	if (!order)
		broken("nothing keeps the look at the flags behind the store of the index: x86 may "
		       "let a load pass a store");
}

/* ---- 3.4: what is done -------------------------------------------------------------------- */

static void nothing_done(void **state)
{
	u32 written = 77;

	(void)state;
	assert_null(virtqueue_get(vq, &written));
	offer(2, 1, name);
	device_look(d);
	if (virtqueue_get(vq, &written))
		broken("the device is not done, but the driver took something out");
	finish_and_get(0, name);
	if (virtqueue_get(vq, &written))
		broken("one chain was done, the driver took out two");
}

static void any_order(void **state)
{
	static const u32 order[] = {5, 0, 3, 2, 0, 1, 1, 0};
	int *out[SMALL];
	u32 i, n, left = SMALL;

	(void)state;
	for (i = 0; i < SMALL; i++) {
		out[i] = &name[i];
		must_offer(1, 1, &name[i]);
	}
	device_look(d);
	for (i = 0; i < SMALL; i++) {
		n = order[i];
		finish_and_get(n, out[n]);
		memmove(out + n, out + n + 1, (--left - n) * sizeof(out[0]));
	}
}

/* Several are done before the driver looks at all. */
static void a_batch(void **state)
{
	u32 i, round, got;

	(void)state;
	for (round = 0; round < 3 * SMALL; round++) {
		for (i = 0; i < 5; i++)
			must_offer(1, 1, &name[i]);
		device_look(d);
		for (i = 0; i < 5; i++)
			device_finish(d, device_chain(d, 4 - i), i + 1);
		for (i = 0; i < 5; i++)
			if (get(&got) != &name[4 - i] || got != i + 1)
				broken("five were done; number %u came out wrong", i + 1);
		assert_null(get(NULL));
	}
}

static void used_wraps(void **state)
{
	u32 i, k;

	(void)state;
	for (i = 0; i < ROUNDS / 4; i++) {
		for (k = 0; k < 4; k++)
			offer(2, 1, &name[k]);
		device_look(d);
		device_finish(d, device_chain(d, 1), 0);
		device_finish(d, device_chain(d, 0), 0);
		if (get(NULL) != &name[1] || get(NULL) != &name[0])
			broken("after %u chains the driver takes out the wrong ones, or none", 4 * i);
		device_finish(d, device_chain(d, 1), 0);
		device_finish(d, device_chain(d, 0), 0);
		if (get(NULL) != &name[3] || get(NULL) != &name[2])
			broken("after %u chains the driver takes out the wrong ones, or none",
			       4 * i + 2);
		if (get(NULL))
			broken("nothing more is done after %u chains, but something came out",
			       4 * i + 4);
	}
}

/* The device is done at the very moment in which the driver looks. */
static void finishes_at_a_look(struct device *dev, u32 offset)
{
	if (offset == USED_INDEX(dev) && dev->count)
		device_finish(dev, device_chain(dev, 0), 5);
}

static void done_while_looking(void **state)
{
	u32 written, i;
	void *token;

	(void)state;
	for (i = 0; i < 20; i++) {
		/* What the entry holds from before: the same chain, or one that nobody has. */
		ring_put(d, USED_RING(d, d->used), 4, (vq->first_free + i % 2) % SMALL);
		ring_put(d, USED_RING(d, d->used) + 4, 4, 1234);
		offer(1, 1, name);
		device_look(d);
		d->reads = finishes_at_a_look;
		device_watch(d);
		token = virtqueue_get(vq, &written);
		device_watch_no_more();
		if (!token)
			token = virtqueue_get(vq, &written);
		if (!token)
			broken("done at the moment of the look, and the next look does not see it");
		if (token != name)
			broken("one chain was done, and another one's token came out");
		if (written != 5)
			broken("the entry was read before the index: %u bytes instead of 5", written);
	}
}

/* Each look is a new one. */
static u32 looked;

static void finishes_at_the_third(struct device *dev, u32 offset)
{
	if (offset == USED_INDEX(dev) && ++looked == 3)
		device_finish(dev, device_chain(dev, 0), 0);
}

static void looks_again(void **state)
{
	u32 tries = 0, written;

	(void)state;
	offer(1, 1, name);
	device_look(d);
	d->reads = finishes_at_the_third;
	looked = 0;
	device_watch(d);
	while (!virtqueue_get(vq, &written) && tries < 10)
		tries++;
	device_watch_no_more();
	if (tries != 2)
		broken("done at the third look, taken out at number %u", tries + 1);
}

/* ---- A device that lies ------------------------------------------------------------------- */

static void take(void)
{
	get(NULL);
}

static void lies(u32 id, const char *what)
{
	u8 before[sizeof(*vq)];
	const char *said;

	memcpy(before, vq, sizeof(*vq));
	device_lie(d, id, 1);
	said = panic_of(take);
	if (!said)
		broken("a device says that it is done with %s (%u), and is believed", what, id);
	if (memcmp(before, vq, offsetof(struct virtqueue, last_used)) ||
	    memcmp(before + offsetof(struct virtqueue, free_slots),
		   (u8 *)vq + offsetof(struct virtqueue, free_slots),
		   sizeof(*vq) - offsetof(struct virtqueue, free_slots)))
		broken("a device says that it is done with %s (%u): that was noticed, but too late",
		       what, id);
	if (!strstr(said, "a device says"))
		broken("the panic says '%s'; expected 'a device says ...'", said);
}

static void lies_beyond(void **state)
{
	static const u32 ids[] = {SMALL, SMALL + 1, 255, 256, 4096, 65535, 65536, 65537,
				  0x7fffffff, 0x80000000, 0xffffffff};
	u32 i;

	(void)state;
	offer(1, 1, name);
	device_look(d);
	for (i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		lies(ids[i], "a chain that does not exist");
	init(DEVICE_MOST);
	offer(1, 1, name);
	device_look(d);
	lies(DEVICE_MOST, "a chain that does not exist");
}

static void lies_not_offered(void **state)
{
	u32 i;

	(void)state;
	for (i = 0; i < SMALL; i++)
		lies(i, "a chain that it never had");
	offer(3, 1, name);
	device_look(d);
	lies(device_chain(d, 0)->slot[1], "the middle of a chain");
}

static void lies_twice(void **state)
{
	u32 head;

	(void)state;
	offer(2, 1, name);
	offer(1, 1, name + 1);
	device_look(d);
	head = device_chain(d, 0)->head;
	finish_and_get(0, name);
	lies(head, "the same chain twice");
}

/* Its index runs ahead of what it has. */
static void lies_far(void **state)
{
	u32 i;

	(void)state;
	for (i = 0; i < SMALL; i++)
		ring_put(d, USED_RING(d, i), 4, i * 1000003);
	offer(1, 1, name);
	device_look(d);
	ring_put(d, USED_INDEX(d), 2, 30000);
	for (i = 0; i < 3; i++)
		if (panic_of(take))
			return;
	broken("30000 chains are done, says a device that had one; nobody doubts it");
}

/* It changes its mind while we look: whatever is checked is what is used. */
static u32 id_looks;

static void second_thoughts(struct device *dev, u32 offset)
{
	u32 entry = USED_RING(dev, 0);

	if (offset == entry && ++id_looks == 2)
		ring_put(dev, entry, 4, VIRTQUEUE_MAX);
}

static void lies_later(void **state)
{
	u32 written;
	void *token;

	(void)state;
	offer(1, 1, name);
	device_look(d);
	id_looks = 0;
	device_finish(d, device_chain(d, 0), 3);
	d->reads = second_thoughts;
	device_watch(d);
	token = virtqueue_get(vq, &written);
	device_watch_no_more();
	if (id_looks > 1 && (token != name || vq->free_slots != SMALL))
		broken("the used entry was looked at twice, and said something else");
	if (token != name)
		broken("one chain was done, and %s came out", token ? "another one's token" : "none");
	if (vq->free_slots != SMALL)
		broken("one chain came back, and %u of %u slots are free", vq->free_slots, SMALL);
}

#define ON_RING(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_RING(all_slots_are_free), ON_RING(layout), ON_RING(nothing_leaks),
		ON_RING(a_tangle),
		ON_RING(one_chain), ON_RING(scattered), ON_RING(old_flags), ON_RING(no_room),
		ON_RING(published_last), ON_RING(avail_wraps),
		ON_RING(kick), ON_RING(no_notify), ON_RING(other_flags),
		ON_RING(asks_after_publishing),
		ON_RING(nothing_done), ON_RING(any_order), ON_RING(a_batch), ON_RING(used_wraps),
		ON_RING(done_while_looking), ON_RING(looks_again),
		ON_RING(lies_beyond), ON_RING(lies_not_offered), ON_RING(lies_twice),
		ON_RING(lies_far), ON_RING(lies_later),
	};

	return cmocka_run_group_tests_name("virtqueue", tests, NULL, NULL);
}
