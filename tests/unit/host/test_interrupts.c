// SPDX-License-Identifier: MIT
/*
 * Virtual interrupts (ABI.md 3.2, 3.4, 4): random Guests against a model of a few lines,
 * and the things that must never happen, each by itself.
 */
#include <pthread.h>
#include <signal.h>
#include <ucontext.h>

#include "world.h"

#define NOIRQ_START	0x5000u
#define NOIRQ_END	0x5008u
#define HANDLER		0x00200000u

static struct world *fresh(void)
{
	struct world *w = world_new(&(struct world_plan){
		.kernel_address = 0xc0000000,
		.noirq_start = NOIRQ_START, .noirq_end = NOIRQ_END });

	/* The frame of the stack is there.  When it is not is a test of its own: `again`. */
	check(world_hypercall(w, LHCALL_LOAD_TLS, 0x8000, 0, 0, 0) == ENTERS, "%s", w->lg.text);
	world_forget(w);
	lg_regs(&w->lg)->esp = 0x9000;
	w->lg.data->blocked_interrupts = 0;
	return w;
}

static void gate(struct world *w, u32 irq, u32 type, bool present)
{
	check(world_hypercall(w, LHCALL_LOAD_IDT_ENTRY, 32 + irq, 0x100 * irq,
			      HANDLER | present << 15 | type << 8, 0) != DEAD, "%s", w->lg.text);
}

/* Which interrupt was just delivered?  -1: none. */
static int delivered(struct world *w)
{
	u32 eip = lg_regs(&w->lg)->eip;

	return eip >= HANDLER && eip < HANDLER + 32 * 0x100 ? (int)(eip - HANDLER) / 0x100 : -1;
}

/* The Guest goes on, somewhere, with this much of a stack. */
static void guest_at(struct world *w, u32 eip)
{
	lg_regs(&w->lg)->eip = eip;
	lg_regs(&w->lg)->esp = 0x9000;
}

struct model {
	u32 pending, blocked, irq_enabled, irq_pending;
	bool halted;
	u8 type[32];		/* 0: no gate */
	u32 owed[32];		/* raised since the last delivery */
};

/* ABI.md section 4, read aloud.  Returns the interrupt, or -1. */
static int model_enter(struct model *m, u32 eip)
{
	u32 candidates = m->pending & ~m->blocked;
	int irq = 0;

	if (!candidates)
		return -1;
	while (!(candidates >> irq & 1))
		irq++;
	if (eip >= NOIRQ_START && eip < NOIRQ_END)
		return -1;
	if (m->halted) {
		m->irq_enabled = 0x200;
		m->halted = false;
	} else if (!(m->irq_enabled & 0x200)) {
		m->irq_pending = 0x200;
		return -1;
	}
	if (!m->type[irq])
		return -1;
	m->pending &= ~(1u << irq);
	if (m->type[irq] == 14)
		m->irq_enabled = 0;
	if (!(m->pending & ~m->blocked))
		m->irq_pending = 0;
	else if (!(m->irq_enabled & 0x200))
		m->irq_pending = 0x200;		/* 3.1: one waits for irq_enabled */
	return irq;
}

static u32 deliveries;

static void one_entry(struct world *w, struct model *m, u32 step)
{
	struct lguest_data *data = w->lg.data;
	u32 eip = lg_regs(&w->lg)->eip, before = m->irq_enabled, time = data->time.tv_sec;
	bool was_halted = m->halted, enabled;
	u32 candidates = m->pending & ~m->blocked;
	int want = model_enter(m, eip), got;
	enum state s;

	w->nudged = false;
	s = world_enter(w);
	got = delivered(w);
	check(s == (m->halted ? SLEEPS : ENTERS), "step %u: state %u: %s", step, s, w->lg.text);
	check(got == want, "step %u: interrupt %d instead of %d (pending %#x blocked %#x, IF image "
	      "%#x, eip %#x)", step, got, want, candidates, m->blocked, before, eip);
	check(data->irq_enabled == m->irq_enabled, "step %u: irq_enabled %#x instead of %#x", step,
	      data->irq_enabled, m->irq_enabled);
	if (got >= 0 && m->type[got] == 15 && m->irq_pending != data->irq_pending)
		m->irq_pending = data->irq_pending;	/* IF is still on: nobody waits for it */
	check(data->irq_pending == m->irq_pending, "step %u: irq_pending %#x instead of %#x", step,
	      data->irq_pending, m->irq_pending);
	check(w->lg.irqs == m->pending, "step %u: pending %#x instead of %#x", step, w->lg.irqs,
	      m->pending);
	if (got >= 0) {
		/* The rules that matter, said once more without the model. */
		enabled = was_halted || (before & 0x200);
		check(enabled, "step %u: delivered with interrupts off", step);
		check(candidates >> got & 1, "step %u: %d was blocked or not raised", step, got);
		check(!(candidates & ((1u << got) - 1)), "step %u: a lower one waits", step);
		check(m->owed[got], "step %u: %d delivered twice", step, got);
		check(data->time.tv_sec != time, "step %u: time was not updated", step);
		m->owed[got] = 0;
		deliveries++;
	}
	if (s == ENTERS && (m->pending & ~m->blocked))
		check(w->nudged, "step %u: an interrupt waits and no exit is forced", step);
}

static void random_guests(void **state)
{
	static const u32 images[] = { 0, 0x200, 0x46, 0x246, 0x202, 2, 0xfffffdff };
	struct world *w;
	struct model m;
	u32 round, step, irq, i;

	(void)state;
	random_start("random_guests");
	for (round = 0; round < 40; round++) {
		w = fresh();
		memset(&m, 0, sizeof(m));
		for (irq = 0; irq < 32; irq++) {
			m.type[irq] = chance(90) ? 14 + below(2) : 0;
			gate(w, irq, m.type[irq], m.type[irq]);
		}
		for (step = 0; step < 1000; step++) {
			switch (below(9)) {
			case 0: case 1: case 2:
				irq = chance(50) ? below(4) : below(32);
				lg_irq_raise(&w->lg, irq);
				m.pending |= 1u << irq;
				m.owed[irq]++;
				break;
			case 3: case 4:
				if (!m.halted)
					w->lg.data->irq_enabled = m.irq_enabled = images[below(7)];
				break;
			case 5:
				if (!m.halted)
					w->lg.data->blocked_interrupts = m.blocked =
						chance(40) ? 0 : random32() & random32();
				break;
			case 6:
				if (m.halted || (lg_regs(&w->lg)->eip & ~7u) == NOIRQ_START)
					break;
				guest_at(w, 0x7000);
				m.halted = true;
				lg_regs(&w->lg)->trapno = 0x1f;
				lg_regs(&w->lg)->eax = LHCALL_HALT;
				w->lg.halted = true;	/* what the call does; see halt_* */
				break;
			case 7:
				if (m.halted)
					break;
				irq = below(32);
				m.type[irq] = chance(80) ? 14 + below(2) : 0;
				w->lg.idt[32 + irq].present = m.type[irq];
				w->lg.idt[32 + irq].type = m.type[irq];
				w->lg.idt[32 + irq].offset = HANDLER + 0x100 * irq;
				break;
			case 8:
				break;
			}
			if (m.halted)
				guest_at(w, 0x7000);
			else
				guest_at(w, chance(25) ? NOIRQ_START - 1 + below(10) : 0x7000);
			if (chance(60))
				one_entry(w, &m, step);
		}
		world_free(w);

		/* Raise some, let a few in, then all: none may have been lost. */
		w = fresh();
		memset(&m, 0, sizeof(m));
		for (irq = 0; irq < 32; irq++) {
			m.type[irq] = 14;
			gate(w, irq, 14, true);
		}
		w->lg.data->blocked_interrupts = m.blocked = random32();
		for (i = 0; i < 40; i++) {
			irq = below(32);
			lg_irq_raise(&w->lg, irq);
			m.pending |= 1u << irq;
			m.owed[irq]++;
			guest_at(w, 0x7000);
			if (chance(50))
				one_entry(w, &m, i);
		}
		w->lg.data->blocked_interrupts = m.blocked = 0;
		for (i = 0; i < 33; i++) {
			w->lg.data->irq_enabled = m.irq_enabled = 0x246;
			guest_at(w, 0x7000);
			one_entry(w, &m, 1000 + i);
		}
		for (irq = 0; irq < 32; irq++)
			check(!m.owed[irq], "interrupt %u was lost", irq);
		assert_int_equal(w->lg.irqs, 0);
		assert_int_equal(w->lg.data->irq_pending, 0);
		world_free(w);
	}
	check(deliveries > 1000, "only %u deliveries: the test does not test", deliveries);
}

/* An image of EFLAGS without bit 9, such as 0x46, is "off" (ABI.md 3.4). */
static void images_of_flags(void **state)
{
	static const struct { u32 image; bool on; } images[] = {
		{ 0, false }, { 0x46, false }, { 0xfffffdff, false }, { 1, false },
		{ 0x100, false },
		{ 0x400, false }, { 0x200, true }, { 0x246, true }, { 0xffffffff, true },
	};
	struct world *w = fresh();
	u32 i;

	(void)state;
	gate(w, 5, 14, true);
	for (i = 0; i < sizeof(images) / sizeof(images[0]); i++) {
		guest_at(w, 0x7000);
		w->lg.data->irq_enabled = images[i].image;
		w->lg.data->irq_pending = 0;
		lg_irq_raise(&w->lg, 5);
		assert_int_equal(world_enter(w), ENTERS);
		check((delivered(w) == 5) == images[i].on, "irq_enabled %#x: %sdelivered",
		      images[i].image, images[i].on ? "not " : "");
		check(w->lg.data->irq_pending == (images[i].on ? 0 : 0x200),
		      "irq_enabled %#x: irq_pending is %#x instead of %#x", images[i].image,
		      w->lg.data->irq_pending, images[i].on ? 0 : 0x200);
	}
	world_free(w);
}

/* Every byte of the range and its neighbours; irq_pending is left alone inside. */
static void noirq_range(void **state)
{
	struct world *w = fresh();
	u32 eip, pending;
	bool inside;

	(void)state;
	gate(w, 3, 14, true);
	for (eip = NOIRQ_START - 4; eip < NOIRQ_END + 4; eip++) {
		for (pending = 0; pending <= 0x200; pending += 0x200) {
			inside = eip >= NOIRQ_START && eip < NOIRQ_END;
			guest_at(w, eip);
			w->lg.data->irq_enabled = 0x200;
			w->lg.data->irq_pending = pending;
			lg_irq_raise(&w->lg, 3);
			w->nudged = false;
			assert_int_equal(world_enter(w), ENTERS);
			check((delivered(w) == 3) == !inside, "eip %#x, range %#x to %#x: %sdelivered",
			      eip, NOIRQ_START, NOIRQ_END, inside ? "" : "not ");
			if (inside) {
				check(w->lg.data->irq_pending == pending,
				      "eip %#x, in the range: irq_pending was %#x and is %#x", eip,
				      pending, w->lg.data->irq_pending);
				assert_int_equal(w->lg.data->irq_enabled, 0x200);
				check(w->nudged, "eip %#x, in the range: no exit is forced", eip);
			}
		}
	}
	world_free(w);
}

/* The range is read once: what is written there later means nothing. */
static void noirq_range_was_copied(void **state)
{
	struct world *w = fresh();

	(void)state;
	gate(w, 3, 14, true);
	w->lg.data->noirq_start = 0x7000;
	w->lg.data->noirq_end = 0x8000;
	w->lg.data->irq_enabled = 0x200;
	lg_irq_raise(&w->lg, 3);
	guest_at(w, NOIRQ_START);
	assert_int_equal(world_enter(w), ENTERS);
	check(delivered(w) == -1, "delivered inside the range of LGUEST_INIT");
	guest_at(w, 0x7000);
	assert_int_equal(world_enter(w), ENTERS);
	check(delivered(w) == 3, "held back by a range that was written after LGUEST_INIT");
	world_free(w);
}

static void halt_sleeps_and_wakes(void **state)
{
	struct world *w = fresh();

	(void)state;
	gate(w, 1, 14, true);
	gate(w, 2, 15, true);
	w->lg.data->irq_enabled = 0;
	w->lg.data->blocked_interrupts = 1u << 2;
	assert_int_equal(world_hypercall(w, LHCALL_HALT, 0, 0, 0, 0), SLEEPS);
	assert_int_equal(world_enter(w), SLEEPS);
	lg_irq_raise(&w->lg, 2);		/* blocked: sleeps on */
	check(!lg_irq_would_wake(&w->lg), "2 is raised and masked: it would end a HALT");
	assert_int_equal(world_enter(w), SLEEPS);
	lg_irq_raise(&w->lg, 1);
	check(lg_irq_would_wake(&w->lg), "1 is raised and not masked, irq_enabled is 0 as in "
	      "every HALT: it would not end it");
	check(world_enter(w) == ENTERS, "1 is raised and not masked: the Guest sleeps on");
	check(delivered(w) == 1, "woken by 1, and interrupt %d was delivered", delivered(w));
	/* On for a moment, then the gate. */
	check(w->lg.data->irq_enabled == 0, "after an interrupt gate irq_enabled is %#x",
	      w->lg.data->irq_enabled);
	/* The frame shows them on: HALT is "sti; hlt". */
	check(world_get32(w, lg_regs(&w->lg)->esp + 8) & 0x200, "IF in the frame");

	/* And through a trap gate they stay on. */
	guest_at(w, 0x7000);
	w->lg.data->irq_enabled = 0;
	w->lg.data->blocked_interrupts = 0;
	assert_int_equal(world_hypercall(w, LHCALL_HALT, 0, 0, 0, 0), ENTERS);	/* 2 waits already */
	assert_int_equal(delivered(w), 2);
	assert_int_equal(w->lg.data->irq_enabled, 0x200);

	/* HALT is forgotten once an interrupt came. */
	guest_at(w, 0x7000);
	assert_int_equal(world_enter(w), ENTERS);
	world_free(w);
}

/* No gate: it stays pending.  Once there is a gate, it comes. */
static void no_gate_yet(void **state)
{
	struct world *w = fresh();

	(void)state;
	w->lg.data->irq_enabled = 0x200;
	lg_irq_raise(&w->lg, 0);
	world_forget(w);
	check(world_enter(w) == ENTERS, "0 has no gate, and the Guest is over: %s", w->lg.text);
	assert_int_equal(delivered(w), -1);
	check(w->nudged, "it waits for a gate, and no exit is forced");
	gate(w, 0, 14, true);
	check(delivered(w) == 0, "now there is a gate, and 0 is not delivered: raised is %#x",
	      w->lg.irqs);
	assert_int_equal(w->lg.irqs, 0);
	world_free(w);
}

/* One at an entry, the lowest first, and with each one left an exit is asked for. */
static void one_by_one(void **state)
{
	struct world *w = fresh();
	u32 irq;

	(void)state;
	for (irq = 0; irq < 32; irq++)
		gate(w, irq, 14, true);
	for (irq = 32; irq > 0; irq--)
		lg_irq_raise(&w->lg, irq - 1);
	for (irq = 0; irq < 32; irq++) {
		guest_at(w, 0x7000);
		w->lg.data->irq_enabled = 0x200;
		w->nudged = false;
		assert_int_equal(world_enter(w), ENTERS);
		check(delivered(w) == (int)irq, "interrupt %d instead of %u", delivered(w), irq);
		check(w->nudged == (irq < 31), "after interrupt %u %s", irq, irq < 31 ?
		      "more wait, and no exit is forced" : "none waits, and an exit is forced");
		check(w->lg.data->irq_pending == (irq < 31 ? 0x200 : 0),
		      "after interrupt %u irq_pending is %#x", irq, w->lg.data->irq_pending);
	}
	world_free(w);
}

static void before_init(void **state)
{
	struct world *w = world_new(&(struct world_plan){ .raw = true });

	(void)state;
	lg_irq_raise(&w->lg, 0);
	assert_false(lg_irq_would_wake(&w->lg));
	assert_int_equal(world_enter(w), ENTERS);
	assert_int_equal(lg_regs(&w->lg)->eip, WORLD_EIP);
	assert_int_equal(w->lg.irqs, 1);
	/* Nothing is forgotten: after INIT it comes. */
	check(world_hypercall(w, LHCALL_LGUEST_INIT, WORLD_DATA, 0, 0, 0) == ENTERS, "%s",
	      w->lg.text);
	assert_int_equal(w->lg.irqs, 1);
	lg_regs(&w->lg)->esp = 0x9000;
	w->lg.data->irq_enabled = 0x200;
	w->lg.data->blocked_interrupts = 0;
	gate(w, 0, 14, true);
	check(delivered(w) == 0, "raised before INIT, and lost");
	world_free(w);
}

/* A raise is a bit: twice is once, and one interrupt does not disturb another. */
static void two_raises_are_one(void **state)
{
	struct world *w = fresh();
	u32 irq;

	(void)state;
	for (irq = 0; irq < 32; irq++) {
		w->lg.irqs = 0;
		lg_irq_raise(&w->lg, irq);
		check(w->lg.irqs == 1u << irq, "raised %u: pending %#x", irq, w->lg.irqs);
		lg_irq_raise(&w->lg, irq);
		check(w->lg.irqs == 1u << irq, "raised %u twice: pending %#x", irq, w->lg.irqs);
		check(w->lg.stats.scalar[LG_STAT_irq_coalesced] == irq + 1,
		      "the second raise of %u found its bit set: irq_coalesced %llu", irq,
		      (unsigned long long)w->lg.stats.scalar[LG_STAT_irq_coalesced]);
	}
	w->lg.irqs = 0;
	for (irq = 0; irq < 32; irq++)
		lg_irq_raise(&w->lg, irq);
	check(w->lg.irqs == ~0u, "raised all 32: pending %#x", w->lg.irqs);
	world_free(w);
}

/* Asked for one that was masked meanwhile: irq_pending is taken back. */
static void masked_meanwhile(void **state)
{
	struct world *w = fresh();

	(void)state;
	gate(w, 3, 14, true);
	lg_irq_raise(&w->lg, 3);
	assert_int_equal(world_enter(w), ENTERS);
	check(w->lg.data->irq_pending == 0x200, "3 waits for irq_enabled: irq_pending is %#x",
	      w->lg.data->irq_pending);
	w->lg.data->blocked_interrupts = 8;
	w->lg.data->irq_enabled = 0x200;
	assert_int_equal(world_hypercall(w, LHCALL_SEND_INTERRUPTS, 0, 0, 0, 0), ENTERS);
	check(w->lg.data->irq_pending == 0, "3 is masked since: irq_pending is %#x",
	      w->lg.data->irq_pending);
	check(w->lg.irqs == 8, "3 is masked since: raised is %#x instead of 0x8", w->lg.irqs);
	w->lg.data->blocked_interrupts = 0;
	assert_int_equal(world_enter(w), ENTERS);
	check(delivered(w) == 3, "3 is masked no more: interrupt %d was delivered", delivered(w));
	world_free(w);
}

/* The stack must be fetched first: delivered all the same, and once. */
static void again(void **state)
{
	struct world *w = fresh();

	(void)state;
	gate(w, 4, 14, true);
	lg_regs(&w->lg)->esp = 0xb008;		/* never touched, and two pages */
	w->lg.data->irq_enabled = 0;
	w->again = 0;
	lg_irq_raise(&w->lg, 4);
	assert_int_equal(world_hypercall(w, LHCALL_HALT, 0, 0, 0, 0), ENTERS);
	check(w->again >= 2, "nothing was fetched");
	assert_int_equal(delivered(w), 4);
	assert_int_equal(lg_regs(&w->lg)->esp, 0xb008 - 12);
	assert_int_equal(w->lg.stats.scalar[LG_STAT_irq_delivered], 1);
	world_free(w);
}

/* A raise by another CPU may fall between any two instructions, and into any that reads and
 * writes and is not locked.  So we go step by step, and look which one changes lg->irqs. */
static struct {
	const u32 *irqs;
	u32 before;
	const u8 *at;			/* the instruction that this step executed */
	u32 changes, torn;
} stepped;

static void one_step(int signal, siginfo_t *info, void *context)
{
	ucontext_t *user = context;
	u32 now = __atomic_load_n(stepped.irqs, __ATOMIC_RELAXED);

	(void)signal;
	(void)info;
	if (now != stepped.before) {
		stepped.before = now;
		stepped.changes++;
		if (stepped.at && stepped.at[0] != 0xf0)	/* LOCK */
			stepped.torn++;
	}
	stepped.at = (const u8 *)user->uc_mcontext.gregs[REG_RIP];
}

static void step_by_step(bool on)
{
	unsigned long long flags = __builtin_ia32_readeflags_u64();

	__builtin_ia32_writeeflags_u64(on ? flags | LG_EFLAGS_TF :
				       flags & ~(unsigned long long)LG_EFLAGS_TF);
}

static void cleared_in_one_step(void **state)
{
	struct sigaction action = { .sa_sigaction = one_step, .sa_flags = SA_SIGINFO };
	struct world *w = fresh();
	enum state s;

	(void)state;
	gate(w, 4, 14, true);
	gate(w, 9, 14, true);
	lg_irq_raise(&w->lg, 4);
	lg_irq_raise(&w->lg, 9);
	w->lg.data->irq_enabled = 0x200;
	stepped.irqs = &w->lg.irqs;
	stepped.before = w->lg.irqs;
	assert_int_equal(sigaction(SIGTRAP, &action, NULL), 0);
	step_by_step(true);
	s = world_enter(w);
	step_by_step(false);
	check(s == ENTERS && delivered(w) == 4, "interrupt %d instead of 4: %s", delivered(w),
	      w->lg.text);
	check(stepped.changes == 1 && w->lg.irqs == 1u << 9,
	      "delivered 4 of 0x210: raised is %#x, after %u changes", w->lg.irqs,
	      stepped.changes);
	check(!stepped.torn, "lg->irqs was written by an instruction that is not atomic: what "
	      "another CPU raises in that moment is lost");
	world_free(w);
}

/* irq_at_once counts those that were delivered at the first look: irqs_seen remembers. */
static void seen_before(void **state)
{
	static const struct { bool waits; u32 at_once; } turn[] = {
		{ true, 0 }, { false, 1 }, { true, 1 }, { false, 2 }, { false, 3 },
	};
	struct world *w = fresh();
	u32 i, at_once;

	(void)state;
	gate(w, 6, 14, true);
	for (i = 0; i < sizeof(turn) / sizeof(turn[0]); i++) {
		guest_at(w, 0x7000);
		lg_irq_raise(&w->lg, 6);
		if (turn[i].waits) {
			w->lg.data->irq_enabled = 0;
			assert_int_equal(world_enter(w), ENTERS);
		}
		w->lg.data->irq_enabled = 0x200;
		assert_int_equal(world_enter(w), ENTERS);
		check(delivered(w) == 6, "turn %u: interrupt %d instead of 6", i, delivered(w));
		at_once = w->lg.stats.scalar[LG_STAT_irq_at_once];
		check(at_once == turn[i].at_once, "interrupt 6, delivered at the %s look: "
		      "irq_at_once is %u instead of %u", turn[i].waits ? "second" : "first",
		      at_once, turn[i].at_once);
	}
	world_free(w);
}

/* Raised by another thread, while we deliver: each raise sets a bit that is delivered
 * later, or finds it set. */
#define RAISES 600000u

static bool stop;

static void *launcher(void *arg)
{
	struct world *w = arg;
	u32 i, x = 12345, wait;

	for (i = 0; i < RAISES; i++) {
		x = x * 1664525 + 1013904223;
		lg_irq_raise(&w->lg, x >> 27);
		/* About as fast as the other side: a bit that is set already cannot be lost. */
		for (wait = 0; wait < (x >> 15 & 0xfff); wait++)
			__asm__ volatile("" : : : "memory");
	}
	__atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
	return NULL;
}

static void another_thread(void **state)
{
	struct world *w = fresh();
	pthread_t thread;
	u32 irq, count = 0;

	(void)state;
	for (irq = 0; irq < 32; irq++)
		gate(w, irq, 14, true);
	assert_int_equal(pthread_create(&thread, NULL, launcher, w), 0);
	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST) || lg_irq_would_wake(&w->lg)) {
		guest_at(w, 0x7000);
		w->lg.data->irq_enabled = 0x200;
		check(world_enter(w) == ENTERS, "%s", w->lg.text);
		count += delivered(w) >= 0;
	}
	pthread_join(thread, NULL);
	check(count + w->lg.stats.scalar[LG_STAT_irq_coalesced] == RAISES,
	      "%u raises, %u delivered, %llu found the bit set", RAISES, count,
	      (unsigned long long)w->lg.stats.scalar[LG_STAT_irq_coalesced]);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(random_guests), TEST(images_of_flags), TEST(noirq_range),
		TEST(noirq_range_was_copied), TEST(two_raises_are_one),
		TEST(halt_sleeps_and_wakes), TEST(no_gate_yet), TEST(one_by_one),
		TEST(before_init), TEST(masked_meanwhile), TEST(again), TEST(cleared_in_one_step),
		TEST(seen_before), TEST(another_thread),
	};

	return cmocka_run_group_tests_name("interrupts", tests, NULL, NULL);
}
