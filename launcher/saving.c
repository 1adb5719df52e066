// SPDX-License-Identifier: MIT
/*L:830 Hold still
 *
 * A photograph of somebody who moves is blurred.  Before a Guest is saved, four of us have
 * to hold still, in this order:
 *
 *	the Guest	it is asked to stop before its next instruction, as a debugger does
 *			(H:770): no exit is then half-way done, no hypercall half heard
 *	the porter	brings no more keys, and nobody is asked to leave
 *	the queues	whoever is serving one finishes: a disk's ring is empty afterwards,
 *			and nobody begins again.  Kicks that are on their way are lost, so
 *			each queue gets one when the Guest wakes up (bus_thaw)
 *	the alarm	the Host stops that, last: from here on no interrupt comes (H:796)
 *
 * If the file cannot be written, all of them go on, and the Guest has noticed nothing.
 *
 * SIGUSR1 is what the rest of us ring with when our thread is to come back from RUN; those
 * rings say SI_TKILL.  One that comes from outside says something else.  It is kept in an
 * eventfd, where the porter finds it, and he knocks until we have heard (see L:774).
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "launcher.h"

static struct outfile out = { .fd = -1 };
static struct snapshot snapshot;	/* only what snapshot_write() looks at */
static atomic_bool knock;
static int bell = -1;

int saving_open(const char *file, const char *command_line, const struct fingerprint *kernel,
		struct complaint *c)
{
	int status = outfile_open(&out, "--save", file, c);

	/* A file larger than `ulimit -f` is an error to report, and none to die of. */
	signal(SIGXFSZ, SIG_IGN);
	if (!status && (!out.is_regular || !strcmp(file, "-")))
		status = complain(c, STATUS_USAGE, "--save=%s: expected a file, and no pipe", file);
	snapshot.kernel = *kernel;
	memcpy(snapshot.command_line, command_line, strlen(command_line) + 1);
	return status;
}

static void rung(int sig, siginfo_t *info, void *context)
{
	int error = errno;

	(void)sig;
	(void)context;
	if (info->si_code != SI_TKILL)
		eventfd_write(bell, 1);
	errno = error;
}

void saving_hold(bool hold)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

void saving_watch(void)
{
	struct sigaction act = { .sa_sigaction = rung, .sa_flags = SA_SIGINFO };

	if (out.fd < 0)
		return;
	bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (bell < 0 || sigaction(SIGUSR1, &act, NULL) < 0)
		die(STATUS_INTERNAL, "--save: eventfd or sigaction: %s", strerror(errno));
	porter_watch(bell, porter_knock, &knock);
}

bool saving_asked(void)
{
	uint64_t rings;

	if (!knock)
		return false;
	knock = false;
	return read(bell, &rings, sizeof(rings)) == sizeof(rings);
}

bool saving_done(struct bus *bus)
{
	const char *keys;
	uint32_t pages;
	size_t n;
	int error;

	porter_hold();
	if (ending_asked() >= 0) {		/* somebody was quicker */
		porter_go_on();
		return false;
	}
	bus_freeze(bus);
	n = console_keys(&keys);
	error = -host_save(&snapshot.state);
	if (!error)
		error = snapshot_write(out.fd, &snapshot, bus, keys, n, &pages);
	if (!error) {
		say("saved in %s, with %u of %u pages; to go on: --restore=%s, and the same devices",
		    out.name, pages, (unsigned)(bus->mem->limit / PAGE_SIZE), out.name);
		return true;
	}
	say("--save=%s: could not be written: %s; the Guest goes on", out.name, strerror(error));
	bus_thaw(bus);
	porter_go_on();
	return false;
}
/*:*/
