// SPDX-License-Identifier: MIT
/*L:779 A map that moves
 *
 * `--map` without a file shows the map while the Guest runs, twice a second.  Where?  The
 * screen belongs to the Guest's console.  So we cut it in two, with a thing that terminals
 * have had since 1978: a *scrolling region*.  The Guest gets the lower half and scrolls
 * there, we write into the upper half, and put the cursor back where we found it.  (VT100
 * User Guide, chapter 3: DECSTBM, DECSC, DECRC.  With DECOM, "the first line" is the first
 * one of the region, so that an editor in the Guest stays below, too.)
 *
 * A terminal has fewer cells than a Guest has pages.  A cell stands for 1, 2, 4, ... pages,
 * as few as will do, and rows in which there is nothing are left out.  It shows the most
 * lively of its pages, in reverse if any of them has changed since the last picture.
 *
 * If there is no terminal, there is no region either: the picture goes to standard error,
 * without colours, a page a cell, at the end and whenever SIGUSR2 asks for it.
 *
 * In a row each letter is a state of map.c, a capital one for ring 3 as well; s is what the
 * Guest may not map, where the Host keeps to itself.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "launcher.h"

#define ROWS_MIN	16
#define ROWS_MOST	500		/* of the upper part; whoever has more leaves them empty */
#define COLUMNS_MIN	60
#define WIDTH_MAX	256
#define LABEL		10		/* columns in front of a row: "c0100000  " */
#define PAGES		(1u << 20)	/* that a Guest can name */

struct page {
	uint32_t number;
	char state;			/* a letter of map.c; a capital: for ring 3 as well */
	uint32_t frame;
};

static struct page page[2][PAGES];
static unsigned pages[2], latest;	/* page[latest] is the newer picture */
static uint8_t pinned[PAGES / 8];
static unsigned rows, columns;		/* of the upper part; 0: there is none */
static bool folded;			/* the terminal has become too small for one */
static char text[1 << 18];
static char framed[sizeof(text) + ROWS_MOST * 32 + WIDTH_MAX + 64];
static size_t length;			/* of text */

/* In the order of liveliness: what a cell shows of several pages. */
static const struct { char state; const char *colour, *meaning; } look[] = {
	{ 'x', "35", "stale" }, { 'o', "31", "beyond" }, { 'v', "36", "device" },
	{ 'w', "32", "writable" }, { 'd', "33", "until dirty" }, { 'r', "34", "read-only" },
	{ 'a', "90", "none" }, { 's', "94", "Switcher" },
};
#define LOOKS	(sizeof(look) / sizeof(look[0]))

/* How much is ours now?  True if that has changed. */
static bool measure(void)
{
	unsigned were_rows = rows, were_columns = columns;
	struct winsize w;

	rows = 0;
	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) && w.ws_row >= ROWS_MIN &&
	    w.ws_col >= COLUMNS_MIN) {
		rows = w.ws_row / 2 < ROWS_MOST ? w.ws_row / 2 : ROWS_MOST;
		columns = w.ws_col < WIDTH_MAX ? w.ws_col : WIDTH_MAX;
	}
	return rows != were_rows || columns != were_columns;
}

bool map_live_open(void)
{
	return isatty(STDOUT_FILENO) && measure() && rows;
}

/* What cannot be written is not worth an error: there will be another picture. */
static void show(int fd, const char *what, size_t bytes)
{
	while (bytes) {
		ssize_t n = write(fd, what, bytes);

		if (n <= 0 && errno != EINTR)
			break;
		what += n > 0 ? n : 0;
		bytes -= n > 0 ? (size_t)n : 0;
	}
	length = 0;
}

static void put(const char *format, ...)
{
	va_list list;

	if (length > sizeof(text) - 512) {
		if (rows)
			return;	/* very large and very colourful: its last rows are missing */
		show(STDERR_FILENO, text, length);
	}
	va_start(list, format);
	length += (size_t)vsnprintf(text + length, 512, format, list);
	va_end(list);
}

static const char whole[] = "\033[?6l\033[r\033[999;1H";

/* From handlers, too. */
void map_live_leave(void)
{
	if (rows && write(STDOUT_FILENO, whole, sizeof(whole) - 1) < 0)
		return;
	rows = 0;
}

/* Whatever is on the screen moves up, out of sight; the Guest begins in its own half. */
void map_live_begin(void)
{
	if (!rows)
		return;
	terminal_first = map_live_leave;
	put("\033[%u;1H", rows * 2);
	for (unsigned i = 0; i < rows * 2; i++)
		put("\n");
	put("\033[%u;%ur\033[?6h\033[1;1H", rows + 1, rows * 2);
	show(STDOUT_FILENO, text, length);
}
/*:*/

/*
 * Somebody has pulled at the window.  What was our half is wiped, the Guest goes on at the
 * bottom of its new one.  In a window that is too small it has all of it, until there is
 * room again.  We look at each picture; a signal would only tell us sooner.
 */
static void fit(void)
{
	unsigned were = rows;

	if (!measure())
		return;
	folded = !rows;
	put("%s", whole);
	for (unsigned row = 1; row <= were; row++)
		put("\033[%u;1H\033[K", row);
	if (rows)
		put("\033[%u;%ur\033[?6h\033[%u;1H", rows + 1, rows * 2, rows);
	else
		put("\033[999;1H");
	show(STDOUT_FILENO, text, length);
}

static void visit_page(uint64_t gva, uint64_t gpa, const char *state)
{
	struct page *p = &page[latest][pages[latest]];

	if (pages[latest] == PAGES)
		return;
	p->number = (uint32_t)(gva / PAGE_SIZE);
	p->frame = (uint32_t)(gpa / PAGE_SIZE);
	p->state = strchr(state, 'v') ? 'v' : *state;
	if (strchr(state, 'u'))
		p->state -= 'a' - 'A';
	pages[latest]++;
}

static void visit_frame(uint64_t gpa, uint64_t host)
{
	(void)host;
	pinned[gpa / PAGE_SIZE / 8] |= (uint8_t)(1u << (gpa / PAGE_SIZE % 8));
}

static bool is_pinned(uint32_t frame)
{
	return pinned[frame / 8] & 1u << frame % 8;
}

static unsigned liveliness(char state)
{
	unsigned i = 0;

	while (i < LOOKS && look[i].state != (state | ('a' - 'A')))
		i++;
	return i;
}

/* How many rows have something in them, if each cell stands for so many pages? */
static unsigned rows_at(unsigned scale, unsigned width)
{
	uint32_t last = UINT32_MAX;
	unsigned n = 0;

	for (unsigned i = 0; i < pages[latest]; i++) {
		uint32_t row = page[latest][i].number / (scale * width);

		n += row != last;
		last = row;
	}
	return n;
}

static void put_cell(char state, const char *colour, bool changed)
{
	static const char *last = "";
	static bool reverse;

	if (rows && (changed != reverse || strcmp(last, colour)))
		put("\033[0;%s%sm", colour, changed ? ";7" : "");
	put("%c", state);
	last = colour;
	reverse = changed;
}

static void put_end(void)
{
	put_cell('\n', "", false);
}

/* One row, from both pictures; *now and *before move on behind it. */
static void put_row(uint32_t first, unsigned scale, unsigned width, unsigned *now, unsigned *before)
{
	const struct page *a = page[latest], *b = page[!latest];

	put("%08" PRIx64 "  ", (uint64_t)first * PAGE_SIZE);
	for (unsigned i = 0; i < width; i++) {
		uint32_t end = first + (i + 1) * scale;
		char best = '.';
		bool changed = false;

		while ((*now < pages[latest] && a[*now].number < end) ||
		       (*before < pages[!latest] && b[*before].number < end)) {
			bool has = *now < pages[latest] && a[*now].number < end;
			bool had = *before < pages[!latest] && b[*before].number < end;

			if (has && had && a[*now].number != b[*before].number) {
				has = a[*now].number < b[*before].number;
				had = !has;
			}
			changed |= has != had || a[*now].state != b[*before].state ||
				   a[*now].frame != b[*before].frame;
			if (has && liveliness(a[*now].state) < liveliness(best))
				best = a[*now].state;
			*now += has;
			*before += had;
		}
		put_cell(best, best == '.' ? "" : look[liveliness(best)].colour,
			 changed && pages[!latest]);
	}
	put_end();
}

static void put_virtual(unsigned most, unsigned width)
{
	unsigned scale = 1, now = 0, before = 0;

	while (rows && rows_at(scale, width) > most)
		scale *= 2;
	put("Guest-virtual, a cell is %u KiB\n", scale * PAGE_SIZE / 1024);
	while (now < pages[latest]) {
		uint32_t first = page[latest][now].number / (scale * width) * scale * width;

		while (before < pages[!latest] && page[!latest][before].number < first)
			before++;
		put_row(first, scale, width, &now, &before);
	}
}

/* Guest-physical: '#' pinned, all of it, '+' in part, '.' not. */
static void put_physical(uint32_t frames, unsigned most, unsigned width)
{
	unsigned scale = 1;

	while ((frames + scale * width - 1) / (scale * width) > most)
		scale *= 2;
	put("Guest-physical, a cell is %u KiB: # pinned, + in part\n", scale * PAGE_SIZE / 1024);
	for (uint32_t first = 0; first < frames; first += scale * width) {
		put("%08" PRIx64 "  ", (uint64_t)first * PAGE_SIZE);
		for (uint32_t at = first; at < first + scale * width && at < frames; at += scale) {
			unsigned held = 0, n = frames - at < scale ? frames - at : scale;

			for (unsigned i = 0; i < n; i++)
				held += is_pinned(at + i);
			put_cell(held == n ? '#' : held ? '+' : '.', held ? "32" : "", false);
		}
		put_end();
	}
}

static void put_legend(void)
{
	for (unsigned i = 0; i < LOOKS; i++) {
		put_cell(look[i].state, look[i].colour, false);
		put_cell(' ', "", false);
		put("%s%s", look[i].meaning, i + 1 < LOOKS ? " " : "");
	}
	put_end();
}

/*
 * Each line to the edge of the screen, so that nothing of the last picture is left.  Too long
 * a line is cut, not wrapped.  `framed` has room for all of text and a place for each row.
 */
static void show_framed(void)
{
	size_t n = (size_t)sprintf(framed, "\0337\033[?6l\033[?7l");
	char *line = text, *end;
	unsigned row = 1;

	text[length] = '\0';
	for (; row < rows && (end = strchr(line, '\n')); line = end + 1, row++)
		n += (size_t)sprintf(framed + n, "\033[%u;1H\033[K%.*s", row, (int)(end - line), line);
	for (; row < rows; row++)
		n += (size_t)sprintf(framed + n, "\033[%u;1H\033[K", row);
	n += (size_t)sprintf(framed + n, "\033[%u;1H", rows);
	memset(framed + n, '-', columns);
	n += columns;
	n += (size_t)sprintf(framed + n, "\033[?7h\0338");
	show(STDOUT_FILENO, framed, n);
}

void map_live_draw(const struct guest_memory *m, const struct lg_roots *roots, bool pae,
		   double seconds)
{
	uint32_t root = roots->count ? roots->gpa[roots->current_index] : 0;
	unsigned width, room, held = 0, reserved = (unsigned)((0u - MAP_RESERVED) / PAGE_SIZE);
	uint32_t frames = (uint32_t)(m->limit / PAGE_SIZE);

	if (rows || folded)
		fit();
	if (folded)
		return;
	width = rows ? columns - LABEL : 64;
	room = rows ? rows - 5 : 0;
	latest = !latest;
	pages[latest] = 0;
	memset(pinned, 0, sizeof(pinned));
	map_visit(m, root, pae, visit_page);
	for (uint32_t gva = MAP_RESERVED; gva; gva += PAGE_SIZE)
		visit_page(gva, 0, "s");
	map_visit_pinned(m, visit_frame);
	for (uint32_t i = 0; i < frames; i++)
		held += is_pinned(i);
	put("%sroot %08x of %u, %s: %u pages; %u of %u frames pinned; %.1f s%s\n",
	    rows ? "\033[1m" : "", root, roots->count, pae ? "PAE" : "2-level",
	    pages[latest] - reserved, held, frames, seconds, rows ? "\033[m" : "");
	put_legend();
	put_virtual(room - room / 3, width);
	if (!rows)
		show(STDERR_FILENO, text, length);
	put_physical(frames, rows ? room / 3 : UINT32_MAX, width);
	if (rows)
		show_framed();
	else
		show(STDERR_FILENO, text, length);
}
