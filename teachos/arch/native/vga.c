/* SPDX-License-Identifier: MIT */
/*G:502 Two thousand letters
 *
 * In text mode the screen is memory: 25 rows of 80 cells at 0xb8000, a character and its
 * colours in each.  Scrolling is memmove().  Of the terminal's escape sequences we know the
 * one that the shell's editor uses: ESC [ K, "clear to the end of the line".
 *
 * The keyboard sends a number when a key goes down and the same plus 128 when it comes up.
 * What is printed on that key, and what Shift and Ctrl mean, is for us to know; the table
 * is an American keyboard's.
 */
#include "native.h"

#define COLUMNS		80u
#define ROWS		25u
#define BLANK		0x0720u		/* a space, grey on black */
#define CRTC		0x3d4u
#define CURSOR_HIGH	0x0eu
#define CURSOR_LOW	0x0fu

static u16 *const cells = (u16 *)(KERNEL_BASE + 0xb8000);
static u32 at;				/* the cursor's cell */
static enum { TEXT, ESCAPE, SEQUENCE } state;

static void clear(u32 from, u32 to)
{
	while (from < to)
		cells[from++] = BLANK;
}

static u32 line_end(void)
{
	return at - at % COLUMNS + COLUMNS;
}

static void put(char c)
{
	if (state == ESCAPE) {
		state = c == '[' ? SEQUENCE : TEXT;
	} else if (state == SEQUENCE) {
		if (c == 'K')
			clear(at, line_end());
		if (c >= '@')		/* the letter that ends it */
			state = TEXT;
	} else if (c == '\033') {
		state = ESCAPE;
	} else if (c == '\n') {
		at = line_end();
	} else if (c == '\r') {
		at -= at % COLUMNS;
	} else if (c == '\b') {
		at -= at % COLUMNS != 0;
	} else if (c == '\t') {
		at = (at + 8) & ~7u;
	} else if ((u8)c >= ' ') {
		cells[at++] = (BLANK & 0xff00) | (u8)c;
	}
	if (at >= COLUMNS * ROWS) {
		memmove(cells, cells + COLUMNS, COLUMNS * (ROWS - 1) * sizeof(*cells));
		clear(COLUMNS * (ROWS - 1), COLUMNS * ROWS);
		at -= COLUMNS;
	}
}

void vga_write(const char *text, u32 length)
{
	while (length--)
		put(*text++);
	outb(CRTC, CURSOR_HIGH);
	outb(CRTC + 1, at >> 8);
	outb(CRTC, CURSOR_LOW);
	outb(CRTC + 1, at);
}

void vga_init(void)
{
	clear(0, COLUMNS * ROWS);
}

#define KEYBOARD	0x60u
#define KEYBOARD_STATUS	0x64u
#define KEYBOARD_FULL	0x01u
#define KEYBOARD_IRQ	1u
#define KEY_CTRL	0x1du
#define KEY_SHIFT_LEFT	0x2au
#define KEY_SHIFT_RIGHT	0x36u
#define KEY_RELEASED	0x80u
#define KEY_EXTENDED	0xe0u

static const char plain[] =
	"\0\0331234567890-=\x7f\tqwertyuiop[]\n\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
static const char shifted[] =
	"\0\033!@#$%^&*()_+\x7f\tQWERTYUIOP{}\n\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ";

/* The keys that came later send 0xe0 first; a terminal would send these for them. */
static const struct {
	u8 code;
	const char *sends;
} extended[] = {
	{0x48, "\033[A"}, {0x50, "\033[B"}, {0x4d, "\033[C"}, {0x4b, "\033[D"},
	{0x47, "\033[H"}, {0x4f, "\033[F"}, {0x53, "\033[3~"}, {0x1c, "\n"}, {0x35, "/"},
};

static void extended_key(u8 code)
{
	u32 i;

	for (i = 0; i < sizeof(extended) / sizeof(extended[0]); i++)
		if (extended[i].code == code && tty_room() > 4)
			tty_input(extended[i].sends, strlen(extended[i].sends));
}

static void key(u8 code)
{
	static bool is_extended, shift, ctrl;
	bool down = !(code & KEY_RELEASED), was_extended = is_extended;
	char c = 0;

	is_extended = code == KEY_EXTENDED;
	if (is_extended)
		return;
	code &= ~KEY_RELEASED;
	if (code == KEY_CTRL)
		ctrl = down;
	else if (was_extended && down)
		extended_key(code);
	else if (was_extended)
		return;
	else if (code == KEY_SHIFT_LEFT || code == KEY_SHIFT_RIGHT)
		shift = down;
	else if (down && code < sizeof(plain) - 1)
		c = (shift ? shifted : plain)[code];
	if (ctrl && c >= '@')
		c &= 0x1f;
	if (c && tty_room() > 1)
		tty_input(&c, 1);
}

static void keyboard_interrupt(unsigned int irq)
{
	(void)irq;
	while (inb(KEYBOARD_STATUS) & KEYBOARD_FULL)
		key(inb(KEYBOARD));
}

void keyboard_listen(void)
{
	if (inb(KEYBOARD_STATUS) == 0xff)
		return;			/* no such controller */
	irq_request(KEYBOARD_IRQ, keyboard_interrupt);
	keyboard_interrupt(KEYBOARD_IRQ);	/* what was typed at the boot loader */
}
/*:*/
