// SPDX-License-Identifier: MIT
/*L:783 A word in between
 * What we write to trace_marker becomes an event like the Host's own, with the same
 * clock, in its place.  So a device says when it begins to serve a queue and when it is
 * done, and the picture has a slice for it.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "launcher.h"

int trace_mark_fd = -1;

void trace_mark(const char *format, ...)
{
	char text[208] = "lguest ";
	size_t n = strlen(text);
	va_list args;

	if (trace_mark_fd < 0)
		return;
	va_start(args, format);
	vsnprintf(text + n, sizeof(text) - n, format, args);
	va_end(args);
	/* If it fails, there is a gap in the picture; nobody else is to suffer. */
	if (write(trace_mark_fd, text, strlen(text)) < 0)
		return;
}
/*:*/
