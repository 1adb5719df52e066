/* SPDX-License-Identifier: MIT */
/*G:816 Second thoughts
 *
 * The console's own typist (tty.c) can only take back the last character.  A shell
 * wants more, so it asks for the keys themselves, raw, and does the rest here:
 *
 *	left, right, Home, End, Ctrl-A, Ctrl-E	move
 *	up, down		older and newer lines
 *	Backspace, Delete	take away a character
 *	Ctrl-U, Ctrl-K, Ctrl-W	take away all before, all after, the word before
 *	Tab			complete the word;  Ctrl-L: clear the screen
 *	Ctrl-C			forget the line;  Ctrl-D on an empty one: the end
 *
 * A cursor key arrives as three bytes or more: Escape, `[`, perhaps digits, a letter
 * or `~`.  On the screen we need very little: carriage return, backspace, and "clear
 * to the end of the line".  A line that is longer than the screen is wide shows through
 * a window that moves with the cursor.
 */
#include "user.h"
#include "typing.h"
#include "words.h"

#define CTRL(c) ((c) & 0x1f)
#define DEL 0x7f
#define WINDOW 66u		/* columns of the line that are shown */
#define HISTORY 32u

enum key {
	KEY_UP = 256, KEY_DOWN, KEY_RIGHT, KEY_LEFT, KEY_HOME, KEY_END, KEY_DELETE, KEY_OTHER,
	KEY_EOF
};

static char (*history)[EDIT_MAX];
static char *typed;		/* the new line, while older ones are looked at */
static u32 history_count;	/* ever; the last HISTORY of them are kept */

static char *text;		/* the line, its length, and the cursor's place in it */
static u32 length, cursor;
static u32 first;		/* of the window */
static u32 lost;		/* characters that did not fit */
static const char *prompt;

bool edit_possible(void)
{
	return console_raw(false);
}

static int get_byte(void)
{
	u8 c;
	int n;

	do
		n = read(0, &c, 1);
	while (n == -4);
	return n == 1 ? c : KEY_EOF;
}

/* The part of an escape sequence after Escape. */
static int get_sequence(void)
{
	int c = get_byte(), number = 0;

	if (c != '[' && c != 'O')
		return c == KEY_EOF ? c : KEY_OTHER;
	while ((c = get_byte()) >= '0' && c <= '9')
		number = number < 100 ? number * 10 + c - '0' : number;
	switch (c) {
	case 'A': return KEY_UP;
	case 'B': return KEY_DOWN;
	case 'C': return KEY_RIGHT;
	case 'D': return KEY_LEFT;
	case 'H': return KEY_HOME;
	case 'F': return KEY_END;
	case '~':
		return number == 1 || number == 7 ? KEY_HOME :
		       number == 4 || number == 8 ? KEY_END :
		       number == 3 ? KEY_DELETE : KEY_OTHER;
	}
	return c == KEY_EOF ? c : KEY_OTHER;
}

static void redraw(void)
{
	u32 shown, i;

	if (cursor < first || cursor > first + WINDOW)
		first = cursor < WINDOW / 2 ? 0 : cursor - WINDOW / 2;
	shown = length - first < WINDOW ? length - first : WINDOW;
	text[length] = '\0';
	printf("\r%s", prompt);
	put(text + first, shown);
	printf("\033[K");
	for (i = first + shown; i > cursor; i--)
		put("\b", 1);
}

static void insert(char c)
{
	if (length == EDIT_MAX - 1) {
		put("\a", 1);
		lost++;
		return;
	}
	memmove(text + cursor + 1, text + cursor, length - cursor);
	text[cursor++] = c;
	length++;
	if (cursor == length && cursor <= first + WINDOW)
		put(&c, 1);	/* by far the most frequent case */
	else
		redraw();
}

/*:*/

/*G:817 What the keys do */
/* Takes away text[from..to - 1]. */
static void cut(u32 from, u32 to)
{
	if (from >= to)
		return;
	memmove(text + from, text + to, length - to);
	length -= to - from;
	cursor = from;
	redraw();
}

static void move(u32 to)
{
	cursor = to;
	redraw();
}

static u32 word_begin(void)
{
	u32 at = cursor;

	while (at && text[at - 1] == ' ')
		at--;
	while (at && text[at - 1] != ' ')
		at--;
	return at;
}

/* Shows line number n; the newest one is history_count, the line being typed. */
static void recall(u32 *at, u32 n)
{
	if (n > history_count || n + HISTORY < history_count) {
		put("\a", 1);
		return;
	}
	text[length] = '\0';
	if (*at == history_count)
		memcpy(typed, text, EDIT_MAX);
	*at = n;
	strcopy(text, n == history_count ? typed : history[n % HISTORY], EDIT_MAX);
	length = strlen(text);
	first = 0;
	move(length);
}

static void remember(void)
{
	if (!length || (history_count &&
			!strcmp(history[(history_count - 1) % HISTORY], text)))
		return;
	strcopy(history[history_count++ % HISTORY], text, EDIT_MAX);
}

static void tab(void)
{
	char more[256];
	u32 n = complete(text, cursor, more, sizeof(more)), i;

	for (i = 0; i < n; i++)
		insert(more[i]);
	if (!n)
		redraw();
}

static void clear_screen(void)
{
	printf("\033[H\033[2J");
	redraw();
}

static void edit_key(int c, u32 *at)
{
	switch (c) {
	case KEY_LEFT:
		move(cursor - (cursor > 0));
		return;
	case KEY_RIGHT:
		move(cursor + (cursor < length));
		return;
	case KEY_HOME:
	case CTRL('A'):
		move(0);
		return;
	case KEY_END:
	case CTRL('E'):
		move(length);
		return;
	case KEY_UP:
		recall(at, *at - 1);		/* before 0 is nothing: too large */
		return;
	case KEY_DOWN:
		recall(at, *at + 1);
		return;
	case '\b':
	case DEL:
		cut(cursor - (cursor > 0), cursor);
		return;
	case KEY_DELETE:
	case CTRL('D'):
		cut(cursor, cursor + (cursor < length));
		return;
	case CTRL('U'):
		cut(0, cursor);
		lost = 0;
		return;
	case CTRL('K'):
		cut(cursor, length);
		return;
	case CTRL('W'):
		cut(word_begin(), cursor);
		return;
	}
	if (c == '\t')
		tab();
	else if (c == CTRL('L'))
		clear_screen();
	else if (c >= ' ' && c < DEL)
		insert(c);
	else
		put("\a", 1);
}

bool edit_line(const char *show, char line[EDIT_MAX])
{
	u32 at = history_count;
	int c;

	if (!history) {
		history = plenty(HISTORY * EDIT_MAX);
		typed = plenty(EDIT_MAX);
	}
	prompt = show;
	text = line;
	length = cursor = first = lost = 0;
	console_raw(true);
	printf("%s", prompt);
	for (;;) {
		c = get_byte();
		if (c == 0x1b)
			c = get_sequence();
		if (c == '\r' || c == '\n' || c == KEY_EOF || c == CTRL('C') ||
		    (c == CTRL('D') && !length))
			break;
		edit_key(c, &at);
	}
	if (c == CTRL('C')) {
		printf("^C");
		length = 0;
	}
	text[length] = '\0';
	if (c != CTRL('D') && c != KEY_EOF)
		printf("\n");
	remember();
	if (lost) {		/* half a command is worse than none */
		printf("sh: the line is %u characters too long: not run\n", lost);
		text[0] = '\0';
	}
	console_raw(false);
	return c != CTRL('D') && c != KEY_EOF;
}
/*:*/
