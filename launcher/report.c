// SPDX-License-Identifier: MIT
/*L:880 Words for people
 *
 * Two kinds of bad news.  A *complaint* is about something you gave us: the code
 * that checks it knows what is wrong but not whether to exit, so it fills in a
 * struct and returns, and main() prints it.  That makes each check a function that
 * a test can call a thousand times.  die() is for all the rest.
 *
 * A message is put together first and leaves in one write(): several threads and
 * the Guest itself share the screen, and half a sentence from each is no help.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launcher.h"

static bool talkative;

static void say_line(const char *format, va_list args)
{
	char line[1024] = "launcher: ";
	size_t n = strlen(line);

	vsnprintf(line + n, sizeof(line) - n - 1, format, args);
	n = strlen(line);
	line[n++] = '\n';
	/* If stderr is gone there is nobody left to be told so. */
	if (write(STDERR_FILENO, line, n) < 0)
		return;
}
/*:*/

int complain(struct complaint *c, int status, const char *format, ...)
{
	va_list args;

	c->status = status;
	va_start(args, format);
	vsnprintf(c->text, sizeof(c->text), format, args);
	va_end(args);
	return status;
}

bool is_verbose(void)
{
	return talkative;
}

void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say_line(format, args);
	va_end(args);
}

void verbose_on(void)
{
	talkative = true;
}

void verbose(const char *format, ...)
{
	va_list args;

	if (!talkative)
		return;
	va_start(args, format);
	say_line(format, args);
	va_end(args);
}

int last_words_fd = -1;

void last_words_said(void)
{
	int fd = last_words_fd;

	last_words_fd = -1;
	if (fd >= 0 && write(fd, "", 1) < 0)
		return;		/* she is gone already */
}

/* exit(), not _exit(): terminal.c left a note with atexit(). */
void die(int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say_line(format, args);
	va_end(args);
	exit(status);
}

void die_complaining(const struct complaint *c)
{
	die(c->status, "%s", c->text);
}
