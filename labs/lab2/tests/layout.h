/* SPDX-License-Identifier: MIT */
/* The other side of layout.c. */
#ifndef LAYOUT_H
#define LAYOUT_H

#include "gate.h"

/* The word FIELD of the TYPE at this address. */
#define FIELD(type, address, field) \
	(*(u32 *)guest((address) + GUEST(u32, "at_" #type "_" #field)))
#define PV(field) FIELD(pv_ops, guest_symbol("pv"), field)

static inline u32 person(u32 n)
{
	return guest_symbol("people") + n * GUEST(u32, "process_size");
}

/* What happened, a letter each. */
static char events[4096];
static inline u32 note(char what)
{
	size_t n = strlen(events);

	if (n == sizeof(events) - 1)
		fail_msg("no end of it: %.40s...", events);
	events[n] = what;
	events[n + 1] = '\0';
	return 0;
}

/* For guest_on_call("panic", panics). */
static inline u32 panics(const u32 *args)
{
	fail_msg("panic: %s", (char *)guest(args[0]));
	return 0;
}

#endif
