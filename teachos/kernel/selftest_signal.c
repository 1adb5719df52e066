/* SPDX-License-Identifier: MIT */
/*G:869 Who is tapped, who hears it
 *
 * The tests themselves are a program's, /bin/signaltest; here is only what they are
 * called.  Nothing may be left behind by those who died on the way.
 */
#include "selftest.h"

static const char *signal_test(const char *name)
{
	int status = run_program("/bin/signaltest", name);

	CHECK(status >= 0, "could not start: error %d", -status);
	CHECK(!(status & 0x7f), "killed by signal %d (vector %u, address 0x%x)", status & 0x7f,
	      last_user_fault.vector, last_user_fault.address);
	CHECK(!status, "step %d failed", status >> 8);
	CHECK_EQUAL(process_count(), 1);
	return NULL;
}

#define SIGNAL_TEST(name, title) \
	SELFTEST(signal_##name, "signals/" title) { return signal_test(#name); }

SIGNAL_TEST(handler, "a handler runs, and nobody notices")
SIGNAL_TEST(segv, "a fault is mended by its handler")
SIGNAL_TEST(masks, "held back, nested, once only")
SIGNAL_TEST(interrupted, "sleeping calls end with EINTR")
SIGNAL_TEST(alarms, "alarm")
SIGNAL_TEST(children, "SIGCHLD, SIGPIPE, fork, exec, groups")
SIGNAL_TEST(few_pages, "(a fork of a few pages, by the way, is a copy as well)")
SIGNAL_TEST(stopping, "stop and go on")
SIGNAL_TEST(fpu, "FPU registers survive a handler that uses them")
SIGNAL_TEST(old_calls, "the older calls, and the smaller frame")
SIGNAL_TEST(forged, "forged frames: rings, flags, selectors, FPU")
SIGNAL_TEST(no_stack, "no stack for the frame")
SIGNAL_TEST(rubbish, "a hundred frames of rubbish")
/*:*/
