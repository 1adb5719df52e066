// SPDX-License-Identifier: MIT
/*L:772 Three addresses for one page
 *
 * A byte of the Guest's has three addresses.  The Guest's program knows the first, the
 * Guest's kernel made the second out of it, with its page tables, and believes that it is
 * where the byte is.  The third is where it is.
 *
 *	Guest-virtual   --(the Guest's tables)-->   Guest-physical
 *	Guest-physical  --(our mmap)------------>   Host-physical
 *	Guest-virtual   --(the shadow)---------->   Host-physical	what the CPU uses
 *
 * `--map=FILE` writes all of that down: at the end, every so many seconds (`,every=2`),
 * and when somebody says `kill -USR2`.  Each moment is one line of JSON, so that two can be
 * compared; tools/map shows them.  `--map` alone draws it at once (map_live.c).
 *
 * Most of it is a row of neighbours in the same state, and a row is one entry:
 * [Guest-virtual, Guest-physical, how many pages, state].  The states:
 *
 *	a	the Guest has an entry, the shadow has none yet: the next touch will fill it
 *	d	read-only until dirty: the Guest could write, but we want to see the first time
 *	r	read-only, as the Guest wishes
 *	w	writable
 *	x	only the shadow has it: the Guest took it away and has not said so yet
 *	o	the Guest's entry leads out of its memory, and who follows it is killed
 *
 * with u behind it for pages of ring 3, and v for those that are devices: the descriptor
 * page and the rings.  "pinned" has the frames that the Host holds, and where: only root
 * may know that, and only the kernel can tell, in /proc/self/pagemap.  We open it while we
 * are root, and read it when we are nobody (rights.c).
 :*/
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "launcher.h"

#define BLOCK		(2 * MIB)	/* what one table of the shadow covers */
#define BLOCK_PAGES	512u

/* Bits of entries, SDM vol. 3, table 4-20. */
#define P		1u
#define RW		2u
#define US		4u
#define PAGEMAP_PRESENT	(1ull << 63)	/* Documentation/admin-guide/mm/pagemap.rst */
#define PAGEMAP_FRAME	((1ull << 55) - 1)

static int out = -1, pagemap = -1, bell = -1, alarm_clock = -1;
static const char *file;
static double every;
static bool failed, live;
static atomic_bool knock;
static unsigned moments;
static double began;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

#define LIVE_EVERY	0.5

int map_open(const char *name, double seconds, struct complaint *c)
{
	file = name;
	every = seconds;
	if (!*name) {
		live = true;
		every = map_live_open() ? LIVE_EVERY : 0;
		return 0;
	}
	/* O_NONBLOCK: open() of a named pipe would wait for a reader. */
	out = open(name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
	if (out < 0 || fcntl(out, F_SETFL, 0) < 0)
		return complain(c, STATUS_USAGE, "--map=%s: cannot write there: %s", name,
				strerror(errno));
	pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);	/* or without */
	return 0;
}

/*L:774 When?
 *
 * Only the thread that runs the Guest may ask the Host, and only when the Guest stands
 * still.  So a signal or the clock makes the porter knock, again and again, until that
 * thread has heard it, and has taken from both descriptors what made them ring.
 */
void map_watch(void)
{
	struct itimerspec t = { 0 };
	sigset_t set;

	if (out < 0 && !live)
		return;
	if (live)
		map_live_begin();
	began = now();
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	bell = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	alarm_clock = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (bell < 0 || alarm_clock < 0)
		die(STATUS_INTERNAL, "--map: signalfd or timerfd: %s", strerror(errno));
	t.it_interval.tv_sec = (time_t)every;
	t.it_interval.tv_nsec = (long)((every - (double)(time_t)every) * 1e9);
	t.it_value = t.it_interval;
	if (live && every)		/* the first picture soon: then it is seen how it fills */
		t.it_value = (struct timespec){ .tv_nsec = 20000000 };
	timerfd_settime(alarm_clock, 0, &t, NULL);
	porter_watch(bell, porter_knock, &knock);
	porter_watch(alarm_clock, porter_knock, &knock);
}
/*:*/

/*L:776 Writing it down
 * There may be a hundred thousand entries, and in the sandbox no memory grows easily, so
 * they go out by the page.
 */
static char text[PAGE_SIZE];
static size_t length;

static void flush(void)
{
	for (size_t done = 0; done < length && !failed;) {
		ssize_t n = write(out, text + done, length - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			say("--map=%s: could not be written: %s; there will be no more", file,
			    strerror(n < 0 ? errno : ENOSPC));
			failed = true;
		}
		done += n > 0 ? (size_t)n : 0;
	}
	length = 0;
}

static void put(const char *format, ...)
{
	va_list list;

	if (length > sizeof(text) - 256)
		flush();
	va_start(list, format);
	length += (size_t)vsnprintf(text + length, 256, format, list);
	va_end(list);
}

/* The row that grows, page by page. */
static struct {
	uint64_t from, to;		/* virtual, physical */
	uint32_t pages;
	char state[4];
	bool any_yet;
} row;

static void row_end(void)
{
	if (row.pages)
		put("%s[%" PRIu64 ",%" PRIu64 ",%u,\"%s\"]", row.any_yet ? "," : "", row.from,
		    row.to, row.pages, row.state);
	row.any_yet |= row.pages;
	row.pages = 0;
}

static void row_add(uint64_t from, uint64_t to, const char *state)
{
	uint64_t so_far = (uint64_t)row.pages * PAGE_SIZE;

	if (!row.pages || from != row.from + so_far || to != row.to + so_far ||
	    strcmp(state, row.state)) {
		row_end();
		row.from = from;
		row.to = to;
		snprintf(row.state, sizeof(row.state), "%s", state);
	}
	row.pages++;
}
/*:*/

/*L:778 One page, two opinions
 * What the Guest's tables say, with the directory's word on RW and US included (SDM vol. 3,
 * 4.6), and what the shadow says.
 */
static void page_state(const struct guest_memory *m, const struct walk *w, bool mapped,
		       unsigned guest, uint64_t shadow, char state[4])
{
	char *to = state;

	if (!(guest & P))
		*to++ = 'x';
	else if (!mapped)
		*to++ = 'o';
	else if (!(shadow & P))
		*to++ = 'a';
	else
		*to++ = shadow & RW ? 'w' : guest & RW ? 'd' : 'r';
	if (guest & US)
		*to++ = 'u';
	if (mapped && w->gpa >= m->ram)
		*to++ = 'v';
	*to = '\0';
}

/* Flags of the walk's last entry, cut down by its directory's; 0: it did not get there. */
static unsigned guest_flags(const struct walk *w, uint32_t cr3, bool pae, bool mapped)
{
	unsigned levels = pae ? 3 : 2;

	if (!cr3)
		return mapped ? P | RW : 0;
	if (w->levels < levels)
		return 0;
	return (unsigned)(w->level[levels - 1].entry & (P | (w->level[levels - 2].entry &
							     (RW | US))));
}

static void visit_block(const struct guest_memory *m, uint32_t root, bool pae, uint32_t gva,
			map_visitor *visit)
{
	static const struct image none = { .bzimage = true };	/* no file to be asked */
	struct lg_shadow s = { .root = root, .gva = gva };
	bool guest_has;
	struct walk w;

	if (host_shadow(&s))
		s.found = LG_SHADOW_NO_ROOT;
	walk_guest(m, &none, root, pae, gva, &w);
	guest_has = root ? w.levels == (pae ? 3 : 2) : gva < m->limit;
	if (!guest_has && s.found != LG_SHADOW_TABLE)
		return;
	for (unsigned i = 0; i < BLOCK_PAGES; i++, gva += PAGE_SIZE) {
		bool mapped = walk_guest(m, &none, root, pae, gva, &w);
		unsigned guest = guest_flags(&w, root, pae, mapped);
		uint64_t shadow = s.found == LG_SHADOW_TABLE ? s.entry[i] : 0;
		char state[4];

		if (!(guest & P) && !(shadow & P))
			continue;
		page_state(m, &w, mapped, guest, shadow, state);
		visit(gva, guest & P ? (mapped ? w.gpa & ~(uint64_t)(PAGE_SIZE - 1) :
					  w.level[w.levels - 1].entry & 0xffffff000ull) : 0, state);
	}
}

void map_visit(const struct guest_memory *m, uint32_t root, bool pae, map_visitor *visit)
{
	for (uint32_t gva = 0; gva < MAP_RESERVED; gva += BLOCK)
		visit_block(m, root, pae, gva, visit);
}

static void put_roots(const struct guest_memory *m, const struct lg_roots *roots, bool pae)
{
	put(",\"roots\":[");
	for (unsigned i = 0; i < roots->count && i < 256; i++) {
		put("%s{\"root\":%u,\"current\":%s,\"pages\":[", i ? "," : "", roots->gpa[i],
		    i == roots->current_index ? "true" : "false");
		row.any_yet = false;
		map_visit(m, roots->gpa[i], pae, row_add);
		row_end();
		put("]}");
	}
	put("]");
}

/* Host-physical address of a page of ours that is pinned; 0: we may not know. */
static uint64_t host_physical(const struct guest_memory *m, uint64_t gpa)
{
	uint64_t entry = 0, page = ((uintptr_t)m->base + gpa) / PAGE_SIZE;

	if (pagemap < 0 || pread(pagemap, &entry, sizeof(entry), (off_t)(page * 8)) != 8 ||
	    !(entry & PAGEMAP_PRESENT))
		return 0;
	return (entry & PAGEMAP_FRAME) * PAGE_SIZE;
}

static void add_pinned(uint64_t gpa, uint64_t host)
{
	row_add(gpa, host, "");
}

void map_visit_pinned(const struct guest_memory *m, void (*visit)(uint64_t gpa, uint64_t host))
{
	struct lg_frames f = { .first = 0 };
	uint32_t frames = (uint32_t)(m->limit / PAGE_SIZE);

	for (; f.first < frames && !host_frames(&f); f.first += 512)
		for (unsigned i = 0; i < 512 && f.first + i < frames; i++)
			if (f.frame[i] & 1)
				visit((uint64_t)(f.first + i) * PAGE_SIZE,
				      host_physical(m, (uint64_t)(f.first + i) * PAGE_SIZE));
}

static void put_pinned(const struct guest_memory *m)
{
	put(",\"pinned\":[");
	row.any_yet = false;
	map_visit_pinned(m, add_pinned);
	row_end();
	put("]");
}
/*:*/

void map_write(const struct guest_memory *m, const char *why)
{
	struct lg_roots roots;
	struct lg_state state;
	int error;

	if ((out < 0 && !live) || failed)
		return;
	if (!live && !moments && ftruncate(out, 0) < 0 && errno != EINVAL)	/* EINVAL: a pipe */
		say("--map=%s: %s", file, strerror(errno));
	error = -host_roots(&roots);
	if (!error)
		error = -host_state(&state);
	if (error) {
		say("--map%s%s: the Host shows no tables: %s", *file ? "=" : "", file,
		    strerror(error));
		return;
	}
	if (live) {
		map_live_draw(m, &roots, state.pae, now() - began);
		return;
	}
	put("{\"lguest_map\":1,\"moment\":%u,\"why\":\"%s\",\"seconds\":%.3f,\"pae\":%s,"
	    "\"cr3\":%u,\"ram\":%" PRIu64 ",\"limit\":%" PRIu64 ",\"reserved\":%u", moments++, why,
	    now() - began, state.pae ? "true" : "false", state.cr3, m->ram, m->limit, MAP_RESERVED);
	put_pinned(m);
	put_roots(m, &roots, state.pae);
	put("}\n");
	flush();
}

void map_before_run(const struct guest_memory *m)
{
	struct signalfd_siginfo info;
	uint64_t rings;
	bool signalled;

	if (!knock)
		return;
	signalled = read(bell, &info, sizeof(info)) == sizeof(info);
	if (read(alarm_clock, &rings, sizeof(rings)) == sizeof(rings) || signalled)
		map_write(m, signalled ? "signal" : "clock");
	knock = false;
}
