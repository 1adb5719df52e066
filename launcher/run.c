// SPDX-License-Identifier: MIT
/*L:700 The loop
 *
 * This is the heart of the Launcher, and it is small: run the Guest until it wants
 * something, look what, again.  Nearly everything that a Guest wants is between it
 * and the Host.  What reaches us is a knock (NOTIFY) with one number, or the end.
 *
 * The number is an address, and its meaning depends on where it points:
 *
 *	a device's descriptor	"I changed your status byte"
 *	a ring			"there is something in it"
 *	anywhere in memory	"please print the string there"
 *	nowhere			a broken Guest
 *
 * The third is how a kernel speaks before it has a console driver.  It is slow and
 * cannot go wrong, which is what you want while everything else still can.
 :*/
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "launcher.h"
#include "reasons.h"

#define WORDS_MAX	65536u	/* of one string: a Guest may forget the NUL */

static bool early_words(const struct guest_memory *m, uint32_t gpa)
{
	const char *text = memory_at(m, gpa, 1);
	struct iovec iov;
	uint64_t room;

	if (!text)
		return false;
	room = m->limit - gpa;
	iov.iov_base = (char *)text;
	iov.iov_len = strnlen(text, room < WORDS_MAX ? room : WORDS_MAX);
	console_write(&iov, 1);
	return true;
}

/* "E-BUS-01: bad NOTIFY ...", as the Host would have it: code and text apart. */
static void split_code(struct lg_run *run, const char *sentence)
{
	const char *colon = strstr(sentence, ": ");
	int n = colon ? (int)(colon - sentence) : LG_CODE_MAX;

	if (n < LG_CODE_MAX && !strncmp(sentence, "E-", 2)) {
		snprintf(run->code, sizeof(run->code), "%.*s", n, sentence);
		sentence = colon + 2;
	}
	snprintf(run->text, sizeof(run->text), "%.*s", LG_TEXT_MAX - 1, sentence);
}

/* False: *end says how the Guest broke the protocol. */
static bool knocked(struct bus *bus, const struct image *img, struct ending *end)
{
	uint32_t gpa = end->run.value;
	struct complaint c;

	switch (bus_notify(bus, gpa, &c)) {
	case BUS_DONE:
		return true;
	case BUS_NOT_MINE:
		if (early_words(bus->mem, gpa))
			return true;
		complain(&c, STATUS_KILLED, E_BUS_NOTIFY "bad NOTIFY: 0x%x is outside the Guest's "
			 "memory", gpa);
		break;
	case BUS_FATAL:
		break;
	}
	say("the Guest was ended: %s", c.text);
	end->status = c.status;
	split_code(&end->run, c.text);
	postmortem(bus->mem, img, end);
	return false;
}

static void was_asked(const struct guest_memory *mem, const struct image *img,
		      const struct ending *end)
{
	if (end->status != STATUS_TIMEOUT)
		return;
	say("time is over (--timeout) and the Guest still runs");
	if (!console_spoke())
		say("it has not said a word: does it reach its entry 0x%x, and does it print by "
		    "NOTIFY before it has a console?  Here is where it was:", img->entry);
	postmortem(mem, img, end);
}

/*L:710 The end
 * There are good ends and bad ends, and each has its exit status.  The only good
 * last words are "Power down".  A Guest that says anything else when it asks to be
 * switched off is telling us what went wrong.
 */
static bool is_over(const struct guest_memory *mem, const struct image *img, struct ending *end)
{
	const struct lg_run *run = &end->run;

	switch (run->what) {
	case LG_RUN_POWEROFF:
		if (!strcmp(run->text, LGUEST_POWEROFF_TEXT)) {
			end->status = STATUS_POWEROFF;
			return true;
		}
		say("Guest crashed: %s", run->text[0] ? run->text : "(it did not say why)");
		end->status = STATUS_CRASHED;
		postmortem(mem, img, end);
		return true;
	case LG_RUN_RESTART:
		verbose("the Guest restarts%s%s", run->text[0] ? ": " : "", run->text);
		end->status = RUN_RESTART;
		return true;
	case LG_RUN_KILLED:
		say("the Host killed the Guest: %s: %s", run->code, run->text);
		if (run->by[0])
			fprintf(stderr, "  decided by %s() in the Host\n", run->by);
		end->status = STATUS_KILLED;
		postmortem(mem, img, end);
		return true;
	default:
		say("the Host gave an answer that we do not know: %u", run->what);
		end->status = STATUS_INTERNAL;
		return true;
	}
}

void run_guest(struct bus *bus, const struct image *img, struct ending *end)
{
	bool stopping = false;		/* to be saved (L:830) */

	memset(end, 0, sizeof(*end));
	gdb_begin(bus->mem, img);
	for (;;) {
		int error, status = ending_asked();

		if (status >= 0) {
			end->status = status;
			was_asked(bus->mem, img, end);
			return;
		}
		gdb_before_run();
		map_before_run(bus->mem);
		if (saving_asked()) {
			host_debug(LG_DEBUG_ON | LG_DEBUG_STOP);
			stopping = true;
		}
		trace_mark("I");
		error = -host_run(&end->run);
		trace_mark("O %u", error ? 0 : end->run.what);
		if (error == EINTR)
			continue;	/* somebody rang: is there a note? */
		if (error) {
			say("the Host does not run the Guest: %s", strerror(error));
			end->status = STATUS_INTERNAL;
			return;
		}
		if (end->run.what == LG_RUN_DEBUG && stopping) {
			host_debug(0);
			stopping = false;
			if (saving_done(bus)) {
				end->status = STATUS_POWEROFF;
				return;
			}
			continue;
		}
		if (end->run.what == LG_RUN_DEBUG) {
			gdb_stopped(end->run.value);
			continue;
		}
		if (end->run.what == LG_RUN_NOTIFY ? !knocked(bus, img, end) : is_over(bus->mem, img, end))
			return;
	}
}
/*:*/
