/* SPDX-License-Identifier: MIT */
/*
 * 1.3: the interrupt flag.  The Host may come between any two instructions, so each function
 * is run once for each of its instructions, and the interrupt comes there.
 */
#include "gate.h"
#include "lguest.h"

static u32 calls[LHCALL_COUNT], when, early, delivered, arrived;
static void (*handler)(void);

static struct lguest_data *lg(void)
{
	return guest(guest_symbol("lguest_data"));
}

static void deliver(void)
{
	lg()->irq_pending = 0;
	delivered++;
	if (handler)
		handler();
}

static void arrive(void)
{
	arrived++;
	if (lg()->irq_enabled & LGUEST_IF)
		deliver();
	else
		lg()->irq_pending = LGUEST_IF;
}

static void host(u32 vector, struct regs *r)
{
	if (vector != LGUEST_TRAP_ENTRY || r->eax >= LHCALL_COUNT)
		fail_msg("int 0x%x with eax 0x%x", vector, r->eax);
	calls[r->eax]++;
	if (r->eax == LHCALL_HALT) {
		early = delivered;
		lg()->irq_enabled = LGUEST_IF;
	}
	if (lg()->irq_pending && (lg()->irq_enabled & LGUEST_IF))
		deliver();
}

static void step(struct regs *r)
{
	(void)r;
	if (guest_steps == when)
		arrive();
}

/* An interrupt before instruction `at` of the calls to come; 0: none. */
static void begin(u32 enabled, u32 pending, u32 at)
{
	memcpy(guest(guest_symbol("pv")), guest(guest_symbol("lguest_ops")), 256);
	lg()->irq_enabled = enabled;
	lg()->irq_pending = pending;
	lg()->blocked_interrupts = 0x00ff00ff;
	memset(calls, 0, sizeof(calls));
	delivered = arrived = early = guest_steps = 0;
	handler = NULL;
	when = at;
	guest_on_int = host;
	guest_on_step = step;
	guest_single_step = at != 0;
}

static u32 trips(void)
{
	u32 sum = 0;

	for (u32 i = 0; i < LHCALL_COUNT; i++)
		sum += calls[i];
	return sum;
}

static void off_and_on(void **state)
{
	(void)state;
	begin(LGUEST_IF, 0, 0);
	guest_call("lguest_irq_disable", 0);
	if (lg()->irq_enabled & LGUEST_IF)
		fail_msg("interrupts are on after lguest_irq_disable()");
	guest_call("lguest_irq_enable", 0);
	if (!(lg()->irq_enabled & LGUEST_IF))
		fail_msg("interrupts are off after lguest_irq_enable()");
	if (trips())
		fail_msg("%u hypercalls, expected none: nothing waited", trips());
}

static void one_bit(void **state)
{
	static const struct {
		u32 word, on;
	} table[] = {{0, 0}, {LGUEST_IF, 1}, {~LGUEST_IF, 0}, {~0u, 1}, {1, 0}};

	(void)state;
	for (u32 i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		begin(table[i].word, 0, 0);
		u32 got = guest_call("lguest_irq_enabled", 0) & 0xff;

		if (got != table[i].on)
			fail_msg("irq_enabled is 0x%x and lguest_irq_enabled() says %u",
				 table[i].word, got);
	}
}

static void what_waited(void **state)
{
	(void)state;
	begin(0, LGUEST_IF, 0);
	guest_call("lguest_irq_enable", 0);
	if (!delivered)
		fail_msg("one interrupt waited, and still does: %u SEND_INTERRUPTS%s",
			 calls[LHCALL_SEND_INTERRUPTS],
			 calls[LHCALL_SEND_INTERRUPTS] ? ", made while they were off" : "");
	if (calls[LHCALL_SEND_INTERRUPTS] != 1 || trips() != 1)
		fail_msg("%u SEND_INTERRUPTS in %u hypercalls, expected one, and nothing else",
			 calls[LHCALL_SEND_INTERRUPTS], trips());
}

/* At each instruction of it, until there is none left. */
static void no_moment_is_lost(void **state)
{
	(void)state;
	for (u32 at = 1;; at++) {
		begin(0, 0, at);
		guest_call("lguest_irq_enable", 0);
		if (!arrived)
			break;
		if (!delivered)
			fail_msg("lost: an interrupt that came before instruction %u waits for ever",
				 at);
	}
}

static void handler_masks(void)
{
	lg()->blocked_interrupts |= 1u << 9;
}

static void mask(void **state)
{
	static const u32 irqs[] = {0, 1, 12, 31};

	(void)state;
	for (u32 i = 0; i < 4; i++)
		for (u32 on = 0; on < 2; on++)
			for (u32 masked = 0; masked < 2; masked++) {
				u32 bit = 1u << irqs[i], before = 0x00ff00ff;

				begin(on ? LGUEST_IF : 0, 0, 0);
				guest_call("lguest_irq_mask", 2, irqs[i], masked);
				if (lg()->blocked_interrupts != (masked ? before | bit : before & ~bit))
					fail_msg("%smasking %u made 0x%08x of 0x%08x", masked ? "" : "un",
						 irqs[i], lg()->blocked_interrupts, before);
				if (!(lg()->irq_enabled & LGUEST_IF) != !on)
					fail_msg("lguest_irq_mask() left interrupts %s", on ? "off" : "on");
				if (trips())
					fail_msg("%u hypercalls for masking, expected none", trips());
			}
}

static void mask_is_one_step(void **state)
{
	(void)state;
	for (u32 at = 1;; at++) {
		begin(LGUEST_IF, 0, at);
		handler = handler_masks;
		guest_call("lguest_irq_mask", 2, 27u, 1u);
		if (!arrived)
			break;
		if (!delivered)
			fail_msg("lost: an interrupt that came before instruction %u waits for ever",
				 at);
		if (lg()->blocked_interrupts != (0x00ff00ff | 1u << 9 | 1u << 27))
			fail_msg("masking 27 while a handler, before instruction %u, masked 9 made "
				 "0x%08x of 0x00ff00ff", at, lg()->blocked_interrupts);
	}
}

static void halt(void **state)
{
	(void)state;
	for (u32 at = 0;; at++) {
		begin(0, 0, at);
		guest_call("lguest_halt", 0);
		if (at && !arrived)
			break;
		if (calls[LHCALL_HALT] != 1 || trips() != 1)
			fail_msg("%u HALTs in %u hypercalls, expected one, and nothing else",
				 calls[LHCALL_HALT], trips());
		if (early)
			fail_msg("an interrupt came before instruction %u and was delivered before "
				 "the HALT: who was to be woken by it sleeps for ever", at);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(off_and_on), TEST(one_bit), TEST(what_waited), TEST(no_moment_is_lost),
		TEST(mask), TEST(mask_is_one_step), TEST(halt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
