/* SPDX-License-Identifier: MIT */
/*
 * 1.4 and 1.5: the ring, against a Host who works it off as slowly, or as quickly, as he
 * pleases: between any two instructions, if need be.
 */
#include "gate.h"
#include "lguest.h"

#define MOST 4096u

static struct hcall_args asked[MOST], done[MOST];
static u32 asked_count, done_count, trips, cursor, direct[LHCALL_COUNT];
static bool eager;

static struct lguest_data *lg(void)
{
	return guest(guest_symbol("lguest_data"));
}

static void begin(u32 start)
{
	memset(lg(), 0, sizeof(*lg()));
	memset(lg()->hcall_status, LHCALL_RING_FREE, LHCALL_RING_SIZE);
	GUEST(u32, "ring_position") = cursor = start;
	GUEST(u8, "ring_used") = 0;
	memset(direct, 0, sizeof(direct));
	asked_count = done_count = trips = 0;
	eager = false;
	guest_single_step = false;
}

/* What the Host does with the ring; at most so many calls of it. */
static void drain(u32 most)
{
	for (; most && lg()->hcall_status[cursor] != LHCALL_RING_FREE; most--) {
		assert_true(done_count < MOST);
		done[done_count++] = lg()->hcalls[cursor];
		lg()->hcall_status[cursor] = LHCALL_RING_FREE;
		cursor = (cursor + 1) % LHCALL_RING_SIZE;
	}
}

static void host(u32 vector, struct regs *r)
{
	if (vector != LGUEST_TRAP_ENTRY || r->eax >= LHCALL_COUNT)
		fail_msg("int 0x%x with eax 0x%x", vector, r->eax);
	trips++;
	direct[r->eax]++;
	drain(LHCALL_RING_SIZE);
	if (r->eax != LHCALL_FLUSH_ASYNC)
		done[done_count++] = (struct hcall_args){r->eax, r->ebx, r->ecx, r->edx, r->esi};
}

static void step(struct regs *r)
{
	(void)r;
	if (eager || random32() % 40 == 0)
		drain(eager ? LHCALL_RING_SIZE : random32() % 6);
}

static u32 call(const char *name)
{
	struct hcall_args a = {LHCALL_SET_PTE, random32(), random32(), random32(), random32()};
	u32 at = GUEST(u32, "ring_position"), result;

	asked[asked_count++] = a;
	result = guest_call(name, 5, a.number, a.arg1, a.arg2, a.arg3, a.arg4) & 0xff;
	if (GUEST(u32, "ring_position") >= LHCALL_RING_SIZE)
		fail_msg("ring_position was %u and became %u: the slots are 0 to %u", at,
			 GUEST(u32, "ring_position"), LHCALL_RING_SIZE - 1);
	return result;
}

static void same_order(u32 count)
{
	if (done_count != count)
		fail_msg("the Host did %u calls, expected %u", done_count, count);
	for (u32 i = 0; i < count; i++)
		if (memcmp(&asked[i], &done[i], sizeof(asked[i])))
			fail_msg("call %u: the Host did %u(0x%x, 0x%x, 0x%x, 0x%x), expected "
				 "%u(0x%x, 0x%x, 0x%x, 0x%x)", i, done[i].number, done[i].arg1,
				 done[i].arg2, done[i].arg3, done[i].arg4, asked[i].number,
				 asked[i].arg1, asked[i].arg2, asked[i].arg3, asked[i].arg4);
}

static void one_slot(void **state)
{
	(void)state;
	begin(0);
	guest_on_int = host;
	if (call("push_it") != 1)
		fail_msg("ring_push() says that an empty ring is full");
	if (trips)
		fail_msg("ring_push() made a hypercall");
	if (lg()->hcall_status[0] == LHCALL_RING_FREE)
		fail_msg("the slot says free: the Host would not look at it");
	if (GUEST(u32, "ring_position") != 1)
		fail_msg("ring_position is %u, expected 1", GUEST(u32, "ring_position"));
	if (!GUEST(u8, "ring_used"))
		fail_msg("ring_used is not set: nobody would flush");
	drain(1);
	same_order(1);
}

static void full(void **state)
{
	struct lguest_data before;

	(void)state;
	for (u32 start = 0; start < LHCALL_RING_SIZE; start += 21) {
		begin(start);
		for (u32 i = 0; i < LHCALL_RING_SIZE; i++)
			if (call("push_it") != 1)
				fail_msg("full after %u calls, expected room for %u", i,
					 LHCALL_RING_SIZE);
		before = *lg();
		GUEST(u8, "ring_used") = 0;
		if (call("push_it") != 0)
			fail_msg("one call more found room: in a slot that the Host had not freed");
		if (memcmp(&before, lg(), sizeof(before)))
			fail_msg("a call was refused, and still changed the ring");
		if (GUEST(u32, "ring_position") != start)
			fail_msg("a call was refused, and still moved on");
		drain(LHCALL_RING_SIZE);
		same_order(LHCALL_RING_SIZE);
	}
}

static void round_and_round(void **state)
{
	(void)state;
	begin(5);
	for (u32 i = 0; i < 300; i++) {
		if (call("push_it") != 1)
			fail_msg("call %u found no room, though all before it were done", i);
		drain(1);
	}
	same_order(300);
}

/* The Host looks after every single instruction: whatever says "please do" is complete. */
static void at_every_instruction(void **state)
{
	(void)state;
	begin(LHCALL_RING_SIZE - 4);
	eager = true;
	guest_single_step = true;
	guest_on_step = step;
	for (u32 i = 0; i < 20; i++)
		if (call("push_it") != 1)
			fail_msg("call %u found no room, though all before it were done", i);
	drain(1);
	same_order(20);
}

static void a_lagging_host(void **state)
{
	u32 good = 0;

	(void)state;
	begin(0);
	guest_single_step = true;
	guest_on_step = step;
	for (u32 tries = 0; good < 500; tries++) {
		if (tries == 3000)
			fail_msg("3000 tries, and only %u found room", good);
		if (call("push_it"))
			good++;
		else
			asked_count--;
	}
	drain(LHCALL_RING_SIZE);
	same_order(500);
}

static void not_in_a_batch(void **state)
{
	(void)state;
	begin(0);
	guest_on_int = host;
	call("lazy_hypercall");
	if (trips != 1)
		fail_msg("outside of a batch a call was not made at once: %u trips", trips);
	guest_call("lguest_batch_begin", 0);
	call("lazy_hypercall");
	guest_call("lguest_batch_end", 0);
	trips = 0;
	call("lazy_hypercall");
	if (trips != 1)
		fail_msg("after the batch a call was not made at once: %u trips", trips);
	same_order(3);
}

static void a_batch(void **state)
{
	(void)state;
	begin(LHCALL_RING_SIZE - 2);
	guest_on_int = host;
	guest_call("lguest_batch_begin", 0);
	for (u32 i = 0; i < 5; i++)
		call("lazy_hypercall");
	if (trips)
		fail_msg("%u trips inside the batch, expected none", trips);
	guest_call("lguest_batch_end", 0);
	if (trips != 1 || !direct[LHCALL_FLUSH_ASYNC])
		fail_msg("%u trips at the end of the batch, expected one FLUSH_ASYNC", trips);
	same_order(5);
}

static void nothing_to_send(void **state)
{
	(void)state;
	begin(0);
	guest_on_int = host;
	guest_call("lguest_batch_begin", 0);
	guest_call("lguest_batch_end", 0);
	guest_call("ring_flush", 0);
	if (trips)
		fail_msg("%u trips for nothing: the ring was empty", trips);
	guest_call("lguest_batch_begin", 0);
	call("lazy_hypercall");
	guest_call("lguest_batch_end", 0);
	guest_call("ring_flush", 0);
	if (trips != 1)
		fail_msg("%u trips for one call, expected 1", trips);
	same_order(1);
}

static void a_hundred(void **state)
{
	(void)state;
	begin(10);
	guest_on_int = host;
	guest_call("lguest_batch_begin", 0);
	for (u32 i = 0; i < 100; i++)
		call("lazy_hypercall");
	guest_call("lguest_batch_end", 0);
	same_order(100);
	/* Whenever the ring is full, one goes directly and takes the others along. */
	if (trips != (100 + LHCALL_RING_SIZE) / (LHCALL_RING_SIZE + 1))
		fail_msg("%u trips for a hundred calls, expected %u", trips,
			 (100 + LHCALL_RING_SIZE) / (LHCALL_RING_SIZE + 1));
}

static void any_batches(void **state)
{
	u32 calls = 0, most = 0;

	(void)state;
	begin(random32() % LHCALL_RING_SIZE);
	guest_on_int = host;
	for (u32 i = 0; i < 60; i++) {
		u32 n = random32() % (i % 7 ? 12 : 90);

		most += n ? 1 + n / (LHCALL_RING_SIZE + 1) : 0;
		guest_call("lguest_batch_begin", 0);
		for (u32 k = 0; k < n && asked_count < MOST - 100; k++, calls++)
			call("lazy_hypercall");
		guest_call("lguest_batch_end", 0);
	}
	same_order(calls);
	if (trips > most)
		fail_msg("%u trips for %u calls, expected at most %u", trips, calls, most);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_slot), TEST(full), TEST(round_and_round), TEST(at_every_instruction),
		TEST(a_lagging_host), TEST(not_in_a_batch), TEST(a_batch), TEST(nothing_to_send),
		TEST(a_hundred), TEST(any_batches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
