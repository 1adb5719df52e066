// SPDX-License-Identifier: MIT
/*
 * The ring against a Guest that lies.  memory_fetch() is wrapped: so we see which
 * bytes the code looks at, how often, and can change them behind its back.
 */
#include <signal.h>
#include <ucontext.h>

#include "test.h"

#define NUM 8		/* a small ring is a quick ring */

static struct guest_memory m;
static struct complaint c;
static struct vq vq;
static struct vq_chain chain;

/* ---- The Guest's side of the ring, written from virtio 0.9.5 once more ---- */

static struct vring_desc *desc;
static uint16_t *avail;		/* flags, idx, ring[] */
static uint8_t *used;

static int make_ring(unsigned num)
{
	if (memory_create(&m, 1, &c))
		return -1;
	memset(&vq, 0, sizeof(vq));
	vq.mem = &m;
	vq.num = (uint16_t)num;
	vq.gpa = memory_hand_out(&m, vring_bytes(num)) * 4096ull;
	desc = (void *)(m.base + vq.gpa);
	avail = (void *)(m.base + vq.gpa + 16 * num);
	used = m.base + vq.gpa + ((16 * num + 2 * (3 + num) + 4095) & ~4095u);
	vq_reset(&vq);
	return 0;
}

static int set_up(void **state)
{
	(void)state;
	return make_ring(NUM);
}

static int tear_down(void **state)
{
	(void)state;
	memory_destroy(&m);
	return 0;
}

static void put_desc(unsigned i, uint64_t addr, uint32_t len, uint16_t flags, uint16_t next)
{
	desc[i] = (struct vring_desc){ addr, len, flags, next };
}

static void offer(uint16_t head)
{
	avail[2 + avail[1] % vq.num] = head;
	avail[1]++;
}

static uint16_t used_idx(void)
{
	uint16_t idx;

	memcpy(&idx, used + 2, 2);
	return idx;
}

static struct vring_used_elem used_elem(unsigned i)
{
	struct vring_used_elem e;

	memcpy(&e, used + 4 + 8 * (i % vq.num), 8);
	return e;
}

/* ---- Watching the reads ---- */

bool __real_memory_fetch(const struct guest_memory *mem, uint64_t gpa, void *to, size_t len);
bool __wrap_memory_fetch(const struct guest_memory *mem, uint64_t gpa, void *to, size_t len);

static unsigned fetches[NUM];
static struct vring_desc *swap_to;	/* what a descriptor becomes once it was read */

bool __wrap_memory_fetch(const struct guest_memory *mem, uint64_t gpa, void *to, size_t len)
{
	bool good = __real_memory_fetch(mem, gpa, to, len);

	for (unsigned i = 0; i < NUM; i++) {
		uint64_t at = vq.gpa + i * 16;

		if (vq.num != NUM || gpa >= at + 16 || gpa + len <= at)
			continue;
		fetches[i]++;
		if (swap_to)
			desc[i] = *swap_to;
	}
	return good;
}

/* ---- Saying what was expected ---- */

#define EQUAL(what, want) \
	do { \
		long long seen_ = (long long)(what), want_ = (long long)(want); \
		if (seen_ != want_) \
			fail_msg("%s is %lld, expected %lld", #what, seen_, want_); \
	} while (0)

static const char *meaning(int popped)
{
	return popped == 1 ? "1, a chain" : popped == 0 ? "0, nothing new" :
	       popped == -1 ? "-1, the ring is broken" : "no answer that there is";
}

static void pop(int want)
{
	int got = vq_pop(&vq, &chain);

	if (got != want)
		fail_msg("the available index is %u, we are at %u: vq_pop() says %d (%s)%s%s; expected "
			 "%s", avail[1], vq.next_avail, got, meaning(got), vq.error[0] ? ": " : "",
			 vq.error, meaning(want));
}

static void bell(bool want, const char *when)
{
	if (vq_wants_interrupt(&vq) != want)
		fail_msg("%s: vq_wants_interrupt() says %s", when, want ? "no" : "yes");
}

/* Buffer i of the chain. */
static void buffer(unsigned i, uint64_t at, size_t len)
{
	if (chain.iov[i].iov_base != m.base + at || chain.iov[i].iov_len != len)
		fail_msg("chain.iov[%u] is %zu bytes at guest-physical 0x%llx, expected %zu at 0x%llx", i,
			 chain.iov[i].iov_len,
			 (unsigned long long)((uint8_t *)chain.iov[i].iov_base - m.base), len,
			 (unsigned long long)at);
}

/* ---- One instruction at a time ---- */

#define TRAP_FLAG 0x100

static void (*each_step)(const uint8_t *code);	/* before the instruction that is there */

static void stepped(int signal, siginfo_t *info, void *context)
{
	greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)signal;
	(void)info;
	if (!each_step) {
		registers[REG_EFL] &= ~(greg_t)TRAP_FLAG;
		return;
	}
	registers[REG_EFL] |= TRAP_FLAG;
	each_step((const uint8_t *)registers[REG_RIP]);
}

static void step_from_here(void (*step)(const uint8_t *code))
{
	struct sigaction action = { .sa_sigaction = stepped, .sa_flags = SA_SIGINFO };

	assert_int_equal(sigaction(SIGTRAP, &action, NULL), 0);
	each_step = step;
	asm volatile("int3" : : : "memory");
}

static void step_no_more(void)
{
	each_step = NULL;
}

/* ---- Good behaviour ---- */

static void nothing(void **state)
{
	(void)state;
	pop(0);
	pop(0);
	bell(false, "nothing was pushed");
	assert_string_equal(vq.error, "");
}

static void one_chain(void **state)
{
	(void)state;
	put_desc(3, 0x5000, 10, VRING_DESC_F_NEXT, 1);
	put_desc(1, 0x6000, 20, VRING_DESC_F_NEXT, 6);
	put_desc(6, 0x7000, 30, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 0);
	put_desc(0, 0x8000, 40, VRING_DESC_F_WRITE, 99);	/* no NEXT: 99 is not looked at */
	offer(3);
	pop(1);
	EQUAL(chain.head, 3);
	EQUAL(chain.readable, 2);
	EQUAL(chain.writable, 2);
	EQUAL(chain.read_bytes, 30);
	EQUAL(chain.write_bytes, 70);
	buffer(0, 0x5000, 10);
	buffer(1, 0x6000, 20);
	buffer(2, 0x7000, 30);
	buffer(3, 0x8000, 40);
	vq_push(&vq, chain.head, 70);
	EQUAL(used_idx(), 1);
	EQUAL(used_elem(0).id, 3);
	EQUAL(used_elem(0).len, 70);
	pop(0);
}

/* The whole ring of 256 with its parts where ABI.md 8.2 says. */
static void layout_of_256(void **state)
{
	(void)state;
	assert_int_equal(make_ring(256), 0);
	EQUAL(vring_bytes(256), 10246);
	m.base[vq.gpa + 0x1000 + 2] = 1;	/* avail.idx */
	m.base[vq.gpa + 0x1000 + 4] = 200;	/* avail.ring[0] */
	put_desc(200, 0x3000, 4, VRING_DESC_F_WRITE, 0);
	pop(1);
	EQUAL(chain.head, 200);
	vq_push(&vq, 200, 4);
	EQUAL(m.base[vq.gpa + 0x2000 + 2], 1);
	EQUAL(m.base[vq.gpa + 0x2000 + 4], 200);
	EQUAL(m.base[vq.gpa + 0x2000 + 8], 4);
	tear_down(NULL);
}

static void index_wraps_at_65536(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 70000; i++) {
		unsigned head = i * 5 % NUM;

		put_desc(head, 0x1000 + head, 1 + i % 7, 0, 0);
		offer((uint16_t)head);
		pop(1);
		EQUAL(chain.head, head);
		EQUAL(chain.read_bytes, 1 + i % 7);
		vq_push(&vq, chain.head, i);
		EQUAL(used_idx(), (uint16_t)(i + 1));
		EQUAL(used_elem(i).id, head);
		EQUAL(used_elem(i).len, i);
	}
	pop(0);
}

/* NUM at once is allowed, across the wrap too. */
static void full_ring_across_the_wrap(void **state)
{
	(void)state;
	vq.next_avail = vq.next_used = 65532;
	avail[1] = 65532;
	for (unsigned i = 0; i < NUM; i++) {
		put_desc(i, 0x1000, 1, 0, 0);
		offer((uint16_t)i);
	}
	EQUAL(avail[1], 4);
	for (unsigned i = 0; i < NUM; i++) {
		pop(1);
		EQUAL(chain.head, i);
	}
	pop(0);
}

static void longest_chain(void **state)
{
	(void)state;
	for (unsigned i = 0; i < NUM; i++)
		put_desc(i, 0x1000, 1, i < NUM - 1 ? VRING_DESC_F_NEXT : 0, (uint16_t)(i + 1));
	offer(0);
	pop(1);
	EQUAL(chain.readable, NUM);
}

static void empty_buffer(void **state)
{
	(void)state;
	put_desc(0, 0x1000, 0, VRING_DESC_F_WRITE, 0);
	offer(0);
	pop(1);
	EQUAL(chain.writable, 1);
	EQUAL(chain.write_bytes, 0);
}

static void last_bytes_of_memory(void **state)
{
	(void)state;
	put_desc(0, m.limit - 16, 16, 0, 0);
	offer(0);
	pop(1);
}

static void interrupts(void **state)
{
	(void)state;
	put_desc(0, 0x1000, 1, 0, 0);
	offer(0);
	offer(0);
	vq_pop(&vq, &chain);
	vq_push(&vq, 0, 0);
	vq_pop(&vq, &chain);
	vq_push(&vq, 0, 0);
	bell(true, "two buffers were pushed, the Guest's flags are 0");
	bell(false, "asked again, and nothing was pushed since");
	avail[0] = VRING_AVAIL_F_NO_INTERRUPT;
	vq_push(&vq, 0, 0);
	bell(false, "one was pushed, the Guest said NO_INTERRUPT");
	avail[0] = 0;
	bell(false, "it was asked about that one, and declined");
	vq_push(&vq, 0, 0);
	bell(true, "one was pushed, the Guest took NO_INTERRUPT back");
	avail[0] = (uint16_t)~VRING_AVAIL_F_NO_INTERRUPT;
	vq_push(&vq, 0, 0);
	bell(true, "one was pushed, the Guest's flags are 0xfffe, and only bit 0 means NO_INTERRUPT");
}

/* The Guest may look at any moment: once the index has moved, the entry is there. */
static int entry_was_there;		/* when the index moved; -1: it has not */
static uint16_t index_before;

static void looks_at_the_index(const uint8_t *code)
{
	struct vring_used_elem e = used_elem(index_before);

	(void)code;
	if (entry_was_there < 0 && used_idx() != index_before)
		entry_was_there = e.id == 5 && e.len == 77;
}

static void entry_first(void **state)
{
	(void)state;
	vq_push(&vq, 1, 2);
	index_before = used_idx();
	entry_was_there = -1;
	step_from_here(looks_at_the_index);
	vq_push(&vq, 5, 77);
	step_no_more();
	if (entry_was_there < 0)
		fail_msg("vq_push() leaves the used index at %u", used_idx());
	if (!entry_was_there)
		fail_msg("the used index moved before its entry was written: a Guest that looks at that "
			 "moment takes what stood there before");
}

/* Is the instruction at code one behind which no load can be that stands in front of it? */
static bool is_fence(const uint8_t *code)
{
	while (*code == 0x66 || *code == 0x67 || (*code & 0xf0) == 0x40)
		code++;
	return *code == 0xf0 ||					/* lock */
	       (code[0] == 0x0f && code[1] == 0xae && code[2] == 0xf0) ||	/* mfence */
	       ((code[0] == 0x86 || code[0] == 0x87) && code[1] < 0xc0);	/* xchg, memory */
}

/* As late as x86 may let our load be early: the Guest says NO_INTERRUPT at the fence. */
static void declines_at_the_fence(const uint8_t *code)
{
	if (is_fence(code))
		avail[0] = VRING_AVAIL_F_NO_INTERRUPT;
}

static void fence_before_flags(void **state)
{
	bool wants;

	(void)state;
	vq_push(&vq, 0, 0);
	bell(true, "one was pushed, the Guest's flags are 0");
	vq_push(&vq, 0, 0);
	step_from_here(declines_at_the_fence);
	wants = vq_wants_interrupt(&vq);
	step_no_more();
	if (wants)
		fail_msg("nothing keeps the look at the Guest's flags behind the store of the index: x86 "
			 "may let a load pass a store");
}

static void reset(void **state)
{
	(void)state;
	put_desc(0, 0x1000, 1, VRING_DESC_F_NEXT, 0);
	offer(0);
	pop(-1);
	vq_push(&vq, 0, 0);
	vq_reset(&vq);
	for (unsigned i = 0; i < vring_bytes(NUM); i++)
		EQUAL(m.base[vq.gpa + i], 0);
	assert_false(vq_wants_interrupt(&vq));
	put_desc(2, 0x1000, 1, 0, 0);
	offer(2);
	pop(1);
	vq_push(&vq, 2, 0);
	EQUAL(used_idx(), 1);
}

/* ---- Bad behaviour ---- */

/* The ring must break, say so, and stay broken. */
static void expect_broken(const char *says)
{
	pop(-1);
	if (!strstr(vq.error, says))
		fail_msg("the ring breaks, but its sentence '%s' does not say '%s'", vq.error, says);
	put_desc(7, 0x1000, 1, 0, 0);
	offer(7);
	pop(-1);
}

#define HOSTILE(X) \
	X(head_is_num, "only 8", (offer(NUM))) \
	X(head_is_65535, "65535", (offer(65535))) \
	X(next_is_num, "next is 8", \
	  (put_desc(0, 0x1000, 1, VRING_DESC_F_NEXT, NUM), offer(0))) \
	X(next_is_65535, "next is 65535", \
	  (put_desc(0, 0x1000, 1, VRING_DESC_F_NEXT, 65535), offer(0))) \
	X(self_loop, "loop", (put_desc(5, 0x1000, 1, VRING_DESC_F_NEXT, 5), offer(5))) \
	X(loop_of_two, "loop", (put_desc(5, 0x1000, 1, VRING_DESC_F_NEXT, 4), \
	  put_desc(4, 0x1000, 1, VRING_DESC_F_NEXT, 5), offer(5))) \
	X(loop_of_empty_ones, "loop", (put_desc(5, 0, 0, VRING_DESC_F_NEXT, 5), offer(5))) \
	X(loop_behind_a_tail, "loop", (put_desc(0, 0x1000, 1, VRING_DESC_F_NEXT, 1), \
	  put_desc(1, 0x1000, 1, VRING_DESC_F_NEXT, 2), \
	  put_desc(2, 0x1000, 1, VRING_DESC_F_NEXT, 1), offer(0))) \
	X(addr_outside, "outside", (put_desc(0, m.limit, 1, 0, 0), offer(0))) \
	X(addr_one_too_far, "outside", (put_desc(0, m.limit - 15, 16, 0, 0), offer(0))) \
	X(addr_high, "outside", (put_desc(0, 1ull << 32 | 0x1000, 1, 0, 0), offer(0))) \
	X(addr_wraps, "outside", (put_desc(0, UINT64_MAX - 3, 8, 0, 0), offer(0))) \
	X(addr_wraps_exactly, "outside", (put_desc(0, 0u - 0x1000ull, 0x1000, 0, 0), offer(0))) \
	X(len_all, "outside", (put_desc(0, 0x1000, 0xffffffff, VRING_DESC_F_WRITE, 0), offer(0))) \
	X(second_is_outside, "descriptor 1", (put_desc(0, 0x1000, 1, VRING_DESC_F_NEXT, 1), \
	  put_desc(1, m.limit, 1, 0, 0), offer(0))) \
	X(write_before_read, "after one to be written", \
	  (put_desc(0, 0x1000, 1, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 1), \
	   put_desc(1, 0x1000, 1, 0, 0), offer(0))) \
	X(indirect, "indirect", (put_desc(0, 0x1000, 16, VRING_DESC_F_INDIRECT, 0), offer(0))) \
	X(one_more_than_the_ring, "went from 0 to 9", (avail[1] = NUM + 1)) \
	X(index_goes_back, "went from 0 to 65535", (avail[1] = 65535)) \
	X(too_far_across_the_wrap, "went from 65532 to 100", \
	  (vq.next_avail = 65532, avail[1] = 100)) \
	X(index_far_away, "went from 0 to 32768", (avail[1] = 32768))

#define HOSTILE_TEST(name, says, deed) \
	static void name(void **state) { (void)state; deed; expect_broken(says); }
HOSTILE(HOSTILE_TEST)

/* A Guest with room for descriptors of 600 MiB to point into. */
static void gigabyte(void)
{
	memory_destroy(&m);
	assert_int_equal(memory_create(&m, 1024, &c), 0);
	vq.gpa = memory_hand_out(&m, vring_bytes(NUM)) * 4096ull;
	desc = (void *)(m.base + vq.gpa);
	avail = (void *)(m.base + vq.gpa + 16 * NUM);
}

/* Eight times 600 MiB is more than 32 bits of length. */
static void length_wraps(void **state)
{
	(void)state;
	gigabyte();
	for (unsigned i = 0; i < NUM; i++)
		put_desc(i, 0, 600 * MIB, VRING_DESC_F_WRITE | (i < 7 ? VRING_DESC_F_NEXT : 0),
			 (uint16_t)(i + 1));
	offer(0);
	expect_broken("longer than 4 GiB");
}

/* The two kinds are counted apart: 2400 MiB to read, and 2400 MiB to write, are good. */
static void length_of_both(void **state)
{
	(void)state;
	gigabyte();
	for (unsigned i = 0; i < NUM; i++)
		put_desc(i, 0, 600 * MIB, (i < 4 ? 0 : VRING_DESC_F_WRITE) |
			 (i < 7 ? VRING_DESC_F_NEXT : 0), (uint16_t)(i + 1));
	offer(0);
	pop(1);
	EQUAL(chain.read_bytes, 4 * 600u * MIB);
	EQUAL(chain.write_bytes, 4 * 600u * MIB);
}

/* All 256 in a circle: there is room for 256 in a chain, and for not one more. */
static void loop_of_all(void **state)
{
	(void)state;
	assert_int_equal(make_ring(256), 0);
	for (unsigned i = 0; i < 256; i++)
		put_desc(i, 0x1000, 1, VRING_DESC_F_NEXT, (uint16_t)((i + 1) % 256));
	offer(0);
	expect_broken("loop");
	tear_down(NULL);
}

static void ring_outside(void **state)
{
	(void)state;
	vq.gpa = m.limit - 100;
	pop(-1);
	vq_push(&vq, 0, 0);		/* must not crash either */
	assert_false(vq.error[0] == '\0');
}

/* Each descriptor is looked at once, and what it becomes then does not matter. */
static void changes_once_read(void **state)
{
	struct vring_desc evil = { UINT64_MAX - 100, 0xffff, VRING_DESC_F_NEXT, 0x7fff };

	(void)state;
	memset(fetches, 0, sizeof(fetches));
	put_desc(0, 0x1000, 100, VRING_DESC_F_NEXT, 2);
	put_desc(2, 0x2000, 200, VRING_DESC_F_WRITE, 0);
	offer(0);
	swap_to = &evil;
	pop(1);
	swap_to = NULL;
	EQUAL(fetches[0], 1);
	EQUAL(fetches[2], 1);
	buffer(0, 0x1000, 100);
	buffer(1, 0x2000, 200);
	EQUAL(chain.writable, 1);
}

/* The same with a real second thread that never rests. */
static atomic_bool stop;

static void *toggler(void *unused)
{
	(void)unused;
	for (unsigned i = 0; !stop; i++) {
		volatile struct vring_desc *d = &desc[0];

		d->addr = i & 1 ? 0x1000 : UINT64_MAX - 8;
		d->len = i & 2 ? 16 : 0xfffffff0;
		d->next = i & 4 ? 1 : 500;
		d->flags = i & 8 ? VRING_DESC_F_NEXT : VRING_DESC_F_WRITE;
	}
	return NULL;
}

static void changes_all_the_time(void **state)
{
	pthread_t thread;
	unsigned good = 0;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, toggler, NULL), 0);
	/* On a busy machine the other thread may come late. */
	for (unsigned i = 0; i < 200000 || (!good && i < 5000000); i++) {
		vq.error[0] = '\0';
		put_desc(1, 0x3000, 8, 0, 0);
		offer(0);
		if (vq_pop(&vq, &chain) <= 0)
			continue;
		good++;
		for (unsigned k = 0; k < chain.readable + chain.writable; k++) {
			uint8_t *p = chain.iov[k].iov_base;

			assert_true(p >= m.base && p < m.base + m.limit);
			assert_true(chain.iov[k].iov_len <= (size_t)(m.base + m.limit - p));
		}
	}
	stop = true;
	pthread_join(thread, NULL);
	assert_true(good > 0);
}

/* ---- Random rings, and an oracle ---- */

static int oracle(uint16_t head, unsigned *readable, unsigned *writable)
{
	bool seen[NUM] = { false };

	*readable = *writable = 0;
	for (unsigned i = head;; i = desc[i].next) {
		if (i >= NUM || seen[i])
			return -1;
		seen[i] = true;
		for (uint64_t b = 0; b < desc[i].len; b += desc[i].len > 4096 ? 4096 : 1)
			if (desc[i].addr + b >= m.limit || desc[i].addr + b < desc[i].addr)
				return -1;
		/* The steps of a long one may pass over the end of memory. */
		if (desc[i].len && desc[i].addr + desc[i].len - 1 >= m.limit)
			return -1;
		if (desc[i].flags & VRING_DESC_F_INDIRECT)
			return -1;
		if (desc[i].flags & VRING_DESC_F_WRITE)
			++*writable;
		else if (*writable)
			return -1;
		else
			++*readable;
		if (!(desc[i].flags & VRING_DESC_F_NEXT))
			return 1;
	}
}

static void random_rings(void **state)
{
	unsigned good = 0;

	(void)state;
	random_start("random_rings");
	for (unsigned round = 0; round < 100000; round++) {
		unsigned readable, writable;
		uint16_t head = (uint16_t)(below(20) ? below(NUM) : below(12));
		int want, got;

		for (unsigned i = 0; i < NUM; i++) {
			static const uint16_t flags[] = { 0, 1, 1, 2, 3, 3, 3, 4 };
			uint64_t addr = below(30) ? below(MIB - 300) : m.limit - below(400);
			uint32_t len = 1 + below(300);

			if (!below(60))
				addr += (uint64_t)random32() << 32;
			if (!below(60))
				len = random32() | 4096;
			put_desc(i, addr, len, flags[below(below(10) ? 7 : 8)],
				 (uint16_t)(below(12) ? below(NUM) : below(10)));
		}
		vq.error[0] = '\0';
		want = oracle(head, &readable, &writable);
		offer(head);
		got = vq_pop(&vq, &chain);
		if (head >= NUM)		/* not taken, so it is still on offer */
			avail[1]--;
		if (got != want)
			fail_msg("round %u, chain from %u: vq_pop() says %d (%s) '%s'; one who remembers where "
				 "he was says %d (%s)", round, head, got, meaning(got), vq.error, want,
				 meaning(want));
		if (got == 1) {
			good++;
			EQUAL(chain.readable, readable);
			EQUAL(chain.writable, writable);
		}
	}
	assert_true(good > 5000);
}

#define ON_RING(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define HOSTILE_ENTRY(name, says, deed) ON_RING(name),

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_RING(nothing), ON_RING(one_chain), TEST(layout_of_256),
		ON_RING(index_wraps_at_65536), ON_RING(full_ring_across_the_wrap),
		ON_RING(longest_chain), ON_RING(empty_buffer), ON_RING(last_bytes_of_memory),
		ON_RING(interrupts), ON_RING(entry_first), ON_RING(fence_before_flags), ON_RING(reset),
		HOSTILE(HOSTILE_ENTRY)
		ON_RING(length_wraps), ON_RING(length_of_both), TEST(loop_of_all),
		ON_RING(ring_outside), ON_RING(changes_once_read),
		ON_RING(changes_all_the_time), ON_RING(random_rings),
	};

	return cmocka_run_group_tests_name("virtqueue", tests, NULL, NULL);
}
