// SPDX-License-Identifier: MIT
/*
 * What a debugger may do, and that the Guest does not notice (include/lguest_user.h:
 * DEBUG, SET_REGS; SDM vol. 3, 6.12.1.1 and 17.3.1.4 for INT3 and TF).
 */
#include "world.h"

#define HANDLER	0x00300000u
#define TF	0x100u

static struct world *fresh(void)
{
	struct world *w = world_new(&(struct world_plan){ .kernel_address = 0xc0000000 });

	lg_regs(&w->lg)->esp = 0x9000;
	return w;
}

static void guest_gate(struct world *w, u32 vector, u32 type, u32 dpl)
{
	check(world_hypercall(w, LHCALL_LOAD_IDT_ENTRY, vector, vector * 0x100,
			      HANDLER | 0x8000 | dpl << 13 | type << 8, 0) == ENTERS, "%s",
	      w->lg.text);
}

static u32 stack_word(struct world *w, u32 n)
{
	return world_get32(w, (u32)lg_regs(&w->lg)->esp + 4 * n);
}

/* A breakpoint stops, changes nothing, and can be given to the Guest afterwards. */
static void breakpoint(void **state)
{
	struct world *w = fresh();
	struct lg_trap_frame *regs = lg_regs(&w->lg), before;

	(void)state;
	guest_gate(w, 3, LG_GATE_TRAP, 3);
	check(w->gate_handler[3], "a trap gate is direct without a debugger");
	lg_debug_set(&w->lg, LG_DEBUG_ON);
	check(!w->gate_handler[3] && w->gate_dpl[3] == 3, "#BP goes to the Host now");
	regs->eip = 0x5001;
	regs->trapno = 3;
	regs->error = 0;
	before = *regs;
	check(world_exit(w) == STOPS && w->lg.debug_trap == 3, "a #BP stops");
	check(!memcmp(&before, regs, sizeof(before)), "and changes nothing");
	check(world_enter(w) == ENTERS && regs->eip == 0x5001, "and the Guest goes on");

	regs->trapno = 3;
	check(world_exit(w) == STOPS, "again");
	lg_debug_set(&w->lg, LG_DEBUG_ON | LG_DEBUG_REFLECT);
	check(world_enter(w) == ENTERS && regs->eip == HANDLER + 0x300, "handed on: eip %#x",
	      (u32)regs->eip);
	check(stack_word(w, 0) == 0x5001 && w->lg.stats.reflected[3] == 1, "behind the INT3");

	/* A step into the handler ends before its first instruction. */
	regs->trapno = 3;
	check(world_exit(w) == STOPS, "again");
	lg_debug_set(&w->lg, LG_DEBUG_ON | LG_DEBUG_STEP | LG_DEBUG_REFLECT);
	check(world_enter(w) == STOPS && regs->eip == HANDLER + 0x300, "a step into the handler");

	/* Nobody debugs any more: all as it was. */
	lg_debug_set(&w->lg, 0);
	check(w->gate_handler[3] == HANDLER + 0x300 && w->gate_dpl[3] == 3, "direct again");
	world_free(w);
}

/* INT3 in ring 3 needs the Guest's gate to allow it; the debugger's own does not count. */
static void forbidden_int3(void **state)
{
	struct world *w = fresh();
	struct lg_trap_frame *regs = lg_regs(&w->lg);

	(void)state;
	guest_gate(w, 3, LG_GATE_INTERRUPT, 1);
	guest_gate(w, 13, LG_GATE_INTERRUPT, 0);
	check(world_hypercall(w, LHCALL_SET_STACK, LGUEST_KERNEL_DS, 0xa000, 1, 0) == ENTERS, "%s",
	      w->lg.text);
	lg_debug_set(&w->lg, LG_DEBUG_ON);
	regs->cs = LGUEST_USER_CS;
	regs->ss = LGUEST_USER_DS;
	regs->eip = 0x5001;
	regs->trapno = 3;
	check(world_exit(w) == STOPS, "stops");
	lg_debug_set(&w->lg, LG_DEBUG_ON | LG_DEBUG_REFLECT);
	check(world_enter(w) == ENTERS && regs->eip == HANDLER + 0xd00, "#GP, not #BP");
	check(stack_word(w, 0) == 3 * 8 + 2, "error code %#x", stack_word(w, 0));
	check(stack_word(w, 1) == 0x5000, "at the INT3 itself: %#x", stack_word(w, 1));
	world_free(w);
}

/* A step ends after one instruction, and a page that had to be filled in is none. */
static void steps(void **state)
{
	struct world *w = fresh();
	struct lg_trap_frame *regs = lg_regs(&w->lg);

	(void)state;
	guest_gate(w, 14, LG_GATE_INTERRUPT, 0);
	guest_gate(w, 0x80, LG_GATE_TRAP, 3);
	check(w->gate_handler[0x80], "system calls are direct");
	lg_debug_set(&w->lg, LG_DEBUG_ON | LG_DEBUG_STEP);
	check(!w->gate_handler[0x80], "not while somebody steps");
	check(world_enter(w) == ENTERS && (regs->eflags & TF), "TF is set");

	w->lg.pages->cr2 = 0x7000;		/* linear mode: the page is there */
	check(world_trap(w, 14, 0) == ENTERS && (regs->eflags & TF), "a fill is no step");
	check(world_trap(w, 1, 0) == STOPS && w->lg.debug_trap == 1, "#DB is");
	check(!(regs->eflags & TF), "TF is the debugger's, not the Guest's");

	check(world_enter(w) == ENTERS, "on");
	regs->trapno = LGUEST_TRAP_ENTRY;
	regs->eax = LHCALL_FLUSH_ASYNC;
	check(world_exit(w) == STOPS && !(regs->eflags & TF), "a hypercall is a step");

	check(world_enter(w) == ENTERS, "on");
	regs->eip = 0x5000;
	w->lg.pages->cr2 = 0xfff00000;		/* reserved: the Guest's own fault */
	check(world_trap(w, 14, 0) == STOPS && regs->eip == HANDLER + 0xe00, "into the handler");
	check(!(stack_word(w, 3) & TF), "no TF in the frame: %#x", stack_word(w, 3));

	lg_debug_set(&w->lg, 0);
	check(world_enter(w) == ENTERS && !(regs->eflags & TF), "TF stays away");
	check(w->gate_handler[0x80], "direct again");
	world_free(w);
}

/* Between two steps no interrupt comes; but who waits for one in HALT gets it. */
static void steps_and_interrupts(void **state)
{
	struct world *w = fresh();
	struct lg_trap_frame *regs = lg_regs(&w->lg);

	(void)state;
	guest_gate(w, 32, LG_GATE_INTERRUPT, 0);
	w->lg.data->blocked_interrupts = 0;
	w->lg.data->irq_enabled = LGUEST_IF;
	lg_debug_set(&w->lg, LG_DEBUG_ON | LG_DEBUG_STEP);
	lg_irq_raise(&w->lg, 0);
	regs->eip = 0x5000;
	check(world_enter(w) == ENTERS && regs->eip == 0x5000, "not in a step");
	lg_debug_set(&w->lg, LG_DEBUG_ON);
	check(world_enter(w) == ENTERS && regs->eip == HANDLER + 0x2000, "but after it");

	w->lg.data->irq_enabled = LGUEST_IF;
	lg_debug_set(&w->lg, LG_DEBUG_ON | LG_DEBUG_STEP);
	lg_irq_raise(&w->lg, 0);
	regs->eip = 0x5000;
	regs->trapno = LGUEST_TRAP_ENTRY;
	regs->eax = LHCALL_HALT;
	check(world_exit(w) == STOPS, "HALT is a step");
	check(world_enter(w) == ENTERS && regs->eip == HANDLER + 0x2000, "and is woken");
	check(!(stack_word(w, 2) & TF) && (regs->eflags & TF), "the handler is stepped into, and "
	      "knows nothing of it: %#x", stack_word(w, 2));

	/* Who watches wants the Guest to live; and an entry may be given up and tried again. */
	w->lg.data->irq_enabled = LGUEST_IF;
	lg_debug_set(&w->lg, LG_DEBUG_ON | LG_DEBUG_STEP | LG_DEBUG_IRQS);
	regs->eip = 0x5000;
	check(world_enter(w) == ENTERS && (regs->eflags & TF), "a step");
	lg_irq_raise(&w->lg, 0);
	check(world_enter(w) == ENTERS && regs->eip == HANDLER + 0x2000, "an interrupt, if wished");
	check(!(stack_word(w, 2) & TF) && (regs->eflags & TF), "no TF in its frame: %#x",
	      stack_word(w, 2));
	lg_debug_set(&w->lg, LG_DEBUG_ON);
	check(world_enter(w) == ENTERS && !(regs->eflags & TF), "no step any more");
	world_free(w);
}

static void stop_now(void **state)
{
	struct world *w = fresh();

	(void)state;
	lg_debug_set(&w->lg, LG_DEBUG_ON | LG_DEBUG_STOP);
	check(world_enter(w) == STOPS && !w->lg.debug_trap, "as wished");
	check(world_enter(w) == ENTERS, "once");
	lg_debug_set(&w->lg, LG_DEBUG_STOP);
	check(world_enter(w) == ENTERS, "not without ON");
	world_free(w);
}

/* Registers from a stranger: whatever it asks for, the Guest gets no more rights. */
static void registers(void **state)
{
	struct world *w = fresh();
	struct lg_trap_frame *regs = lg_regs(&w->lg), before;
	u32 n, *word, i;
	struct lg_regs to;

	(void)state;
	random_start("debug registers");
	for (n = 0; n < 20000; n++) {
		before = *regs;
		word = (u32 *)&to;
		for (i = 0; i < sizeof(to) / 4; i++)
			word[i] = random32();
		to.cs = regs->cs;
		to.ss = regs->ss;
		to.ds = regs->ds;
		to.es = regs->es;
		to.fs = regs->fs;
		to.gs = regs->gs;
		if (chance(20)) {
			u32 *selector[] = { &to.cs, &to.ss, &to.ds, &to.es, &to.fs, &to.gs };

			*selector[below(6)] ^= 1u << below(32);
			check(!lg_debug_set_regs(&w->lg, &to), "another selector");
			check(!memcmp(&before, regs, sizeof(before)), "refused, and changed");
			continue;
		}
		check(lg_debug_set_regs(&w->lg, &to), "refused");
		check(regs->eax == to.eax && regs->esp == to.esp && regs->eip == to.eip,
		      "upper halves are zero");
		/* CF PF AF ZF SF DF OF and nothing else (SDM vol. 1, figure 3-8). */
		check(!((regs->eflags ^ before.eflags) & ~0xcd5ull), "EFLAGS %#llx to %#llx",
		      (unsigned long long)before.eflags, (unsigned long long)regs->eflags);
		check((regs->eflags & 0xcd5) == (to.eflags & 0xcd5), "the harmless ones are set");
	}
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(breakpoint), TEST(forbidden_int3), TEST(steps), TEST(steps_and_interrupts),
		TEST(stop_now), TEST(registers),
	};

	return cmocka_run_group_tests_name("debug", tests, NULL, NULL);
}
