/* SPDX-License-Identifier: MIT */
/*
 * Lab 1, where no student looks: hypercalls in other shapes, days with many interrupts, and
 * a ring whose Host scribbles over what he has done.  What should be is kept in plain words.
 */
#include "gate.h"
#include "lguest.h"

static struct regs seen[128];
static u32 count;
static void (*meanwhile)(struct regs *r);

static struct lguest_data *lg(void)
{
	return guest(guest_symbol("lguest_data"));
}

/* ---- 1.2: how to ask ------------------------------------------------------------------ */

static void listen(u32 vector, struct regs *r)
{
	if (vector != LGUEST_TRAP_ENTRY)
		fail_msg("int 0x%x, expected int 0x%x", vector, LGUEST_TRAP_ENTRY);
	if (count == 128)
		fail_msg("memory: 128 hypercalls and no end: what the Host writes is not seen");
	seen[count++] = *r;
	if (meanwhile)
		meanwhile(r);
}

static void words(u32 k, u32 number, u32 arg1, u32 arg2, u32 arg3, u32 arg4)
{
	const struct regs *r = &seen[k];

	if (r->eax != number || r->ebx != arg1 || r->ecx != arg2 || r->edx != arg3 ||
	    r->esi != arg4)
		fail_msg("call %u was 0x%x(0x%x, 0x%x, 0x%x, 0x%x), expected 0x%x(0x%x, 0x%x, 0x%x, "
			 "0x%x)", k, r->eax, r->ebx, r->ecx, r->edx, r->esi, number, arg1, arg2,
			 arg3, arg4);
}

static u32 ring_at;

static void ring_the_bell(struct regs *r)
{
	(void)r;
	if (count == ring_at)
		GUEST(u32, "bell") = 1;
}

static void waits(void **state)
{
	(void)state;
	guest_on_int = listen;
	meanwhile = ring_the_bell;
	for (u32 round = 0; round < 40; round++) {
		u32 n = random32(), got;

		count = 0;
		ring_at = 1 + random32() % 30;
		got = guest_call("waits", 1, n);
		if (got != ring_at || count != ring_at)
			fail_msg("memory: the Host rang at call %u, but there were %u", ring_at, count);
		for (u32 i = 0; i < count; i++)
			words(i, n, i, n ^ i, ~n, i * n);
	}
}

static u32 book[32], lines, expected;

/* What books() of shapes.c does until here, and then the correction. */
static void audit(struct regs *r)
{
	u32 *ledger = &GUEST(u32, "ledger"), i = count - 1, other = random32() % lines;

	(void)r;
	if (i >= lines)
		fail_msg("call %u of books that have %u lines", i, lines);
	book[i] = book[i] * 3 + i;
	words(i, LHCALL_SET_PMD, i, lines, book[(i + 1) % lines], expected);
	if (memcmp(ledger, book, sizeof(book)))
		fail_msg("memory: at call %u line %u was 0x%x, expected 0x%x", i, i, ledger[i], book[i]);
	book[other] = ledger[other] = random32();
	expected = expected * 5 + book[(i + 2) % lines];
}

static void books(void **state)
{
	(void)state;
	guest_on_int = listen;
	meanwhile = audit;
	for (u32 round = 0; round < 60; round++) {
		u32 *ledger = &GUEST(u32, "ledger"), n = random32(), got;

		for (u32 i = 0; i < 32; i++)
			ledger[i] = book[i] = random32();
		lines = 1 + random32() % 32;
		count = expected = 0;
		got = guest_call("books", 1, lines);
		if (got != expected)
			fail_msg("memory: the sum of the books is 0x%x, expected 0x%x", got, expected);
		count = 0;
		meanwhile = NULL;
		guest_call("one_value", 1, n);
		meanwhile = audit;
		words(0, n, n, n, n, n);
		words(1, LHCALL_HALT, 0, 0, 0, 0);
		words(2, LHCALL_TS, 1, 2, 3, 4);
		words(3, n, n, n, n, n);
	}
}

/* ---- 1.3: a day with many interrupts ---------------------------------------------------- */

/*
 * Lines 0 to 31, raised between any two instructions.  Handlers mask and unmask lines below
 * 16, the kernel those from 16 up, so it is clear what each bit should be in the end.
 */
static u32 raised, sent, handled, early, blocked, calls[LHCALL_COUNT];
static u32 when[2], which[2], came;
static bool halted;

static void deliver(void)
{
	u32 ready;

	while ((ready = raised & ~lg()->blocked_interrupts)) {
		raised &= ~(ready & -ready);
		handled++;
		early += !halted;
		if (random32() & 1) {
			u32 bit = 1u << random32() % 16;

			lg()->blocked_interrupts ^= bit;
			blocked ^= bit;
		}
	}
	lg()->irq_pending = 0;
}

/* The Host comes by. */
static void pass(void)
{
	if (!(raised & ~lg()->blocked_interrupts))
		return;
	if (lg()->irq_enabled & LGUEST_IF)
		deliver();
	else
		lg()->irq_pending = LGUEST_IF;
}

static void raise(u32 line)
{
	sent += !(raised >> line & 1);
	raised |= 1u << line;
}

static void at_step(struct regs *r)
{
	(void)r;
	for (u32 i = 0; i < 2; i++)
		if (guest_steps == when[i]) {
			came++;
			raise(which[i]);
			pass();
		}
}

static void day_host(u32 vector, struct regs *r)
{
	if (vector != LGUEST_TRAP_ENTRY || r->eax >= LHCALL_COUNT)
		fail_msg("int 0x%x with eax 0x%x", vector, r->eax);
	calls[r->eax]++;
	if (r->eax == LHCALL_HALT) {
		halted = true;
		lg()->irq_enabled = LGUEST_IF;
		if (!(raised & ~lg()->blocked_interrupts)) {	/* it sleeps until one comes */
			lg()->blocked_interrupts &= ~1u;
			blocked &= ~1u;
			raise(0);
		}
	}
	if (r->eax == LHCALL_SEND_INTERRUPTS)
		lg()->irq_pending = 0;
	pass();
}

static u32 trips(void)
{
	u32 sum = 0;

	for (u32 i = 0; i < LHCALL_COUNT; i++)
		sum += calls[i];
	return sum;
}

enum { OFF, ON, ASK, MASK, HALT, DEEDS };
static const char *const deed_name[] = { "irq_disable", "irq_enable", "irq_enabled", "irq_mask",
					 "halt" };

static void deed(u32 what)
{
	u32 flag = lg()->irq_enabled & LGUEST_IF, waited = lg()->irq_pending, now, got;
	u32 line = 16 + random32() % 16, masked = random32() & 1, span = what == MASK ? 40 : 12;
	const char *name = deed_name[what];
	char symbol[32];

	memset(calls, 0, sizeof(calls));
	came = early = guest_steps = 0;
	halted = false;
	for (u32 i = 0; i < 2; i++) {
		when[i] = 1 + random32() % span;
		which[i] = random32() % 32;
	}
	sprintf(symbol, "lguest_%s", name);
	got = guest_call(symbol, what == MASK ? 2 : 0, line, masked) & 0xff;
	now = lg()->irq_enabled & LGUEST_IF;
	if (what == MASK)
		blocked = masked ? blocked | 1u << line : blocked & ~(1u << line);
	if (lg()->blocked_interrupts != blocked)
		fail_msg("%s(): blocked_interrupts is 0x%08x, expected 0x%08x; interrupts came before "
			 "instructions %u and %u", name, lg()->blocked_interrupts, blocked, when[0],
			 when[1]);
	if (!now != !(what == ON || what == HALT || (what != OFF && flag)))
		fail_msg("%s() left interrupts %s, and they were %s", name, now ? "on" : "off",
			 flag ? "on" : "off");
	if (now && lg()->irq_pending && (raised & ~lg()->blocked_interrupts))
		fail_msg("%s(): lost: interrupts are on, and one that came before instruction %u or %u "
			 "waits for ever", name, when[0], when[1]);
	if (what == ASK && got != !!flag)
		fail_msg("irq_enabled() says %u, and they are %s", got, flag ? "on" : "off");
	if (what == HALT) {
		if (calls[LHCALL_HALT] != 1 || trips() != 1)
			fail_msg("halt(): %u HALTs in %u hypercalls, expected one, and nothing else",
				 calls[LHCALL_HALT], trips());
		if (!flag && early)
			fail_msg("halt(): an interrupt was delivered before the HALT: who was to be woken "
				 "by it sleeps for ever");
	} else if (trips() != calls[LHCALL_SEND_INTERRUPTS] ||
		   trips() > (what == ON || (what == MASK && flag) ? !!waited + came : 0)) {
		fail_msg("%s(): %u hypercalls, %u of them SEND_INTERRUPTS; %u interrupts came, and one "
			 "%s before", name, trips(), calls[LHCALL_SEND_INTERRUPTS], came,
			 waited ? "waited" : "did not wait");
	}
	if (sent != handled + (u32)__builtin_popcount(raised))
		fail_msg("%s(): %u interrupts were sent, %u handled, %u wait", name, sent, handled,
			 (u32)__builtin_popcount(raised));
}

static void dawn(void)
{
	memcpy(guest(guest_symbol("pv")), guest(guest_symbol("lguest_ops")), 256);
	lg()->irq_enabled = lg()->irq_pending = 0;
	lg()->blocked_interrupts = blocked = random32();
	raised = sent = handled = 0;
	guest_on_int = day_host;
	guest_on_step = at_step;
	guest_single_step = true;
}

static void any_day(void **state)
{
	(void)state;
	dawn();
	for (u32 i = 0; i < 1500; i++) {
		if (random32() % 4 == 0)
			pass();
		deed(random32() % DEEDS);
	}
}

/* Nothing but masking, with a handler at each turn. */
static void busy_handlers(void **state)
{
	(void)state;
	dawn();
	for (u32 i = 0; i < 700; i++) {
		deed(MASK);
		if (i % 8 == 0)
			deed(i % 16 ? ON : OFF);
		lg()->blocked_interrupts &= 0xffff0000;		/* or there are soon none to come */
		blocked &= 0xffff0000;
	}
	if (handled < 200)
		fail_msg("only %u interrupts were handled", handled);
}

/* ---- 1.4: a ring against a queue --------------------------------------------------------- */

static struct hcall_args queue[4 * LHCALL_RING_SIZE];
static u32 waiting, cursor;

static void empty(u32 start)
{
	memset(lg(), 0, sizeof(*lg()));
	for (u32 i = 0; i < LHCALL_RING_SIZE; i++)
		lg()->hcall_status[i] = LHCALL_RING_FREE;
	GUEST(u32, "ring_position") = cursor = start;
	GUEST(u8, "ring_used") = 0;
	waiting = 0;
}

/* The Host does one; what he leaves behind is dirt. */
static void work(void)
{
	struct hcall_args *slot = &lg()->hcalls[cursor];

	if (lg()->hcall_status[cursor] == LHCALL_RING_FREE)
		fail_msg("slot %u says free, but %u calls are to be done", cursor, waiting);
	if (memcmp(slot, queue, sizeof(*slot)))
		fail_msg("slot %u is %u(0x%x, 0x%x, 0x%x, 0x%x), expected %u(0x%x, 0x%x, 0x%x, 0x%x)",
			 cursor, slot->number, slot->arg1, slot->arg2, slot->arg3, slot->arg4,
			 queue->number, queue->arg1, queue->arg2, queue->arg3, queue->arg4);
	memmove(queue, queue + 1, --waiting * sizeof(*queue));
	for (u32 i = 0; i < sizeof(*slot) / 4; i++)
		((u32 *)slot)[i] = random32();
	lg()->hcall_status[cursor] = LHCALL_RING_FREE;
	cursor = (cursor + 1) % LHCALL_RING_SIZE;
}

static void ring(void **state)
{
	(void)state;
	for (u32 round = 0; round < 2500; round++) {
		u32 n, most = random32() % 3 ? random32() % 6 : random32() % (2 * LHCALL_RING_SIZE);

		if (round % 250 == 0)
			empty(random32() % LHCALL_RING_SIZE);
		if (random32() % 8 == 0) {
			u32 first = random32(), room = LHCALL_RING_SIZE - waiting, got;

			got = guest_call("push_all", 2, LHCALL_SET_PGD, first);
			if (got != room)
				fail_msg("%u calls found room, expected %u: %u slots of %u are taken", got,
					 room, waiting, LHCALL_RING_SIZE);
			for (n = 0; n < room; n++)
				queue[waiting++] = (struct hcall_args){ LHCALL_SET_PGD, first + n, ~first,
									first * n, n };
		}
		for (n = 0; n < most; n++) {
			struct hcall_args a = { LHCALL_SET_PTE, random32(), random32(), random32(),
						random32() };
			bool room = waiting < LHCALL_RING_SIZE, got;

			GUEST(u8, "ring_used") = 0;
			got = guest_call("push", 5, a.number, a.arg1, a.arg2, a.arg3, a.arg4) & 0xff;
			if (got != room)
				fail_msg("%u slots of %u are taken, and ring_push() says %s", waiting,
					 LHCALL_RING_SIZE, got ? "true" : "false");
			if (!room)
				continue;
			if (!GUEST(u8, "ring_used"))
				fail_msg("ring_used is not set: nobody would flush");
			queue[waiting++] = a;
		}
		if (GUEST(u32, "ring_position") != (cursor + waiting) % LHCALL_RING_SIZE)
			fail_msg("ring_position is %u, expected %u", GUEST(u32, "ring_position"),
				 (cursor + waiting) % LHCALL_RING_SIZE);
		for (n = random32() % 4 ? random32() % 8 : waiting; n && waiting; n--)
			work();
		for (n = waiting; n < LHCALL_RING_SIZE; n++)
			if (lg()->hcall_status[(cursor + n) % LHCALL_RING_SIZE] != LHCALL_RING_FREE)
				fail_msg("slot %u is to be done, and nobody asked",
					 (cursor + n) % LHCALL_RING_SIZE);
	}
}

/* ---- 1.5: lists, and handlers that call in between ------------------------------------------- */

static u32 asked, done, direct, handler_calls, every;

/* Lazy calls are numbered from 0, in arg1, and come in their order, from wherever. */
static void in_turn(const struct hcall_args *a)
{
	if (a->number != LHCALL_SET_PTE || a->arg1 != done || a->arg2 != ~done ||
	    a->arg3 != done * 7 || a->arg4 != done << 8)
		fail_msg("the Host did %u(0x%x, 0x%x, 0x%x, 0x%x), and it was call %u's turn", a->number,
			 a->arg1, a->arg2, a->arg3, a->arg4, done);
	done++;
}

static void drain(void)
{
	for (u32 n = 0; n < LHCALL_RING_SIZE && lg()->hcall_status[cursor] != LHCALL_RING_FREE; n++) {
		in_turn(&lg()->hcalls[cursor]);
		lg()->hcall_status[cursor] = LHCALL_RING_FREE;
		cursor = (cursor + 1) % LHCALL_RING_SIZE;
	}
}

static void list_host(u32 vector, struct regs *r)
{
	if (vector != LGUEST_TRAP_ENTRY || r->eax >= LHCALL_COUNT)
		fail_msg("int 0x%x with eax 0x%x", vector, r->eax);
	drain();
	direct++;
	if (r->eax != LHCALL_FLUSH_ASYNC)
		in_turn(&(struct hcall_args){ r->eax, r->ebx, r->ecx, r->edx, r->esi });
}

/* An interrupt, whose handler winds up a clock: a call of its own, and the list goes along. */
static void interrupted(struct regs *r)
{
	(void)r;
	if (random32() % every)
		return;
	handler_calls++;
	drain();
}

static void handlers(void **state)
{
	(void)state;
	empty(random32() % LHCALL_RING_SIZE);
	asked = done = direct = handler_calls = 0;
	guest_on_int = list_host;
	guest_on_step = interrupted;
	guest_single_step = true;
	for (u32 i = 0; i < 60; i++) {
		u32 n = random32() % (i % 4 ? 20 : 2 * LHCALL_RING_SIZE);

		every = i % 4 ? 5 + random32() % 400 : 50000;
		guest_steps = 0;
		guest_call("lguest_batch_begin", 0);
		for (u32 k = 0; k < n; k++, asked++)
			guest_call("lazy_hypercall", 5, LHCALL_SET_PTE, asked, ~asked, asked * 7,
				   asked << 8);
		guest_call("lguest_batch_end", 0);
		if (done != asked)
			fail_msg("a batch has ended, and %u of %u calls are not done", asked - done, asked);
		if (direct > 1 + n / LHCALL_RING_SIZE)
			fail_msg("%u trips for a list of %u calls", direct, n);
		direct = 0;
	}
	if (!handler_calls)
		fail_msg("nobody interrupted");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(waits), TEST(books), TEST(any_day), TEST(busy_handlers), TEST(ring),
		TEST(handlers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
