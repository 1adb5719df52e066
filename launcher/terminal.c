// SPDX-License-Identifier: MIT
/*L:650 Borrowing a terminal
 *
 * Your terminal is helpful.  It collects a line before it shows it to anybody, it
 * echoes what you type, and it turns ^C into a signal for us.  The Guest has a
 * terminal driver of its own that does all of that, and two helpful people in one
 * doorway are one too many.  So we switch the help off ("raw mode") and every key
 * goes to the Guest as it is, ^C included.
 *
 * Output stays as it was: "\n" still goes to the beginning of the next line, which
 * is kind to small Guests and to our own messages.
 *
 * What is borrowed is given back on *every* way out.  exit() runs terminal_restore(),
 * signals that end us arrive in the porter (porter.c) who makes us exit(), and if we
 * crash, or somebody says `kill -9`, lastwords.c sees to it.
 :*/
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "launcher.h"

static struct termios borrowed;
static atomic_bool is_raw;

void (*terminal_first)(void);

void terminal_restore(void)
{
	if (terminal_first)
		terminal_first();
	if (atomic_exchange(&is_raw, false))
		tcsetattr(STDIN_FILENO, TCSANOW, &borrowed);
}

/*
 * Not in the background: there the terminal belongs to somebody else, and changing
 * it would stop us with SIGTTOU.  After `fg` we are called again.
 */
void terminal_raw(void)
{
	struct termios raw;

	if (is_raw || tcgetpgrp(STDIN_FILENO) != getpgrp() ||
	    tcgetattr(STDIN_FILENO, &borrowed) < 0)
		return;
	raw = borrowed;
	raw.c_lflag &= ~(tcflag_t)(ISIG | ICANON | ECHO | IEXTEN);
	raw.c_iflag &= ~(tcflag_t)(ICRNL | INLCR | IXON | ISTRIP);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	is_raw = true;		/* before: a signal in between restores what was */
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

/*L:655 The way out
 * If all keys belong to the Guest, how do you leave one that hangs?  One key is
 * ours: Ctrl-A.  Ctrl-A x leaves, Ctrl-A Ctrl-A sends one Ctrl-A, and any other key
 * after it is answered with a reminder.
 */
#define CTRL_A 1

enum escape escape_filter(char *text, size_t *n, bool *pending)
{
	enum escape found = ESCAPE_NONE;
	size_t kept = 0;

	for (size_t i = 0; i < *n && found != ESCAPE_LEAVE; i++) {
		char key = text[i];

		if (!*pending && key == CTRL_A) {
			*pending = true;
		} else if (*pending && key != CTRL_A) {
			*pending = false;
			found = key == 'x' || key == 'X' ? ESCAPE_LEAVE : ESCAPE_HELP;
		} else {
			*pending = false;
			text[kept++] = key;
		}
	}
	*n = kept;
	return found;
}
/*:*/
