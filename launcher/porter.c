// SPDX-License-Identifier: MIT
/*L:600 Who waits for whom?
 *
 * While the Guest runs, our thread is away, inside the kernel.  Somebody has to stay
 * at the door: for keys that you type, for signals, for the clock, for a Guest that
 * has put new input buffers out.  The original had one thread for each queue of each
 * device.  One was enough for us: the *porter*, who sits in poll() and knows whom to
 * call.
 *
 * And what goes out?  That is served where the Guest's kick arrives, in its own
 * thread, before it runs on.  It looks like bad manners to let a Guest wait for its
 * console.  But a console driver waits anyway: it kicks, and then spins with
 * interrupts off until we say "done".  With a thread at the other end it spins until
 * the Host's scheduler gets round to that thread.  We measured it, with a Guest that
 * prints 2000 lines in the nested machine: at the door 0.2 seconds, through the
 * porter 0.6 with one CPU, and with two CPUs, which fight over it, 1 to 3.
 *
 * So the rule is: what the *Guest* waits for is served at the door; what waits for
 * the *world* has an eventfd, and the porter.  (A disk waits for the world as well,
 * but in a read() that poll() knows nothing of: a disk brings a thread of its own.)
 :*/
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "launcher.h"

#define WATCHES		8
#define SILENCE		3.0	/* seconds after which a silent Guest is worth a hint */
#define NUDGE_MS	10
#define NUDGES		300	/* three seconds of patience */
#define KNOCK_MS	5

static struct watch watch[WATCHES];
static unsigned watches;
static pthread_t runner;
static int signal_fd;
static double deadline, hint_at;
static atomic_int asked = -1;

struct watch *porter_watch(int fd, void (*ready)(struct watch *w), void *arg)
{
	if (watches == WATCHES)
		die(STATUS_INTERNAL, "the porter cannot watch more than %d things", WATCHES);
	watch[watches] = (struct watch){ .fd = fd, .ready = ready, .arg = arg };
	return &watch[watches++];
}

/*L:610 How to end it
 * Several things may want the end: a signal, the clock, Ctrl-A x, a closed pipe.
 * All of them just leave a note; the thread that runs the Guest reads it and does
 * the leaving, so that there is one way out and not five.
 *
 * But that thread may be in the kernel, and reads no notes there.  A signal brings
 * it back, unless it arrives in the tiny moment between "is there a note?" and
 * ioctl(): then it is lost.  There are clever cures for this old race.  Ours is to
 * ring again, every ten milliseconds, until somebody opens.
 */
static void ring(int sig)
{
	(void)sig;	/* to have interrupted something is all that is wanted */
}

void ending_ask(int status)
{
	int none = -1;

	atomic_compare_exchange_strong(&asked, &none, status);
}

int ending_asked(void)
{
	return asked;
}

static _Noreturn void nudge_until_gone(void)
{
	struct timespec pause = { .tv_nsec = NUDGE_MS * 1000000L };

	for (unsigned i = 0; i < NUDGES; i++) {
		pthread_kill(runner, SIGUSR1);
		nanosleep(&pause, NULL);
	}
	terminal_restore();	/* stuck in a write() that nobody reads, most likely */
	last_words_said();
	_exit(asked);
}
/*:*/

void porter_knock(struct watch *w)
{
	struct timespec pause = { .tv_nsec = KNOCK_MS * 1000000L };

	*(atomic_bool *)w->arg = true;
	pthread_kill(runner, SIGUSR1);
	nanosleep(&pause, NULL);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ^Z from outside: a stopped Launcher must not sit on a raw terminal. */
static void take_signal(void)
{
	struct signalfd_siginfo info;

	if (read(signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	switch (info.ssi_signo) {
	case SIGTSTP:
		terminal_restore();
		kill(getpid(), SIGSTOP);
		break;
	case SIGCONT:
		terminal_raw();
		break;
	default:
		verbose("signal %u", info.ssi_signo);
		ending_ask(STATUS_SIGNAL + (int)info.ssi_signo);
	}
}

static int milliseconds_left(void)
{
	double next = hint_at && (!deadline || hint_at < deadline) ? hint_at : deadline, left;

	if (!next)
		return -1;
	left = (next - now()) * 1000;
	return left <= 0 ? 0 : left > 1e8 ? 100000000 : (int)left + 1;
}

/* A kernel that dies before its first word looks exactly like one that is slow. */
static void look_at_the_clock(void)
{
	double t = now();

	if (hint_at && t >= hint_at) {
		hint_at = 0;
		if (!console_spoke())
			verbose("the Guest has not said a word in %.0f seconds; --timeout=5 "
				"would end it and show where it is", SILENCE);
	}
	if (deadline && t >= deadline)
		ending_ask(STATUS_TIMEOUT);
}

/* Held by the porter while he calls somebody, and by who wants him to hold still. */
static pthread_mutex_t busy = PTHREAD_MUTEX_INITIALIZER;

void porter_hold(void)
{
	pthread_mutex_lock(&busy);
}

void porter_go_on(void)
{
	pthread_mutex_unlock(&busy);
}

/*L:620 The porter's day */
static void *porter(void *unused)
{
	struct pollfd fds[WATCHES + 1];

	(void)unused;
	while (ending_asked() < 0) {
		fds[0] = (struct pollfd){ .fd = signal_fd, .events = POLLIN };
		for (unsigned i = 0; i < watches; i++)
			fds[i + 1] = (struct pollfd){
				.fd = watch[i].paused ? -1 : watch[i].fd,
				.events = POLLIN,
			};
		if (poll(fds, watches + 1, milliseconds_left()) < 0)
			continue;
		pthread_mutex_lock(&busy);
		if (fds[0].revents)
			take_signal();
		for (unsigned i = 0; i < watches; i++)
			if (fds[i + 1].revents)
				watch[i].ready(&watch[i]);
		look_at_the_clock();
		pthread_mutex_unlock(&busy);
	}
	nudge_until_gone();
}
/*:*/

/* SIGPIPE is ignored: write() says EPIPE, and console_write() understands that. */
void porter_prepare(void)
{
	static const int wanted[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT };
	struct sigaction act = { .sa_handler = ring };	/* no SA_RESTART */
	sigset_t set;

	sigaction(SIGUSR1, &act, NULL);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	for (unsigned i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		sigaddset(&set, wanted[i]);
	signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	/* The ring is for one thread, the others sleep on: see the end of porter_start(). */
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (signal_fd < 0)
		die(STATUS_INTERNAL, "signalfd: %s", strerror(errno));
}

void porter_start(double timeout)
{
	pthread_t thread;

	runner = pthread_self();
	hint_at = now() + SILENCE;
	if (timeout)
		deadline = now() + timeout;
	if (pthread_create(&thread, NULL, porter, NULL))
		die(STATUS_INTERNAL, "could not start a thread");
	pthread_detach(thread);
	saving_hold(false);
}
