// SPDX-License-Identifier: MIT
/*L:850 Locking the door behind us
 *
 * A program can do nothing to the world but by a system call, and Linux has some 350
 * of them.  While a Guest runs, the Launcher needs three dozen.  *seccomp* makes that a
 * law: a filter, a small program that the kernel runs at each system call of ours, says
 * yes or no.  It can be made stricter later, but never be taken off.
 *
 * Not on the list: open (every file that we need is open), execve, socket, fork, ptrace,
 * kill of anybody but ourselves; and memory that can be written *and* executed.  Who
 * takes over the Launcher now sits in a cell with a slot in the door.
 *
 * libseccomp writes the filter.  What we write is the list, and for each line of it the
 * reason.  What a single device needs is not here, but in that device's own file: a
 * Guest without a disk has a Launcher that cannot even pwritev().
 *
 * A filter sees numbers.  It can insist that an argument is 7, and it cannot follow a
 * pointer: "only this file name" is not to be had.  That is why everything is opened
 * before, and why reboot, --stats and the symbols of a dead kernel make do with
 * descriptors that are open.
 */
#include <errno.h>
#include <malloc.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <termios.h>
#include <unistd.h>

#include "launcher.h"

#define OUR_PID		UINT64_MAX	/* stands for getpid() in an argument */
/*:*/

/*L:852 The list */
static const struct sandbox_call ours[] = {
	ALWAYS(read, "keys, signals, the eventfds of the queues"),
	ALWAYS(write, "what the Guest and we say; ringing an eventfd"),
	ALWAYS(poll, "the porter waits; output waits for a slow terminal"),
	ALWAYS(restart_syscall, "poll() goes on after a SIGSTOP"),
	ALWAYS(futex, "locks between our threads"),
	ALWAYS(clock_gettime, "--timeout, where the vDSO has no clock"),
	ALWAYS(clock_nanosleep, "the porter's pause between two rings"),

	ALWAYS(pread64, "the kernel, again, when the Guest restarts; its symbols if it dies"),
	ALWAYS(lseek, "how long is the kernel now?"),
	ALWAYS(pwrite64, "--stats, --death"),
	ALWAYS(ftruncate, "the same, if there was a longer one before"),
	ALWAYS(close, "/dev/lguest, when a Guest has ended"),

	ALWAYS(madvise, "fresh memory for a restart"),
	ALWAYS(brk, "malloc()"),
	ALWAYS(munmap, "free()"),
	ALWAYS(sysinfo, "qsort() asks how much memory there is: the symbols of a dead kernel"),
	UNLESS(mmap, 2, PROT_EXEC, "malloc(), but nothing to execute"),

	ONLY_IF(ioctl, 1, TCGETS, "the terminal: how is it?"),
	ONLY_IF(ioctl, 1, TCSETS, "the terminal: raw, and back"),
	ONLY_IF(ioctl, 1, TIOCGWINSZ, "... and how large?  (--map)"),
	ONLY_IF(ioctl, 1, TIOCGPGRP, "the terminal: are we in front?"),
	ALWAYS(getpgrp, "the same question's other half"),

	ALWAYS(rt_sigreturn, "the end of a signal handler"),
	ALWAYS(rt_sigprocmask, "raise() and pthread_kill() hold signals back meanwhile"),
	ALWAYS(getpid, "to whom?"),
	ALWAYS(gettid, "to which thread?"),
	ONLY_IF(tgkill, 0, OUR_PID, "the porter rings at the thread that runs the Guest; abort()"),
	ONLY_IF(kill, 0, OUR_PID, "Ctrl-Z from outside: we stop ourselves"),
	ALWAYS(exit_group, "the end"),

	ALWAYS(rseq, "a thread that was made just before, and finds its feet only now"),
	ALWAYS(set_robust_list, "the same"),
	CALLS_END
};
/*:*/

/*L:854 How do you learn of it?
 * The filter could just kill us.  Then all that you would see is "Bad system call", and
 * whether a burglar was caught or we forgot a line above, nobody could say.  So instead
 * it sends the signal SIGSYS.  The call is *not* carried out, the handler names it, and
 * that was that: exit status 34.
 *
 * Is a handler not a way out for the burglar?  sigaction() is not on the list, so it
 * cannot be replaced; and if the signal is blocked, the kernel kills us without asking.
 */
#define NAMES_MAX	512

static const char *name[NAMES_MAX];	/* made before: the handler must not malloc() */

static void forbidden(int sig, siginfo_t *info, void *context)
{
	int number = info->si_syscall;

	(void)sig;
	(void)context;
	terminal_restore();
	say("the sandbox forbids system call %d (%s), at %p: a bug of the Launcher, or somebody "
	    "broke into it.  It was not carried out; please report it", number,
	    number >= 0 && number < NAMES_MAX && name[number] ? name[number] : "unknown",
	    info->si_call_addr);
	last_words_said();
	_exit(STATUS_SANDBOX);
}

void sandbox_prepare(void)
{
	struct sigaction act = { .sa_sigaction = forbidden, .sa_flags = SA_SIGINFO };

	if (name[0])
		return;		/* the widow has them from the Launcher */
	for (int i = 0; i < NAMES_MAX; i++)
		name[i] = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, i);
	sigaction(SIGSYS, &act, NULL);
}
/*:*/

static void allow(scmp_filter_ctx filter, const struct sandbox_call *call)
{
	for (; call->why; call++) {
		struct scmp_arg_cmp check = {
			.arg = call->argument,
			.op = call->mask ? SCMP_CMP_MASKED_EQ : SCMP_CMP_EQ,
			.datum_a = call->value == OUR_PID ? (scmp_datum_t)getpid() : call->value,
		};
		int error;

		if (call->mask) {		/* (argument & a) == b */
			check.datum_a = call->mask;
			check.datum_b = call->value;
		}
		error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call->number,
					       call->narrow, &check);
		if (error)
			die(STATUS_INTERNAL, "the sandbox: system call %d (%s): %s", call->number,
			    call->why, strerror(-error));
	}
}

/*
 * TSYNC: one filter for all threads, those that exist and those to come.  A system call
 * by way of another architecture's door (int 0x80) has numbers of its own, and is not
 * worth a conversation.
 */
static void load(scmp_filter_ctx filter)
{
	int error = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	if (!error)
		error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (!error)
		error = seccomp_load(filter);
	if (error)
		die(STATUS_INTERNAL, "the sandbox does not shut: %s; expected a Linux with seccomp",
		    strerror(-error));
	seccomp_release(filter);
}

static scmp_filter_ctx begin(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);

	if (!filter)
		die(STATUS_INTERNAL, "the sandbox: out of memory");
	sandbox_prepare();
	return filter;
}

void sandbox_shut(const struct bus *bus, const struct sandbox_call *more)
{
	scmp_filter_ctx filter = begin();

	/* A heap for each thread would ask how many CPUs there are, which opens a file. */
	mallopt(M_ARENA_MAX, 1);
	allow(filter, ours);
	allow(filter, host_calls);
	if (more)
		allow(filter, more);
	for (unsigned i = 0; i < bus->devices; i++)
		if (bus->device[i]->calls)
			allow(filter, bus->device[i]->calls);
	load(filter);
	verbose("the sandbox is shut");
}

void sandbox_shut_to(const struct sandbox_call *calls)
{
	scmp_filter_ctx filter = begin();

	allow(filter, calls);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	load(filter);
}
