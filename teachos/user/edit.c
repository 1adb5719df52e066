/* SPDX-License-Identifier: MIT */
/*G:890 edit
 * edit FILE: a text editor for a screen of 80 columns and 24 lines.
 *
 * The text lies in one long row of bytes with a gap in it, and the gap is where the cursor
 * is.  To type is to put bytes into the gap; to move is to carry bytes from one side of it
 * to the other.  That is all of the data structure.
 *
 *	H e l l o _ . . . . . . . . . . w o r l d \n
 *	            ^ at                ^ rest         ^ size
 *
 * A position counts as if there were no gap.  The row is a promise of the kernel's, 16 MiB
 * wide, of which only what is touched exists.
 *
 * Saving writes a new file beside the old one and then gives it the old one's name: when
 * the disk is full, the old one is still there.
 */
#include "files.h"

#define CTRL(c) ((c) & 0x1f)
#define ROOM (16u << 20)
#define LINES 22u		/* of text; one more for the state, one for messages */
#define COLUMNS 80u
#define TAB 8u

enum key {
	UP = 256, DOWN, RIGHT, LEFT, HOME, END, PAGE_UP, PAGE_DOWN, DELETE, OTHER, END_OF_INPUT
};

static char *text;
static u32 at, rest;		/* the gap is [at, rest) */
static const char *path;
static bool changed;
static u32 top, left;		/* position of the first line shown; columns not shown */
static char message[COLUMNS];
static char *cut_lines;		/* what Ctrl-K took */
static u32 cut_length;

static u32 length(void)
{
	return ROOM - (rest - at);
}

static char byte(u32 position)
{
	return text[position < at ? position : position + (rest - at)];
}

static void go(u32 position)
{
	if (position < at) {
		memmove(text + rest - (at - position), text + position, at - position);
		rest -= at - position;
	} else {
		memmove(text + at, text + rest, position - at);
		rest += position - at;
	}
	at = position;
}

static void insert(char c)
{
	if (at == rest) {
		strcopy(message, "The text is as long as it can be: 16 MiB", sizeof(message));
		return;
	}
	text[at++] = c;
	changed = true;
}

/* Takes away what lies between at and position. */
static void erase(u32 position)
{
	if (position < at)
		at = position;
	else
		rest += position - at;
	changed = true;
}

static u32 line_begin(u32 position)
{
	while (position && byte(position - 1) != '\n')
		position--;
	return position;
}

static u32 line_end(u32 position)
{
	while (position < length() && byte(position) != '\n')
		position++;
	return position;
}

/* The next line's begin, or the end of the text. */
static u32 line_next(u32 position)
{
	position = line_end(position);
	return position + (position < length());
}

static u32 column_after(u32 column, char c)
{
	return c == '\t' ? (column / TAB + 1) * TAB : column + 1;
}

static u32 column_of(u32 position)
{
	u32 column = 0, i;

	for (i = line_begin(position); i < position; i++)
		column = column_after(column, byte(i));
	return column;
}

/* The position in the line that begins at line, nearest to a column from the left. */
static u32 at_column(u32 line, u32 column)
{
	u32 c = 0;

	while (line < length() && byte(line) != '\n' && (c = column_after(c, byte(line))) <= column)
		line++;
	return line;
}
/*:*/

/*G:891 The screen
 *
 * It is drawn anew for each key, in one piece: two kilobytes, written at once, are cheaper
 * than thinking about what has changed.  When many keys come at once, as from a paste, it
 * is drawn after the last.
 */
static char screen[8192];
static u32 drawn;

static void draw(const char *s, u32 n)
{
	if (n > sizeof(screen) - drawn)
		n = sizeof(screen) - drawn;
	memcpy(screen + drawn, s, n);
	drawn += n;
}

static void draw_format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void draw_format(const char *fmt, ...)
{
	char line[2 * COLUMNS];
	va_list ap;

	va_start(ap, fmt);
	vsnformat(line, sizeof(line), fmt, ap);
	va_end(ap);
	draw(line, strlen(line));
}

/* What cannot be shown is shown as a question mark; the file keeps it. */
static void draw_line(u32 position)
{
	u32 column = 0, next;
	char c;

	for (; position < length() && (c = byte(position)) != '\n'; position++, column = next) {
		next = column_after(column, c);
		if (c == '\t')
			c = ' ';
		else if (c < ' ' || c > '~')
			c = '?';
		for (; column < next; column++)
			if (column >= left && column < left + COLUMNS - 1)
				draw(&c, 1);
	}
	draw("\033[K\r\n", 5);
}

static u32 scroll(void)
{
	u32 line = line_begin(at), column = column_of(at), row = 0, p, i;

	if (line < top)
		top = line;
	for (p = top; p < line && row < LINES; p = line_next(p))
		row++;
	if (row == LINES) {		/* below the screen: it shall be the last line */
		for (p = line, i = 1; i < LINES; i++)
			p = p ? line_begin(p - 1) : 0;
		top = p;
		row = LINES - 1;
	}
	if (column < left || column >= left + COLUMNS - 1)
		left = column < COLUMNS / 2 ? 0 : column - COLUMNS / 2;
	return row;
}

static u32 line_number(void)
{
	u32 n = 1, i;

	for (i = 0; i < at; i++)
		n += text[i] == '\n';
	return n;
}

static void show(void)
{
	u32 row = scroll(), p = top, i;
	bool past = false;

	drawn = 0;
	draw("\033[?25l\033[H", 9);
	for (i = 0; i < LINES; i++) {
		if (past)
			draw("~\033[K\r\n", 6);
		else
			draw_line(p);
		past = past || line_end(p) == length();
		p = line_next(p);
	}
	draw_format("\033[7m%-40s %s  line %u, column %u\033[K\033[m\r\n", path,
		    changed ? "changed" : "       ", line_number(), column_of(at) + 1);
	draw_format("%s\033[K\033[%u;%uH\033[?25h", message, row + 1, column_of(at) - left + 1);
	put(screen, drawn);
	message[0] = '\0';
}
/*:*/

/*G:892 The keyboard */
static u8 keys[128];
static int keys_used, keys_at;

static int get_byte(void)
{
	if (keys_at == keys_used) {
		do
			keys_used = read(0, keys, sizeof(keys));
		while (keys_used == -4);
		keys_at = 0;
		if (keys_used <= 0) {
			keys_used = 0;
			return END_OF_INPUT;
		}
	}
	return keys[keys_at++];
}

static int get_key(void)
{
	static const int numbered[] = {OTHER, HOME, OTHER, DELETE, END, PAGE_UP, PAGE_DOWN, HOME, END};
	int c, number = 0;

	if (keys_at == keys_used)
		show();
	c = get_byte();
	if (c != 0x1b)
		return c;
	c = get_byte();
	if (c != '[' && c != 'O')
		return OTHER;
	while ((c = get_byte()) >= '0' && c <= '9')
		number = number < 100 ? number * 10 + c - '0' : number;
	if (c == '~')
		return number < 9 ? numbered[number] : OTHER;
	return c == 'H' ? HOME : c == 'F' ? END : c >= 'A' && c <= 'D' ? UP + c - 'A' :
	       c == END_OF_INPUT ? c : OTHER;
}

/* Asks in the last line; false: Ctrl-C or Escape. */
static bool ask(const char *question, char answer[64])
{
	u32 n = strlen(answer);
	int c;

	for (;;) {
		snformat(message, sizeof(message), "%s%s", question, answer);
		c = get_key();
		if (c == '\r' || c == '\n')
			return n;
		if (c == CTRL('C') || c == OTHER || c == END_OF_INPUT)
			return false;
		if ((c == '\b' || c == 0x7f) && n)
			answer[--n] = '\0';
		else if (c >= ' ' && c < 0x7f && n < 63) {
			answer[n++] = c;
			answer[n] = '\0';
		}
	}
}

static void search(void)
{
	static char what[64];
	u32 i, n, p, size;

	if (!ask("Search (Enter: again): ", what))
		return;
	size = strlen(what);
	for (i = 1; i <= length(); i++) {		/* from behind the cursor, and round */
		p = (at + i) % (length() + 1);
		for (n = 0; n < size && p + n < length() && byte(p + n) == what[n]; n++)
			;
		if (n == size) {
			go(p);
			return;
		}
	}
	snformat(message, sizeof(message), "\"%s\" is not there", what);
}
/*:*/

/*G:893 Files */
static bool load(void)
{
	int fd = open(path), n;

	if (fd == -2) {
		snformat(message, sizeof(message), "A new file.  Ctrl-S saves, Ctrl-Q leaves");
		return true;
	}
	if (fd < 0 || is_directory(path))
		die("edit: %s: %s\n", path, error_text(fd < 0 ? fd : -21));
	while ((n = read(fd, text + at, ROOM - at < 65536 ? ROOM - at : 65536)) > 0)
		at += n;
	close(fd);
	if (n < 0 || at == ROOM)
		die("edit: %s: %s\n", path, error_text(n < 0 ? n : -27));
	go(0);
	strcopy(message, "Ctrl-S saves, Ctrl-Q leaves, Ctrl-F searches, Ctrl-K and Ctrl-Y cut and paste",
		sizeof(message));
	return true;
}

static int write_all(int fd, const char *from, u32 n)
{
	int done;

	for (; n; from += done, n -= done) {
		done = write(fd, from, n);
		if (done <= 0)
			return done ? done : -28;
	}
	return 0;
}

static bool save(void)
{
	char beside[PATH_SIZE];
	int fd, error;

	if (strlen(path) > PATH_SIZE - 2) {
		strcopy(message, "The name is too long", sizeof(message));
		return false;
	}
	snformat(beside, sizeof(beside), "%s~", path);
	fd = open_flags(beside, O_WRONLY | O_CREAT | O_TRUNC);
	error = fd < 0 ? fd : write_all(fd, text, at);
	if (!error)
		error = write_all(fd, text + rest, ROOM - rest);
	if (fd >= 0)
		close(fd);
	if (!error)
		error = rename(beside, path);
	if (error) {
		unlink(beside);
		snformat(message, sizeof(message), "NOT saved: %s", error_text(error));
		return false;
	}
	changed = false;
	snformat(message, sizeof(message), "Saved: %u bytes", length());
	return true;
}
/*:*/

static void cut(void)
{
	u32 from = line_begin(at), to = line_next(at), i;

	go(from);
	cut_length = to - from;
	for (i = 0; i < cut_length; i++)
		cut_lines[i] = byte(from + i);
	if (cut_length)
		erase(to);
}

static void page(bool down)
{
	u32 i, column = column_of(at), p = line_begin(at);

	for (i = 0; i < LINES - 1; i++)
		p = down ? line_next(p) : p ? line_begin(p - 1) : 0;
	go(at_column(line_begin(p), column));
}

/*G:894 What the keys do */
static void key(int c)
{
	u32 begin = line_begin(at), i;

	switch (c) {
	case LEFT: go(at - (at > 0)); return;
	case RIGHT: go(at + (at < length())); return;
	case UP: go(begin ? at_column(line_begin(begin - 1), column_of(at)) : 0); return;
	case DOWN: go(at_column(line_next(at), column_of(at))); return;
	case HOME: case CTRL('A'): go(begin); return;
	case END: case CTRL('E'): go(line_end(at)); return;
	case PAGE_UP: page(false); return;
	case PAGE_DOWN: page(true); return;
	case '\b': case 0x7f: if (at) erase(at - 1); return;
	case DELETE: case CTRL('D'): if (at < length()) erase(at + 1); return;
	case CTRL('F'): search(); return;
	case CTRL('K'): cut(); return;
	case CTRL('Y'): for (i = 0; i < cut_length; i++) insert(cut_lines[i]); return;
	case CTRL('S'): save(); return;
	case '\r': c = '\n';
	}
	if (c == '\n' || c == '\t' || (c >= ' ' && c < 256 && c != 0x7f))
		insert(c);
	else
		strcopy(message, "Ctrl-S saves, Ctrl-Q leaves", sizeof(message));
}

int main(int argc, char **argv)
{
	bool warned = false;
	u32 rows;
	int c;

	if (argc != 2)
		die("edit: expected the name of a file\n");
	path = argv[1];
	rows = mmap(0, 2 * ROOM, PROT_READ | PROT_WRITE, 0);
	if (rows >= -4095u)
		die("edit: %s\n", error_text(rows));
	text = (char *)rows;
	cut_lines = text + ROOM;
	rest = ROOM;
	load();
	if (!console_raw(true))
		die("edit: expected a console to type at\n");
	for (;;) {
		c = get_key();
		if (c == END_OF_INPUT || (c == CTRL('Q') && (warned || !changed)))
			break;
		warned = c == CTRL('Q');
		if (warned)
			strcopy(message, "Not saved!  Ctrl-S saves, Ctrl-Q again throws it away",
				sizeof(message));
		else
			key(c);
	}
	put("\033[2J\033[H", 7);
	console_raw(false);
	return 0;
}
/*:*/
