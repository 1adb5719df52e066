// SPDX-License-Identifier: GPL-2.0-only
/*H:190 Where does the time go?
 *
 * "What does it cost to be a Guest?" wants a stopwatch at every border: between us and the
 * Switcher, between the Switcher and the Guest, between the Guest's kernel and its
 * programs.  A stopwatch that is always carried slows everybody down.  So a Guest is
 * watched only if its Launcher said so at CREATE, and then through one door: the loop asks
 * `lg->watched` once for each entry, and all else is here.
 *
 *	 Host     | Switcher |      Guest      | Switcher |   Host
 *	----------+----------+-----------------+----------+-----------> TSC
 *	      watch.in                                watch.out
 *
 * Two borders we can see from here: RDTSC before the Switcher, and after it.  For the two
 * in the middle the Switcher would have to carry the watch, in its hottest lines.  It need
 * not, because it does the same each time: so we *weigh* it.  Before the Guest's first
 * instruction we send it in a few times to an address where there is no page, and there
 * never is one.  The page fault comes before anything is executed: what such a trip takes
 * is the Switcher's, all of it.  The shortest one counts.  (Under QEMU's -icount all are
 * equal, and a tick is an instruction.  On a real machine caches have their say.)
 */
#include "guest.h"

#define WEIGHINGS	8
#define TRIES		1000	/* a second of nothing but interrupts would do it */

/*
 * Not every way home is as long as that of a page fault: the stubs (S:160) push an error
 * code where the CPU did not, some skip a question, and with a real interrupt
 * lg_arch_enter() has a word to say, too.  In instructions, as GCC 12 puts them.
 */
static int longer_than_page_fault(unsigned int trapno)
{
	if (trapno == LGUEST_TRAP_ENTRY)
		return -7;
	if (trapno >= 32)
		return trapno == LG_VECTOR_SYSCALL ? 0 : 3;
	return lg_trap_has_error(trapno) ? 0 : 1;
}

/* One function for both, as its own few instructions must be the same when we weigh. */
static noinline bool trip(struct lg_guest *g, unsigned int *interrupt)
{
	bool exit;

	g->lg.watch.in = lg_arch_tsc();
	exit = lg_arch_enter(g, interrupt);
	g->lg.watch.out = lg_arch_tsc();
	return exit;
}

/* Context: CREATE, before the first RUN.  A real interrupt may spoil a try. */
void lg_watch_weigh(struct lg_guest *g)
{
	struct lguest *lg = &g->lg;
	struct lg_trap_frame *regs = lg_regs(lg), before = *regs;
	struct lg_watch *w = &lg->watch;
	unsigned int i, good, interrupt;

	for (i = good = 0; i < TRIES && good < WEIGHINGS; i++) {
		interrupt = 0;
		lg_arch_section_begin(g);
		regs->eip = LG_RESERVED;
		if (trip(g, &interrupt) && regs->trapno == LG_VECTOR_PF) {
			if (!good++ || w->out - w->in < w->switcher)
				w->switcher = w->out - w->in;
		}
		*regs = before;
		lg_arch_section_end(g, interrupt);
	}
	WARN_ON_ONCE(!good);
	/* What came in between was not the Guest's. */
	memset(lg->stats.exit_vector, 0, sizeof(lg->stats.exit_vector));
	lg->stats.scalar[LG_STAT_irq_exits] = lg->stats.scalar[LG_STAT_nmi_exits] = 0;
	lg->pages->nmi_switcher = lg->pages->entry_aborts = 0;
}
/*:*/

/*H:192 Which ring?
 *
 * From ring 3 to ring 1 there is only one way, a trap, and those that the Switcher hands
 * over by itself are counted.  From ring 1 to ring 3 there is IRET, of which nobody hears
 * but the CPU.  So a stay that began and ended in the same ring, without such a trap, is
 * that ring's.  Of all others we only know that they were both.
 *
 * Whoever must know (LG_CREATE_RINGS) can: we shut the direct gates, so that each trap
 * ends the stay, and while the Guest is in ring 1 we say that its segment for programs is
 * "not present".  The IRET that wants to go there trips over it.  Then we say that it is
 * present after all, and let the same IRET try again.  The Guest sees nothing of it, but
 * for its time: a system call takes two round trips.
 */
#define USER_CODE	(LGUEST_USER_CS >> 3)
#define DESC_PRESENT	(1ull << 47)		/* SDM vol. 3, figure 3-8 */

static bool holds_user_code(u64 selector)
{
	return (selector & 0xfffc) == (LGUEST_USER_CS & 0xfffc);
}

/* By the Guest's own will, and by the wall's (H:400). */
static bool user_code_is_there(const struct lguest *lg)
{
	return lg_sanitise_descriptor(lg->gdt[USER_CODE]) & DESC_PRESENT;
}

static void show_user_code(struct lguest *lg)
{
	const struct lg_trap_frame *regs = lg_regs(lg);
	u64 *real = &lg->pages->gdt[USER_CODE];

	if (!lg->watch.rings || !user_code_is_there(lg))
		return;
	*real |= DESC_PRESENT;
	/* Somebody who reads his code through ds is not to stumble on the way in. */
	if (lg_cpl(lg) == 1 && !lg->watch.let_out && !holds_user_code(regs->ds) &&
	    !holds_user_code(regs->es) && !holds_user_code(regs->fs) && !holds_user_code(regs->gs))
		*real &= ~DESC_PRESENT;
}

/* Did the Guest's kernel want to enter ring 3, and was it us who did not let it? */
static bool wants_out(const struct lguest *lg, const struct lg_trap_frame *regs)
{
	return lg->watch.rings && regs->trapno == LG_VECTOR_NP && (regs->cs & 3) == 1 &&
	       regs->error == (LGUEST_USER_CS & 0xfffc) && user_code_is_there(lg) &&
	       !(lg->pages->gdt[USER_CODE] & DESC_PRESENT);
}

static enum lg_world world_of(const struct lguest *lg, unsigned int from, unsigned int to,
			      bool direct)
{
	if (lg->watch.rings && to == 3)
		return LG_WORLD_user;
	if (from != to || direct)
		return LG_WORLD_both;
	return from == 3 ? LG_WORLD_user : LG_WORLD_kernel;
}
/*:*/

/*H:194 One stay, watched
 *
 * In place of lg_arch_enter(), with the same contract.  What we do here ourselves is
 * nobody's: the clock of the Host's time stops when we begin, and starts (watch.since)
 * when we are done.
 */
static bool one_stay(struct lg_guest *g, unsigned int *interrupt)
{
	struct lguest *lg = &g->lg;
	struct lg_trap_frame *regs = lg_regs(lg);
	struct lg_watch *w = &lg->watch;
	u64 all, ours, now, direct, *ticks = lg->stats.ticks;
	unsigned int from = lg_cpl(lg);
	bool exit;

	now = lg_arch_tsc();
	if (w->since)
		ticks[w->away ? LG_WORLD_away : LG_WORLD_host] += now - w->since;
	show_user_code(lg);
	exit = trip(g, interrupt);
	direct = lg_direct_traps(lg);
	all = w->out - w->in;
	ours = min_t(u64, all, (int)w->switcher + longer_than_page_fault(regs->trapno));
	if (regs->trapno >= 256)		/* it never got there */
		ours = all;
	w->trip = ours;
	ticks[LG_WORLD_switcher] += ours;
	ticks[world_of(lg, from, lg_cpl(lg), direct != w->direct)] += all - ours;
	w->direct = direct;
	w->away = !exit;
	w->since = lg_arch_tsc();
	return exit;
}

bool lg_watched_stay(struct lg_guest *g, unsigned int *interrupt)
{
	struct lguest *lg = &g->lg;
	bool exit;

	lg->watch.let_out = false;
	for (;;) {
		exit = one_stay(g, interrupt);
		if (!exit || lg->watch.let_out || !wants_out(lg, lg_regs(lg)))
			return exit;
		trace_lguest_exit(lg);
		lg_note_exit(lg);
		lg->watch.let_out = true;
		lg_count(lg, switches);
		trace_lguest_enter(lg);
		lg_note_entry(lg);
	}
}
/*:*/
