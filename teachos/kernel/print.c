/* SPDX-License-Identifier: MIT */
/*G:500 The first words
 *
 * A kernel wants to talk before it has anything to talk with.  Early on, text goes
 * out a line at a time by whatever the back end has; once a driver has found a
 * console, it takes over, and print() does not notice.
 */
#include "kernel.h"

static console_writer *writer;

console_writer *print_to(console_writer *write)
{
	console_writer *before = writer;

	writer = write;
	return before;
}

static void early_write(const char *text, u32 length)
{
	char chunk[128];
	u32 n;

	for (; length; text += n, length -= n) {
		n = length < sizeof(chunk) - 1 ? length : sizeof(chunk) - 1;
		memcpy(chunk, text, n);
		chunk[n] = '\0';
		pv.early_print(chunk);
	}
}

void console_write(const char *text, u32 length)
{
	if (length)
		(writer ? writer : early_write)(text, length);
}

struct line {
	char text[160];
	u32 used;
};

static void line_put(char c, void *arg)
{
	struct line *line = arg;

	line->text[line->used++] = c;
	if (line->used == sizeof(line->text)) {
		console_write(line->text, line->used);
		line->used = 0;
	}
}

void vprint(const char *fmt, va_list ap)
{
	struct line line = {.used = 0};

	format(line_put, &line, fmt, ap);
	console_write(line.text, line.used);
}

void print(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprint(fmt, ap);
	va_end(ap);
}
/*:*/
