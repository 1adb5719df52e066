/* SPDX-License-Identifier: MIT */
#ifndef TYPING_H
#define TYPING_H

#include "lib.h"

/*G:815 What the line editor offers */
#define EDIT_MAX 16384u		/* a line with its NUL */

/* Is standard input a console, whose keys can be had one by one? */
bool edit_possible(void);
/*
 * Shows the prompt, lets a line be typed and edited, and puts it, without its end,
 * into line.  false: end of input (Ctrl-D on an empty line).  Ctrl-C: an empty line.
 */
bool edit_line(const char *prompt, char line[EDIT_MAX]);
/* complete.c: puts what can be added at the cursor into more (no NUL), returns its
 * length; may print, then on lines of its own. */
u32 complete(const char *text, u32 cursor, char *more, u32 size);
/* sh.c: the n-th of the things that the shell does itself; NULL: there are no more. */
const char *builtin_name(u32 n);
/*:*/
#endif
