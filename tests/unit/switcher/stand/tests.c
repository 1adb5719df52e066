// SPDX-License-Identifier: MIT
/* What the Switcher has promised (S:110 to S:170), one test a promise. */
#include "stand.h"

extern const u8 program_torture[], program_torture_end[];
extern char lg_stubs[];
extern void lg_stub_df(void), lg_stub_mce(void);

#define FLAGS	0xcd5u			/* CF PF AF ZF SF DF OF */
#define ROUNDS	300

static const char *const reg_names[] = { "eax", "ebx", "ecx", "edx", "esi", "edi", "ebp" };
static const char *const segment_names[] = { "ds", "es", "fs", "gs" };

static struct guest_view *seen(struct world *w)
{
	return (struct guest_view *)(w->ram + GUEST_SEEN);
}

static struct guest_view *next(struct world *w)
{
	return (struct guest_view *)(w->ram + GUEST_NEXT);
}

/* Where register i of reg_names, or segment i, is saved.  (A seed shuffles the slots.) */
static u64 *slot(struct lg_trap_frame *r, u32 i)
{
	u64 *const slots[] = { &r->eax, &r->ebx, &r->ecx, &r->edx, &r->esi, &r->edi, &r->ebp };

	return slots[i];
}

static u64 *segment_slot(struct lg_trap_frame *r, u32 i)
{
	u64 *const slots[] = { &r->ds, &r->es, &r->fs, &r->gs };

	return slots[i];
}

/* Any registers, for the Guest to come with and to leave with. */
static void any_view(struct guest_view *v, bool user)
{
	static const u16 kernel[] = { KDS, UDS, 20 * 8 + 1, 0 }, users[] = { UDS, 21 * 8 + 3, 0, UDS };
	u32 i;

	for (i = 0; i < 7; i++)
		v->reg[i] = draw();
	for (i = 0; i < 4; i++)
		v->segment[i] = (user ? users : kernel)[draw() >> 5 & 3];
	v->flags = (draw() & FLAGS) | LG_EFLAGS_IF | LG_EFLAGS_FIXED;
}

static struct guest_view came_with;

/* Registers of `v`, at GUEST_CODE, in ring 1 or 3. */
static void start(struct world *w, bool user, const void *tail, u32 size)
{
	struct lg_trap_frame *r = &w->pages->regs;
	struct guest_view *v = &came_with;
	u32 i;

	any_view(v, user);
	any_view(next(w), user);
	for (i = 0; i < 7; i++)
		*slot(r, i) = v->reg[i];
	for (i = 0; i < 4; i++)
		*segment_slot(r, i) = v->segment[i];
	r->trapno = 0xbad;
	r->error = 0xbad;
	r->eip = GUEST_CODE;
	r->cs = user ? UCS : KCS;
	r->eflags = v->flags;
	r->esp = GUEST_STACK;
	r->ss = user ? UDS : KDS;
	program(w, GUEST_CODE, program_torture, (u32)(program_torture_end - program_torture));
	program(w, GUEST_TAIL, tail, size);
	memset(seen(w), 0, sizeof(struct guest_view));
}

static const u8 int_1f[] = { 0xcd, 0x1f, 0x0f, 0x0b };

static const u8 ud2[] = { 0x0f, 0x0b };

/* "that is esi's": which register was meant to have this value? */
static const char *whose(u32 value, const u32 reg[7])
{
	u32 i;

	for (i = 0; i < 7; i++)
		if (reg[i] == value)
			return reg_names[i];
	return "nobody";
}

static bool arrived(struct world *w, const struct guest_view *want)
{
	struct guest_view *got = seen(w);
	u32 i;

	for (i = 0; i < 7; i++)
		if (got->reg[i] != want->reg[i])
			return fail("way in: the Guest has %s %x, expected %x (what it has is %s's)",
				    reg_names[i], (u64)got->reg[i], (u64)want->reg[i],
				    whose(got->reg[i], want->reg));
	for (i = 0; i < 4; i++)
		if (got->segment[i] != want->segment[i])
			return fail("way in: the Guest has %s %x, expected %x", segment_names[i],
				    (u64)got->segment[i], (u64)want->segment[i]);
	if ((got->flags & (FLAGS | LG_EFLAGS_IF)) != (want->flags & (FLAGS | LG_EFLAGS_IF)))
		return fail("way in: the Guest has eflags %x, expected %x", (u64)got->flags,
			    (u64)want->flags);
	return true;
}

static bool trapped(struct world *w, u64 trapno, u64 error)
{
	struct lg_trap_frame *r = &w->pages->regs;

	if (r->trapno >= LG_TRAP_BUG && r->trapno < LG_TRAP_BUG + 256)
		return fail("the Switcher itself faulted: vector %d, error %x, at %x",
			    r->trapno - LG_TRAP_BUG, r->error, w->pages->bug_rip);
	if (r->trapno != trapno)
		return fail("way out: trapno is %x, expected %x", r->trapno, trapno);
	if (r->error != error)
		return fail("way out: the error code of vector %d is %x, expected %x", trapno & 255,
			    r->error, error);
	return true;
}

/*
 * What was saved is what the Guest left with.  whole: with zeroes in the upper halves, as
 * long as no frame of a fault or an NMI in ring 0 has been pushed over a slot.
 */
static bool saved(struct world *w, const struct guest_view *want, bool whole)
{
	struct lg_trap_frame *r = &w->pages->regs;
	u64 got;
	u32 i;

	for (i = 0; i < 7; i++) {
		got = *slot(r, i);
		if ((u32)got != want->reg[i])
			return fail("way out: %s was saved as %x, expected %x (what is there is %s's)",
				    reg_names[i], got & 0xffffffff, (u64)want->reg[i],
				    whose((u32)got, want->reg));
		if (whole && got >> 32)
			return fail("way out: the upper half of %s's slot is %x, expected 0",
				    reg_names[i], got >> 32);
	}
	for (i = 0; i < 4; i++) {
		got = *segment_slot(r, i) & 0xffff;
		if (got != want->segment[i])
			return fail("way out: %s was saved as %x, expected %x", segment_names[i], got,
				    (u64)want->segment[i]);
	}
	return true;
}

static bool left(struct world *w, const struct guest_view *want)
{
	return saved(w, want, false);
}

static bool frame(struct world *w, u32 eip, u32 cs, u32 flags, u32 esp, u32 ss)
{
	struct lg_trap_frame *r = &w->pages->regs;

	if ((u32)r->eip != eip)
		return fail("way out: eip is %x, expected %x", r->eip, (u64)eip);
	if (r->cs != cs || r->ss != ss)
		return fail("way out: cs is %x and ss %x, expected %x and %x", r->cs, r->ss, (u64)cs,
			    (u64)ss);
	if ((r->eflags & (FLAGS | LG_EFLAGS_IF)) != (flags & (FLAGS | LG_EFLAGS_IF)))
		return fail("way out: eflags is %x, expected %x", r->eflags, (u64)flags);
	if ((u32)r->esp != esp)
		return fail("way out: esp is %x, expected %x", r->esp, (u64)esp);
	return true;
}

/* In with one set of registers, out with another, by whatever lies at the tail. */
static bool trip(struct world *w, u64 trapno, u64 error, u32 eip)
{
	return stay(w) && trapped(w, trapno, error) && arrived(w, &came_with) && left(w, next(w)) &&
	       frame(w, eip, KCS, next(w)->flags, GUEST_STACK, KDS);
}

/* ---- 10.1 to 10.4 --------------------------------------------------------------------------- */

static bool there_and_back(void)
{
	struct world *w = &world[0];

	start(w, false, int_1f, sizeof(int_1f));
	if (!stay(w))
		return false;
	if (!trapped(w, 0x1f, 0))
		return false;
	if (!seen(w)->esp)
		return fail("way in: the Guest has not run a single instruction");
	return true;
}

static bool again_and_again(void)
{
	u32 i;

	for (i = 0; i < ROUNDS; i++) {
		start(&world[0], false, int_1f, sizeof(int_1f));
		if (!stay(&world[0]) || !trapped(&world[0], 0x1f, 0))
			return false;
	}
	return true;
}

/* Two Guests take turns, and each finds its registers as it left them. */
static bool two_guests(void)
{
	static struct guest_view last[2];
	u32 i, k;

	for (i = 0; i < ROUNDS; i++)
		for (k = 0; k < 2; k++) {
			struct world *w = &world[k];

			if (i == 0)
				start(w, false, int_1f, sizeof(int_1f));
			else
				came_with = last[k];
			w->pages->regs.eip = GUEST_CODE;
			any_view(next(w), false);
			if (!trip(w, 0x1f, 0, GUEST_TAIL + 2))
				return false;
			last[k] = *next(w);
		}
	return true;
}

static bool registers_in(void)
{
	u32 i;

	for (i = 0; i < ROUNDS; i++) {
		start(&world[0], false, int_1f, sizeof(int_1f));
		if (!stay(&world[0]) || !trapped(&world[0], 0x1f, 0) || !arrived(&world[0], &came_with))
			return false;
		start(&world[0], true, ud2, sizeof(ud2));
		if (!stay(&world[0]) || !trapped(&world[0], 6, 0) || !arrived(&world[0], &came_with))
			return false;
	}
	return true;
}

static bool registers_out(void)
{
	u32 i;

	for (i = 0; i < ROUNDS; i++) {
		start(&world[0], false, int_1f, sizeof(int_1f));
		if (!trip(&world[0], 0x1f, 0, GUEST_TAIL + 2))
			return false;
	}
	return true;
}

/* Selectors that no MOV and no IRETQ takes: the Host must hear of it, and which. */
static bool bad_segments(void)
{
	struct world *w = &world[0];
	struct lg_trap_frame before;
	/* Entry 22 is there and says that its segment is not; 23 is empty. */
	static const struct {
		u16 selector, vector;
	} bad[] = { { 23 * 8 + 1, 13 }, { 22 * 8 + 1, 11 }, { 0x3f8, 13 }, { 23 * 8 + 3, 13 } };
	u32 i;

	for (i = 0; i < 4; i++) {
		start(w, false, int_1f, sizeof(int_1f));
		*segment_slot(&w->pages->regs, i) = bad[i].selector;
		before = w->pages->regs;
		if (!stay(w) || !trapped(w, LG_TRAP_ENTRY_SEGMENT | bad[i].vector,
					 bad[i].selector & ~3u))
			return false;
		if (memcmp(&before, &w->pages->regs, offsetof(struct lg_trap_frame, trapno)))
			return fail("way in: %s could not be loaded, and the saved registers are not what "
				    "they were", segment_names[i]);
	}
	start(w, false, int_1f, sizeof(int_1f));
	w->pages->regs.cs = 23 * 8 + 1;
	if (!stay(w) || !trapped(w, LG_TRAP_ENTRY_IRET | 13, 23 * 8))
		return false;
	return left(w, &came_with) &&
	       frame(w, GUEST_CODE, 23 * 8 + 1, came_with.flags, GUEST_STACK, KDS);
}

/* An NMI after each instruction, from the call to the return: nothing may be different. */
static bool sweep(bool nmi, bool (*once)(struct world *w))
{
	struct world *w = &world[0];
	u32 count, hits = 0;
	u64 before, aborts = w->pages->entry_aborts, inside = w->pages->nmi_switcher;

	for (count = 1; count < 1000; count++) {
		before = nmis;
		arm(count, nmi);
		if (!once(w)) {
			say("# after %d instructions\n", (u64)count);
			return false;
		}
		if (!fired())
			break;
		hits++;
		if (nmi && nmis != before + 1)
			return fail("NMI: one came after %d instructions, but the Host heard of %d",
				    (u64)count, nmis - before);
	}
	if (hits < 60 || count == 1000)
		return fail("stand: the sweep made %d hits", (u64)hits);
	/* Some of them on the way in, and others elsewhere in the Switcher. */
	aborts = w->pages->entry_aborts - aborts;
	inside = w->pages->nmi_switcher - inside;
	if (nmi && (aborts < 10 || inside < aborts + 20))
		return fail("NMI: %d hit the Switcher, %d of them turned an entry back", inside, aborts);
	return true;
}

static bool hypercall_trip(struct world *w)
{
	start(w, false, int_1f, sizeof(int_1f));
	return trip(w, 0x1f, 0, GUEST_TAIL + 2);
}

static bool nmi_everywhere(void)
{
	return sweep(true, hypercall_trip);
}

/* The same with a fault: its stub pushes, and goes by from_guest. */
static bool fault_trip(struct world *w)
{
	start(w, false, ud2, sizeof(ud2));
	return trip(w, 6, 0, GUEST_TAIL);
}

static bool nmi_fault(void)
{
	return sweep(true, fault_trip);
}

/* A real interrupt after each instruction; it can only be taken in the Guest. */
static bool interrupt_trip(struct world *w)
{
	start(w, false, int_1f, sizeof(int_1f));
	for (;;) {
		if (!stay(w))
			return false;
		if (w->pages->regs.trapno != 0x50)
			break;
		if (!trapped(w, 0x50, 0))
			return false;
		end_of_interrupt();
	}
	return trapped(w, 0x1f, 0) && arrived(w, &came_with) && left(w, next(w));
}

static bool interrupt_everywhere(void)
{
	bool good = sweep(false, interrupt_trip);

	/* One that came when the Guest was gone already is still there: let it in. */
	asm volatile("sti; nop; cli");
	return good;
}

/* ---- What the CPU pushes ------------------------------------------------------------ */

static const u64 error_vectors = 1ull << 8 | 31ull << 10 | 1ull << 17 | 1ull << 21 | 3ull << 29;

/*
 * Home, although somebody next to it in lg_pages.direct has a handler: the exception behind has
 * one, and what lies behind all 32 (direct_count[0]) could be taken for one.
 */
static bool nobody_elses_handler(struct world *w)
{
	bool good;

	program(w, GUEST_HANDLER, int_1f, sizeof(int_1f));
	w->pages->direct[7] = GUEST_HANDLER;
	start(w, false, ud2, sizeof(ud2));
	good = stay(w);
	w->pages->direct[7] = 0;
	if (!good)
		return false;
	if (w->pages->regs.trapno != 6)
		return fail("way out: of vectors 6 and 7 only 7 has a handler in direct[], 6 happened, "
			    "and trapno is %x, expected %x", w->pages->regs.trapno, (u64)6);
	w->pages->direct_count[0] = GUEST_HANDLER;
	start(w, false, int_1f, sizeof(int_1f));
	self_interrupt(32);
	good = stay(w);
	end_of_interrupt();
	w->pages->direct_count[0] = 0;
	if (good && w->pages->regs.trapno != 32)
		return fail("way out: vector 32 is none that direct[] knows, and trapno is %x, expected %x",
			    w->pages->regs.trapno, (u64)32);
	return good;
}

/* Real faults, with error codes and without. */
static bool error_codes(void)
{
	struct world *w = &world[0];
	static const struct {
		u8 code[12];
		u32 vector, error, cr2, ahead;
	} fault[] = {
		{ { 0x0f, 0x0b }, 6, 0, 0, 0 },
		{ { 0xcc }, 3, 0, 0, 1 },
		{ { 0xce }, 4, 0, 0, 1 },				/* into: only with OF */
		{ { 0xf4 }, 13, 0, 0, 0 },				/* hlt */
		{ { 0xea, 0, 0, 1, 0, 23 * 8 + 1, 0 }, 13, 23 * 8, 0, 0 },	/* no such segment */
		{ { 0x36, 0xa1, 0x34, 0x12, 0x90, 0 }, 14, 0, 0x901234, 0 },
		{ { 0x36, 0xa3, 0x78, 0x56, 0xa0, 0 }, 14, 2, 0xa05678, 0 },
	};
	u32 i;

	for (i = 0; i < sizeof(fault) / sizeof(fault[0]); i++) {
		w->pages->cr2 = 0;
		start(w, false, fault[i].code, sizeof(fault[i].code));
		if (fault[i].vector == 4)
			next(w)->flags |= 0x800;
		if (!trip(w, fault[i].vector, fault[i].error, GUEST_TAIL + fault[i].ahead))
			return false;
		if (fault[i].cr2 && w->pages->cr2 != fault[i].cr2)
			return fail("way out: cr2 is %x, expected %x", w->pages->cr2,
				    (u64)fault[i].cr2);
	}
	return nobody_elses_handler(w);
}

/* Every vector, its frame made by hand, with dirt in every upper half. */
static bool one_door(struct world *w, u32 vector, bool user)
{
	struct delivery *d = &delivery;
	bool error = vector < 32 && (error_vectors >> vector & 1);
	struct guest_view v;
	u32 i, n = 0, code = draw() & 0xffff;

	any_view(&v, user);
	d->stub = vector == 8 ? (const void *)lg_stub_df : vector == 18 ? (const void *)lg_stub_mce :
		  (const void *)(lg_stubs + vector * 16);
	d->word[n++] = user ? UDS : KDS;
	d->word[n++] = GUEST_STACK - 64;
	d->word[n++] = v.flags;
	d->word[n++] = user ? UCS : KCS;
	d->word[n++] = GUEST_CODE + vector;
	if (error)
		d->word[n++] = code;
	d->words = n;
	for (i = 0; i < 7; i++)
		d->reg[i] = (u64)draw() << 32 | v.reg[i];
	memset(&w->pages->regs, 0, sizeof(w->pages->regs));
	if (!deliver_by_hand(w))
		return false;
	/* Delivered by hand the segment registers are the stand's own. */
	for (i = 0; i < 4; i++)
		v.segment[i] = (u32)(&host_in.ds)[i];
	return trapped(w, vector, error ? code : 0) && saved(w, &v, true) &&
	       frame(w, GUEST_CODE + vector, user ? UCS : KCS, v.flags, GUEST_STACK - 64,
		     user ? UDS : KDS);
}

static bool every_door(void)
{
	u32 vector;

	for (vector = 0; vector < 256; vector++)
		if (vector != 2 && (!one_door(&world[0], vector, false) ||
				    !one_door(&world[0], vector, true)))
			return false;
	return true;
}

static bool upper_halves(void)
{
	u32 i;

	for (i = 0; i < ROUNDS; i++)
		if (!one_door(&world[0], 6, i & 1) || !one_door(&world[0], 14, i & 1))
			return false;
	return true;
}

/* And those that the APIC can send, for real. */
static bool real_interrupts(void)
{
	struct world *w = &world[0];
	u32 vector;

	for (vector = 0x20; vector < 256; vector++) {
		if (vector == 0x80)
			continue;
		start(w, false, int_1f, sizeof(int_1f));
		self_interrupt(vector);
		if (!stay(w) || !trapped(w, vector, 0) || !left(w, &came_with) ||
		    !frame(w, GUEST_CODE, KCS, came_with.flags, GUEST_STACK, KDS))
			return false;
		end_of_interrupt();
	}
	return true;
}

/* ---- 10.5: the system call ----------------------------------------------------------- */

static const u8 int_80[] = { 0xcd, 0x80, 0x0f, 0x0b };

/* Ring 3 says int 0x80, ring 1 writes down what it finds, and hangs up. */
static void start_call(struct world *w, bool user)
{
	start(w, user, int_80, sizeof(int_80));
	program(w, GUEST_CODE, int_80, sizeof(int_80));
	program(w, GUEST_HANDLER, program_torture, (u32)(program_torture_end - program_torture));
	program(w, GUEST_HANDLER + 0x800, int_1f, sizeof(int_1f));
	any_view(next(w), false);
	memset(w->ram + GUEST_KERNEL_STACK - 64, 0xee, 64);
}

static u32 stack_word(struct world *w, u32 at)
{
	return *(u32 *)(w->ram + at);
}

static const char *const frame_names[] = { "eip", "cs", "eflags", "esp", "ss" };

/* The five words, at `at` of the Guest's stack. */
static bool pushed(struct world *w, u32 at, const u32 want[5])
{
	u32 i, mask;

	for (i = 0; i < 5; i++) {
		mask = i == 2 ? FLAGS | LG_EFLAGS_IF | LG_EFLAGS_NT : ~0u;
		if (want[i] != 0xffffffff && (stack_word(w, at + i * 4) & mask) != (want[i] & mask))
			return fail("short cut: %s on the Guest's stack is %x, expected %x",
				    frame_names[i], (u64)stack_word(w, at + i * 4), (u64)want[i]);
	}
	return true;
}

/* What its handler must find: everything as it was, but for these. */
static bool handler_sees(struct world *w, u32 esp, u32 flags, u32 mask)
{
	came_with.flags = seen(w)->flags;
	if (!seen(w)->esp)
		return fail("short cut: the Guest's handler has not run");
	if (!arrived(w, &came_with))
		return false;
	if (seen(w)->esp != esp)
		return fail("short cut: the handler's esp is %x, expected %x", (u64)seen(w)->esp, (u64)esp);
	if ((seen(w)->flags & mask) != (flags & mask))
		return fail("short cut: the handler's eflags are %x, expected %x", (u64)seen(w)->flags,
			    (u64)flags);
	return true;
}

static bool call_trip(struct world *w)
{
	u32 flags;
	u64 count = w->pages->direct_count_syscall;

	start_call(w, true);
	flags = came_with.flags;
	if (!stay(w) || !trapped(w, 0x1f, 0))
		return false;
	if (!pushed(w, GUEST_KERNEL_STACK - 20,
		    (u32[]){ GUEST_CODE + 2, UCS, flags, GUEST_STACK, UDS }))
		return false;
	if (!handler_sees(w, GUEST_KERNEL_STACK - 20, LG_EFLAGS_IF, LG_EFLAGS_IF | 0x100))
		return false;
	if (w->pages->direct_count_syscall != count + 1)
		return fail("short cut: direct_count_syscall went from %d to %d", count,
			    w->pages->direct_count_syscall);
	return left(w, next(w));
}

static bool syscall(void)
{
	u32 i;

	world[0].pages->direct_count_syscall = 0xfffffff0;	/* 64 bits are counted */
	for (i = 0; i < ROUNDS; i++)
		if (!call_trip(&world[0]))
			return false;
	return true;
}

static bool nmi_syscall(void)
{
	return sweep(true, call_trip);
}

static bool interrupt_syscall_trip(struct world *w)
{
	start_call(w, true);
	for (;;) {
		if (!stay(w))
			return false;
		if (w->pages->regs.trapno != 0x50)
			break;
		end_of_interrupt();
	}
	return trapped(w, 0x1f, 0) && left(w, next(w));
}

static bool interrupt_syscall(void)
{
	bool good = sweep(false, interrupt_syscall_trip);

	asm volatile("sti; nop; cli");
	return good;
}

/* From ring 1 there is no short cut: the stack is another one. */
static bool syscall_ring1(void)
{
	struct world *w = &world[0];

	start_call(w, false);
	if (!stay(w) || !trapped(w, 0x80, 0) || !left(w, &came_with))
		return false;
	if (seen(w)->esp)
		return fail("short cut: taken from ring 1 as well");
	return frame(w, GUEST_CODE + 2, KCS, came_with.flags, GUEST_STACK, KDS);
}

/* The stack's page is not there, for none, some or all of the words: the Host gets it whole. */
static bool syscall_no_stack(void)
{
	struct world *w = &world[0];
	u32 words;
	u64 fixups;

	for (words = 1; words <= 5; words++) {
		start_call(w, true);
		fixups = w->pages->fixups;
		/* The page below 0x32000 is there, that above is not: `words` words lie above. */
		w->pages->esp1 = 0x32000 + words * 4;
		w->pages->syscall_frame.rsp = w->pages->esp1 - 20;
		map_guest_page(w, 0x32000, false);
		if (!stay(w))
			return false;
		map_guest_page(w, 0x32000, true);
		if (!trapped(w, 0x80, 0) || !left(w, &came_with) ||
		    !frame(w, GUEST_CODE + 2, UCS, came_with.flags, GUEST_STACK, UDS))
			return false;
		if (w->pages->fixups != fixups + 1)
			return fail("short cut: fixups went from %d to %d", fixups, w->pages->fixups);
	}
	return true;
}

/* ---- 10.6: exceptions that the Guest wants for itself -------------------------------- */

/* Ring 3 or 1 does something silly, and ring 1 handles it. */
static void start_trap(struct world *w, bool user, u32 vector, const u8 *code, u32 size)
{
	start_call(w, user);
	program(w, GUEST_CODE, code, size);
	memset(w->ram + GUEST_STACK - 64, 0xee, 64);
	w->pages->direct[vector] = GUEST_HANDLER;
}

static const struct {
	u8 code[8];
	u32 vector, error, ahead;
	bool has_error;
} silly[] = {
	{ { 0x0f, 0x0b }, 6, 0, 0, false },
	{ { 0xcc }, 3, 0, 1, false },
	{ { 0xea, 0, 0, 1, 0, 23 * 8 + 1, 0 }, 13, 23 * 8, 0, true },
	{ { 0x36, 0xa3, 0x78, 0x56, 0xa0, 0 }, 14, 2, 0, true },
	{ { 0xf4 }, 13, 0, 0, true },		/* an error code of 0 is one, too */
};

static bool trap_trip(struct world *w, u32 which, bool user)
{
	u32 vector = silly[which].vector, error = silly[which].error, flags, esp;
	u64 count = w->pages->direct_count[vector];
	/* SET_STACK may name any segment of ring 1, and AC is set where SMAP is on (H:550). */
	u32 ss = count & 1 ? KDS : 20 * 8 + 1, ac = count & 2 ? 0 : LG_EFLAGS_AC;
	u32 was = w->pages->direct_flags;

	w->pages->ss1 = ss;
	w->pages->direct_flags |= ac;
	start_trap(w, user, vector, silly[which].code, sizeof(silly[which].code));
	/* NT must not reach the handler: its first IRET would be a task switch. */
	w->pages->regs.eflags |= LG_EFLAGS_NT;
	flags = came_with.flags | LG_EFLAGS_NT;
	if (user && vector == 14)
		error |= LG_PF_USER;
	if (!stay(w) || !trapped(w, 0x1f, 0))
		return false;
	w->pages->ss1 = KDS;
	w->pages->direct_flags = was;
	esp = user ? GUEST_KERNEL_STACK - 20 : GUEST_STACK - 12;
	if (!pushed(w, esp, (u32[]){ GUEST_CODE + silly[which].ahead, user ? UCS : KCS, flags,
				     user ? GUEST_STACK : 0xffffffff, user ? UDS : 0xffffffff }))
		return false;
	if (silly[which].has_error) {
		esp -= 4;
		if (stack_word(w, esp) != error)
			return fail("short cut: the error code on the Guest's stack is %x, expected %x",
				    (u64)stack_word(w, esp), (u64)error);
	}
	if (!handler_sees(w, esp, LG_EFLAGS_IF | ac, LG_EFLAGS_IF | ac | LG_EFLAGS_TF |
			  LG_EFLAGS_NT | 0x3000))
		return false;
	if ((seen(w)->flags & FLAGS) != (flags & FLAGS))
		return fail("short cut: the handler's eflags are %x, expected those of before, %x",
			    (u64)seen(w)->flags, (u64)flags);
	if (w->pages->direct_count[vector] != count + 1)
		return fail("short cut: direct_count[%d] went from %d to %d", (u64)vector, count,
			    w->pages->direct_count[vector]);
	w->pages->direct[vector] = 0;
	return left(w, next(w)) && frame(w, GUEST_HANDLER + 0x802, KCS, next(w)->flags, esp,
					 user ? ss : KDS);
}

static bool traps(bool user, bool error)
{
	u32 i, k;

	for (k = 0; k < 5; k++)		/* 64 bits are counted */
		world[0].pages->direct_count[silly[k].vector] = 0xfffffff0;
	for (i = 0; i < 50; i++)
		for (k = 0; k < 5; k++)
			if (silly[k].has_error == error && !trap_trip(&world[0], k, user))
				return false;
	return true;
}

static bool trap_user(void)
{
	return traps(true, false);
}

static bool trap_kernel(void)
{
	return traps(false, false);
}

static bool trap_error(void)
{
	return traps(true, true) && traps(false, true);
}

static bool nmi_trap_trip(struct world *w)
{
	return trap_trip(w, 2, true);
}

static bool nmi_trap_kernel_trip(struct world *w)
{
	return trap_trip(w, 0, false);
}

static bool nmi_trap(void)
{
	return sweep(true, nmi_trap_trip) && sweep(true, nmi_trap_kernel_trip);
}

static bool trap_no_stack(void)
{
	struct world *w = &world[0];
	u32 words, k;
	u64 fixups;

	for (k = 0; k < 4; k += 2)
		for (words = 1; words <= (silly[k].has_error ? 6 : 5); words++) {
			u32 vector = silly[k].vector;

			start_trap(w, true, vector, silly[k].code, sizeof(silly[k].code));
			fixups = w->pages->fixups;
			/* At last all five are well, and there is no place for the error code. */
			w->pages->esp1 = words < 6 ? 0x32000 + words * 4 : 0x33000 + 20;
			map_guest_page(w, 0x32000, false);
			if (!stay(w))
				return false;
			map_guest_page(w, 0x32000, true);
			if (!trapped(w, vector, silly[k].error) || !left(w, &came_with) ||
			    !frame(w, GUEST_CODE, UCS, came_with.flags, GUEST_STACK, UDS))
				return false;
			if (w->pages->fixups != fixups + 1)
				return fail("short cut: fixups went from %d to %d", fixups,
					    w->pages->fixups);
			w->pages->direct[vector] = 0;
		}
	return true;
}

const struct test tests[] = {
	{ "there-and-back", there_and_back },
	{ "again-and-again", again_and_again },
	{ "two-guests", two_guests },
	{ "registers-in", registers_in },
	{ "registers-out", registers_out },
	{ "bad-segments", bad_segments },
	{ "nmi-everywhere", nmi_everywhere },
	{ "nmi-fault", nmi_fault },
	{ "interrupt-everywhere", interrupt_everywhere },
	{ "error-codes", error_codes },
	{ "every-door", every_door },
	{ "upper-halves", upper_halves },
	{ "real-interrupts", real_interrupts },
	{ "syscall", syscall },
	{ "nmi-syscall", nmi_syscall },
	{ "interrupt-syscall", interrupt_syscall },
	{ "syscall-ring1", syscall_ring1 },
	{ "syscall-no-stack", syscall_no_stack },
	{ "trap-user", trap_user },
	{ "trap-kernel", trap_kernel },
	{ "trap-error", trap_error },
	{ "nmi-trap", nmi_trap },
	{ "trap-no-stack", trap_no_stack },
	{ NULL, NULL },
};
