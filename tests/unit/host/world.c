// SPDX-License-Identifier: MIT
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "world.h"

#define PAGE 4096u

u64 random_state = 88172645463325252ull;

void random_start(const char *test)
{
	const char *given = getenv("SEED");

	random_state = given ? strtoull(given, NULL, 0) :
		       (u64)time(NULL) * 2654435761u + (u64)getpid() * 40503u;
	random_state |= 1;
	printf("# %s: SEED=%llu\n", test, (unsigned long long)random_state);
}

/* ---- Somebody who writes while we read ---- */

static struct {
	volatile u32 *word;
	u32 value[2];
	u32 steps;
} scrambled;

static void between_two(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)info;
	*scrambled.word = scrambled.value[chance(50)];
	if (!--scrambled.steps)		/* who looks later finds one of the two */
		((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)LG_EFLAGS_TF;
}

void world_scramble(u32 *word, u32 a, u32 b)
{
	struct sigaction action = { .sa_sigaction = between_two, .sa_flags = SA_SIGINFO };

	scrambled.word = word;
	scrambled.value[0] = a;
	scrambled.value[1] = b;
	scrambled.steps = 2000;
	check(sigaction(SIGTRAP, &action, NULL) == 0, "SIGTRAP cannot be had");
	__builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() | LG_EFLAGS_TF);
}

void world_settle(void)
{
	__builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() & ~(u64)LG_EFLAGS_TF);
}

static struct world *world_of(struct lguest *lg)
{
	return (struct world *)lg;
}

/* ---- What os.h asks for ---- */

static void tell(struct world *w, enum what what, u32 a, u32 b, u32 c)
{
	if (w->tolds < sizeof(w->told) / sizeof(w->told[0]))
		w->told[w->tolds++] = (struct told){ what, a, b, c };
}

void world_bad_page(const void *page)
{
	fail_msg("lg_os_phys(%p): %s", page, page ? "that is no start of a page" :
		 "NULL is no page: a frame that nobody has wanted yet, or table number 0");
}

void lg_kill_by(struct lguest *lg, const char *by, enum lg_reason reason, const char *format, ...)
{
	va_list args;

	world_of(lg)->kills++;
	if (lg->over)
		return;
	check(reason > LG_ALIVE && reason < LG_REASON_COUNT, "kill without a reason: %u", reason);
	va_start(args, format);
	vsnprintf(lg->text, sizeof(lg->text), format, args);
	va_end(args);
	lg->killed_by = by;
	lg->reason = reason;
	lg->over = LG_RUN_KILLED;
}

void lg_os_set_timer(struct lguest *lg, u32 ns)
{
	struct world *w = world_of(lg);

	w->timer = ns;
	tell(w, TOLD_TIMER, ns, 0, 0);
	if (w->on_timer)
		w->on_timer(w, ns);
}

/* There is one clock, and it ticks when looked at: two looks never agree. */
static u32 wall = 1700000000;

void lg_os_wall_clock(u32 *sec, u32 *nsec)
{
	*sec = ++wall;
	*nsec = wall % 1000000000;
}

u32 lg_os_tsc_khz(void)
{
	return 2893210;
}

void lg_os_nudge(struct lguest *lg)
{
	world_of(lg)->nudged = true;
}

void lg_arch_set_gate(struct lguest *lg, unsigned int vector, unsigned int dpl, u32 handler)
{
	struct world *w = world_of(lg);

	check(vector < 256 && dpl < 4, "lg_arch_set_gate(%u, dpl %u)", vector, dpl);
	w->gate_dpl[vector] = dpl;
	w->gate_handler[vector] = handler;
	tell(w, TOLD_GATE, vector, dpl, handler);
}

void lg_arch_set_ts(struct lguest *lg, bool ts)
{
	world_of(lg)->ts = ts;
	tell(world_of(lg), TOLD_TS, ts, 0, 0);
}

/* ---- Memory ---- */

/* Zeroed pages with an inaccessible one on either side. */
static void *guarded(struct world *w, size_t bytes)
{
	struct guarded *g = malloc(sizeof(*g));
	u8 *base = mmap(NULL, bytes + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(g && base != MAP_FAILED, "no memory for the test");
	check(!mprotect(base + PAGE, bytes, PROT_READ | PROT_WRITE), "mprotect");
	*g = (struct guarded){ base, bytes + 2 * PAGE, w->guarded };
	w->guarded = g;
	return base + PAGE;
}

static void fetch_frame(struct world *w, u32 pfn)
{
	u8 *where = w->scattered + (size_t)w->place[pfn] * 2 * PAGE;

	if (w->lg.frame[pfn])
		return;
	check(mmap(where, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, w->fd,
		   (off_t)pfn * PAGE) == where, "mmap of frame %#x", pfn);
	w->lg.frame[pfn] = where;
	w->lg.stats.scalar[LG_STAT_pinned_pages]++;
}

/* host/memory.c, lg_fetch_tables: eight at a time up to the limit, then recycle. */
static void fetch_tables(struct world *w)
{
	struct lguest *lg = &w->lg;
	u32 i;

	for (i = 0; i < 8 && lg->tables < lg->table_limit; i++)
		lg_add_table(lg, guarded(w, PAGE));
	for (i = 0; lg->free_tables < 2; i++) {
		check(i < LG_ROOTS + 2, "recycling frees nothing");
		lg_recycle_tables(lg);
	}
}

static void map_data(struct world *w)
{
	u32 gpa = w->lg.data_gpa;
	u32 first = gpa / PAGE, last = (gpa + sizeof(struct lguest_data) - 1) / PAGE;
	size_t bytes = (last - first + 1) * PAGE;

	fetch_frame(w, first);
	fetch_frame(w, last);
	check(last - first < 2, "lguest_data in more than two pages");
	w->data_pages = guarded(w, 2 * PAGE);
	munmap(w->data_pages, 2 * PAGE);
	check(mmap(w->data_pages, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, w->fd,
		   (off_t)first * PAGE) == w->data_pages, "mmap of lguest_data");
	w->lg.data = (struct lguest_data *)(w->data_pages + gpa % PAGE);
}

u32 world_pfn_of(struct world *w, u64 phys)
{
	u64 offset, address = phys & ~WORLD_PHYS;
	u32 pfn;

	if (!(phys & WORLD_PHYS) || address < (u64)w->scattered || address % PAGE)
		return ~0u;
	offset = address - (u64)w->scattered;
	if (offset >= (u64)w->lg.pfn_limit * 2 * PAGE || offset % (2 * PAGE))
		return ~0u;
	pfn = w->at_place[offset / (2 * PAGE)];
	return w->lg.frame[pfn] == (void *)address ? pfn : ~0u;
}

void world_read(struct world *w, u32 gpa, void *to, u32 len)
{
	memset(to, 0, len);		/* beyond memory: nothing */
	if ((u64)gpa + len <= (u64)w->lg.pfn_limit * PAGE)
		memcpy(to, w->ram + gpa, len);
}

void world_write(struct world *w, u32 gpa, const void *from, u32 len)
{
	check((u64)gpa + len <= (u64)w->lg.pfn_limit * PAGE, "the test writes to %#x", gpa);
	memcpy(w->ram + gpa, from, len);
}

u32 world_get32(struct world *w, u32 gpa)
{
	u32 value;

	memcpy(&value, w->ram + gpa, 4);
	return value;
}

void world_put32(struct world *w, u32 gpa, u32 value)
{
	memcpy(w->ram + gpa, &value, 4);
}

u32 world_frame(struct world *w)
{
	check(w->next_frame < w->lg.pfn_limit, "the test needs more frames than %u",
	      w->lg.pfn_limit);
	return w->next_frame++;
}

/* What a Guest writes before LGUEST_INIT. */
void world_data(struct world *w, u32 gpa, const struct world_plan *plan)
{
	struct lguest_data data = {
		.irq_enabled = 0,
		.blocked_interrupts = ~0u,
		.noirq_start = plan->noirq_start,
		.noirq_end = plan->noirq_end,
		.kernel_address = plan->kernel_address,
		.syscall_vec = 0x80,
	};

	memset(data.hcall_status, 0xff, sizeof(data.hcall_status));
	world_write(w, gpa, &data, sizeof(data));
}

struct world *world_new(const struct world_plan *plan)
{
	struct world *w = calloc(1, sizeof(*w));
	u32 frames = plan->frames ? plan->frames : 64, i, j, t;
	struct lg_trap_frame *regs;
	u32 gpa = plan->data_gpa ? plan->data_gpa : WORLD_DATA;

	check(w, "no memory for the test");
	w->fd = memfd_create("guest", 0);
	check(w->fd >= 0 && !ftruncate(w->fd, (off_t)frames * PAGE), "memfd");
	w->ram = mmap(NULL, (size_t)frames * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, w->fd, 0);
	w->scattered = mmap(NULL, (size_t)frames * 2 * PAGE, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(w->ram != MAP_FAILED && w->scattered != MAP_FAILED, "mmap");
	w->place = calloc(frames, sizeof(u32));
	for (i = 0; i < frames; i++)
		w->place[i] = i;
	for (i = frames - 1; i > 0; i--) {
		j = below(i + 1);
		t = w->place[i];
		w->place[i] = w->place[j];
		w->place[j] = t;
	}
	w->at_place = calloc(frames, sizeof(u32));
	for (i = 0; i < frames; i++)
		w->at_place[w->place[i]] = i;
	w->next_frame = 4;	/* 0: nothing, 1 and 2: lguest_data, 3: for the test */

	w->lg.pages = guarded(w, sizeof(struct lg_pages));
	w->lg.pdpt = guarded(w, PAGE);
	w->lg.frame = calloc(frames, sizeof(void *));
	w->lg.pfn_limit = frames;
	w->lg.table_limit = plan->table_limit;
	regs = lg_regs(&w->lg);
	regs->cs = LGUEST_KERNEL_CS;
	regs->ds = regs->es = regs->ss = LGUEST_KERNEL_DS;
	regs->eflags = 0x202;
	regs->eip = WORLD_EIP;
	lg_segments_init(&w->lg);
	lg_shadow_init(&w->lg);
	w->gate_dpl[0x1f] = 1;

	world_data(w, gpa, plan);
	if (!plan->raw) {
		check(world_hypercall(w, LHCALL_LGUEST_INIT, gpa, 0, 0, 0) == ENTERS,
		      "INIT: %s", w->lg.text);
		world_forget(w);
	}
	return w;
}

void world_free(struct world *w)
{
	struct guarded *g;

	munmap(w->ram, (size_t)w->lg.pfn_limit * PAGE);
	munmap(w->scattered, (size_t)w->lg.pfn_limit * 2 * PAGE);
	close(w->fd);
	while (w->guarded) {
		g = w->guarded;
		w->guarded = g->next;
		munmap(g->base, g->bytes);
		free(g);
	}
	free(w->lg.frame);
	free(w->place);
	free(w->at_place);
	free(w);
}

/* ---- The loop: host/core.c, without the machine ---- */

static void satisfy(struct world *w)
{
	struct lguest *lg = &w->lg;
	enum lg_want want = lg->want;

	lg->want = LG_WANT_NOTHING;
	switch (want) {
	case LG_WANT_NOTHING:
		break;
	case LG_WANT_FRAME:
		check(lg->want_pfn < lg->pfn_limit, "frame %#x wanted, the Guest has %#x",
		      lg->want_pfn, lg->pfn_limit);
		check(!lg->frame[lg->want_pfn], "frame %#x wanted, and is there", lg->want_pfn);
		fetch_frame(w, lg->want_pfn);
		break;
	case LG_WANT_TABLES:
		fetch_tables(w);
		break;
	case LG_WANT_DATA:
		check(!lg->data, "lguest_data wanted, and is there");
		map_data(w);
		break;
	case LG_WANT_NOTIFY:
		tell(w, TOLD_NOTIFY, lg->notify, 0, 0);
		break;
	case LG_WANT_DEBUG:
		fail_msg("a stop was not told");
		break;
	}
}

static void came_back(struct world *w, enum lg_result r)
{
	if (r == LG_AGAIN) {
		check(w->lg.want != LG_WANT_NOTHING, "LG_AGAIN, and nothing is wanted");
		w->again++;
		if (w->on_again)
			w->on_again(w);
	}
	if (w->lg.over)
		check(r == LG_OUT, "the Guest is over (%s), and the result is %s, not LG_OUT",
		      w->lg.text, r == LG_RESUME ? "LG_RESUME" : "LG_AGAIN");
}

/* What LG_OUT from an exit may mean; a HALT is lg_before_entry's. */
static bool wants_the_loop(struct lguest *lg)
{
	return lg->over || lg->want == LG_WANT_NOTIFY || (lg->smap && lg->smap_off) ||
	       (lg->smep && lg->smep_off);
}

static enum state run(struct world *w, bool unfinished)
{
	struct lguest *lg = &w->lg;
	enum lg_result r;
	u32 turns;
	u64 live;

	if (unfinished)
		lg_note_exit(lg);
	for (turns = 0; turns < 10000; turns++) {
		satisfy(w);
		if (lg->over)
			return DEAD;
		/* A section begins: x86_64/arch.c, lg_arch_section_begin. */
		lg->smap = w->smap && !lg->smap_off;
		lg->smep = w->smep && !lg->smep_off;
		if (unfinished) {
			live = lg->stats.scalar[LG_STAT_tables_live];
			r = lg_handle_exit(lg);
			came_back(w, r);
			if (r == LG_AGAIN && (lg->want == LG_WANT_TABLES || lg_regs(lg)->trapno == 14))
				check(lg->stats.scalar[LG_STAT_tables_live] == live,
				      "LG_AGAIN, and tables were taken already: half a path is of no use");
			unfinished = r == LG_AGAIN;
			if (r == LG_OUT)
				check(wants_the_loop(lg), "vector %u%s was answered with LG_OUT, and "
				      "the loop finds nothing to do: no death, no NOTIFY",
				      (u32)lg_regs(lg)->trapno,
				      lg_regs(lg)->trapno == LGUEST_TRAP_ENTRY ?
				      " (a hypercall)" : "");
			if (r != LG_RESUME)
				continue;
		}
		r = lg_before_entry(lg);
		came_back(w, r);
		if (r == LG_RESUME)
			return ENTERS;
		if (r == LG_OUT && lg->want == LG_WANT_DEBUG) {
			lg->want = LG_WANT_NOTHING;
			return STOPS;
		}
		if (r == LG_OUT && !lg->over) {
			check(lg->halted, "LG_OUT before the entry, and the Guest is awake");
			return SLEEPS;
		}
	}
	fail_msg("the loop does not end (trap %u)", (u32)lg_regs(lg)->trapno);
	return DEAD;
}

enum state world_exit(struct world *w)
{
	return run(w, true);
}

enum state world_enter(struct world *w)
{
	return run(w, false);
}

enum state world_hypercall(struct world *w, u32 number, u32 a1, u32 a2, u32 a3, u32 a4)
{
	struct lg_trap_frame *regs = lg_regs(&w->lg);
	u64 before[7], eip = regs->eip;
	enum state s;

	regs->eax = number;
	regs->ebx = a1;
	regs->ecx = a2;
	regs->edx = a3;
	regs->esi = a4;
	memcpy(before, regs, sizeof(before));
	regs->trapno = LGUEST_TRAP_ENTRY;
	regs->error = 0;
	s = world_exit(w);
	check(!memcmp(before, regs, sizeof(before)), "hypercall %u changed a register", number);
	if (s == ENTERS && w->lg.stats.scalar[LG_STAT_irq_delivered] == 0)
		check(regs->eip == eip, "hypercall %u moved eip", number);
	return s;
}

enum state world_trap(struct world *w, u32 vector, u32 error)
{
	lg_regs(&w->lg)->trapno = vector;
	lg_regs(&w->lg)->error = error;
	return world_exit(w);
}

void world_restore(struct world *w, const struct lg_snapshot *s)
{
	if (s->flags & LG_SAVED_INITIALISED) {
		w->lg.data_gpa = s->data_gpa;
		map_data(w);
	}
	lg_restore(&w->lg, s);
}

void world_revive(struct world *w)
{
	w->lg.over = 0;
	w->lg.reason = LG_ALIVE;
	w->lg.text[0] = '\0';
	w->kills = 0;
}

void world_forget(struct world *w)
{
	w->tolds = 0;
	w->nudged = false;
}

void expect_dead_at(struct world *w, enum lg_reason why, const char *words, const char *file,
		    int line)
{
	if (w->lg.over == LG_RUN_KILLED && w->lg.reason == why &&
	    !strncmp(w->lg.text, words, strlen(words)))
		return;
	print_error("%s:%d\n", file, line);
	fail_msg("expected a kill with reason %u, \"%s...\", got over %u, reason %u, \"%s\"",
		 why, words, w->lg.over, w->lg.reason, w->lg.text);
}

/* ---- Guest page tables, as a Guest would write them ---- */

static u32 entry_size(struct world *w)
{
	return w->lg.pae ? 8 : 4;
}

u64 guest_entry(struct world *w, u32 gpa)
{
	u64 entry = 0;

	world_read(w, gpa, &entry, entry_size(w));
	return entry;
}

void guest_set_entry(struct world *w, u32 gpa, u64 entry)
{
	world_write(w, gpa, &entry, entry_size(w));
}

/* A root.  Set lg.pae first (the Host finds out for itself at NEW_PGTABLE). */
u32 guest_root(struct world *w)
{
	u32 root = world_frame(w) * PAGE, i;

	if (w->lg.pae) {
		root += 32 * below(PAGE / 32);
		for (i = 0; i < 4; i++)
			guest_set_entry(w, root + 8 * i, world_frame(w) * PAGE | 1);
	}
	return root;
}

/* Where the last directory entry for gva is; 0: there is none (PAE). */
u32 guest_pde_gpa(struct world *w, u32 root, u32 gva)
{
	u64 pdpte;

	if (!w->lg.pae)
		return root + (gva >> 22) * 4;
	pdpte = guest_entry(w, root + (gva >> 30) * 8);
	return pdpte & 1 ? (u32)pdpte / PAGE * PAGE + ((gva >> 21) & 511) * 8 : 0;
}

u32 guest_pte_gpa(struct world *w, u32 root, u32 gva, bool make)
{
	u32 pde = guest_pde_gpa(w, root, gva);
	u64 entry = pde ? guest_entry(w, pde) : 0;

	if (pde && !(entry & 1) && make) {
		entry = world_frame(w) * PAGE | 0x67;
		guest_set_entry(w, pde, entry);
	}
	if (!(entry & 1))
		return 0;
	return (u32)entry / PAGE * PAGE + (w->lg.pae ? ((gva >> 12) & 511) * 8 :
					   ((gva >> 12) & 1023) * 4);
}

void guest_map(struct world *w, u32 root, u32 gva, u64 pte)
{
	guest_set_entry(w, guest_pte_gpa(w, root, gva, true), pte);
}
