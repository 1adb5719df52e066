// SPDX-License-Identifier: MIT
/*
 * Lab 5, where no student looks: a long talk between a Guest and a device, past the place
 * where the indexes wrap.  Chains of any length, given back in any order, the bell declined
 * now and then.  What each side is to see is kept in ordinary arrays.
 */
#include "test.h"

#define NUM	16u

static struct guest_memory m;
static struct complaint c;
static struct vq vq;
static struct vq_chain chain;
static struct vring_desc *desc;
static uint16_t *avail;
static uint8_t *used;

static void start(void)
{
	memory_create(&m, 1, &c);
	memset(&vq, 0, sizeof(vq));
	vq.mem = &m;
	vq.num = NUM;
	vq.gpa = memory_hand_out(&m, vring_bytes(NUM)) * 4096ull;
	desc = (void *)(m.base + vq.gpa);
	avail = (void *)(m.base + vq.gpa + 16 * NUM);
	used = m.base + vq.gpa + ((16 * NUM + 2 * (3 + NUM) + 4095) & ~4095u);
	vq_reset(&vq);
}

struct offered {
	uint16_t head;
	unsigned n, readable;
	uint32_t in, out;
};

static void talk(void **state)
{
	struct offered waiting[NUM], taken[NUM];
	unsigned waits = 0, held = 0, given = 0, bells = 0;
	bool busy[NUM] = { false }, pushed = false;

	(void)state;
	random_start("talk");
	start();
	for (unsigned step = 0; step < 400000; step++) {
		switch (below(4)) {
		case 0: {	/* the Guest offers a chain of free descriptors */
			struct offered o = { .n = 1 + below(3) };
			unsigned free[NUM], frees = 0;

			for (unsigned i = 0; i < NUM; i++)
				if (!busy[i])
					free[frees++] = i;
			if (frees < o.n)
				break;
			o.readable = below(o.n + 1);
			o.head = (uint16_t)free[0];
			for (unsigned k = 0; k < o.n; k++) {
				uint32_t len = below(2000);
				bool write = k >= o.readable;

				busy[free[k]] = true;
				*(write ? &o.in : &o.out) += len;
				desc[free[k]] = (struct vring_desc){ below(900000), len,
					(k + 1 < o.n ? VRING_DESC_F_NEXT : 0) |
					(write ? VRING_DESC_F_WRITE : 0),
					(uint16_t)(k + 1 < o.n ? free[k + 1] : random32()) };
			}
			avail[2 + avail[1] % NUM] = o.head;
			avail[1]++;
			waiting[waits++] = o;
			break;
		}
		case 1: {	/* the device takes one */
			int got = vq_pop(&vq, &chain);

			if (got != (waits != 0))
				fail_msg("step %u: vq_pop says %d, and %u wait: %s", step, got, waits,
					 vq.error);
			if (!waits)
				break;
			if (chain.head != waiting[0].head || chain.readable != waiting[0].readable ||
			    chain.readable + chain.writable != waiting[0].n ||
			    chain.read_bytes != waiting[0].out || chain.write_bytes != waiting[0].in)
				fail_msg("step %u: chain %u (%u + %u, %u and %u bytes) instead of %u "
					 "(%u of %u, %u and %u)", step, chain.head, chain.readable,
					 chain.writable, chain.read_bytes, chain.write_bytes,
					 waiting[0].head, waiting[0].readable, waiting[0].n,
					 waiting[0].out, waiting[0].in);
			taken[held++] = waiting[0];
			memmove(waiting, waiting + 1, --waits * sizeof(waiting[0]));
			break;
		}
		case 2: {	/* and gives one back, not always the first */
			unsigned k, at = 0;
			uint32_t id, len, wrote;
			uint16_t idx;

			if (!held)
				break;
			k = below(held);
			wrote = taken[k].in ? below(taken[k].in) : 0;
			vq_push(&vq, taken[k].head, wrote);
			memcpy(&idx, used + 2, 2);
			memcpy(&id, used + 4 + 8 * (given % NUM), 4);
			memcpy(&len, used + 8 + 8 * (given % NUM), 4);
			given++;
			if (idx != (uint16_t)given || id != taken[k].head || len != wrote)
				fail_msg("step %u: used index %u, chain %u, %u bytes; expected %u, %u, "
					 "%u", step, idx, id, len, (uint16_t)given, taken[k].head, wrote);
			for (unsigned n = taken[k].n, d = taken[k].head; n; n--, d = at) {
				at = desc[d].next;
				busy[d] = false;
			}
			taken[k] = taken[--held];
			pushed = true;
			break;
		}
		case 3: {	/* does the bell ring? */
			bool wants;

			avail[0] = below(2);
			wants = vq_wants_interrupt(&vq);
			if (wants != (pushed && !avail[0]))
				fail_msg("step %u: the bell %s; pushed %u, declined %u", step,
					 wants ? "rings" : "is silent", pushed, avail[0]);
			bells += wants;
			pushed = false;
			break;
		}
		}
	}
	memory_destroy(&m);
	if (given < 66000 || bells < 10000)
		fail_msg("only %u given back and %u bells", given, bells);
}

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(talk) };

	return cmocka_run_group_tests_name("hidden", tests, NULL, NULL);
}
