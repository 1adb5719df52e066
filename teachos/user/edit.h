/* SPDX-License-Identifier: MIT */
#ifndef EDIT_H
#define EDIT_H

#include "lib.h"

/*G:815 What the line editor offers */
#define EDIT_MAX 1024u		/* a line with its NUL */

/* Is standard input a console, whose keys can be had one by one? */
bool edit_possible(void);
/*
 * Shows the prompt, lets a line be typed and edited, and puts it, without its end,
 * into line.  false: end of input (Ctrl-D on an empty line).  Ctrl-C: an empty line.
 */
bool edit_line(const char *prompt, char line[EDIT_MAX]);
/*:*/
#endif
