// SPDX-License-Identifier: MIT
/*L:860 When we are the one who dies
 *
 * A Launcher is a program, and programs crash.  That should not look like a Guest that
 * crashed, and it should not look like nothing: "Segmentation fault" leaves you with a
 * raw terminal and the question whose.  So each signal that means a bug of ours is caught
 * once more: the terminal is put right, the sentence says what and where, addr2line is
 * named with the addresses that it wants, and --death's file is written.  Then the signal
 * is let through, so that the status (and a core dump, if you want one) are what they
 * would have been.
 *
 * In a handler hardly anything may be called, for nobody knows what was going on.  What
 * is used here is write(), what was opened before, and a buffer of our own.
 */
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <ucontext.h>
#include <unistd.h>

#include "launcher.h"

#define FRAMES_MAX	12
#define SELF		"build/launcher/launcher"

static void *from[FRAMES_MAX + 4];

/* Of the handler's own frames and the kernel's there are some before the crash. */
static int find_callers(void *pc, void ***first)
{
	int n = backtrace(from, FRAMES_MAX + 4);

	for (int i = 0; i < n; i++)
		if (from[i] == pc) {
			*first = &from[i];
			return n - i;
		}
	*first = from;
	from[0] = pc;
	return 1;
}

static void crashed(int sig, siginfo_t *info, void *context)
{
	static char text[160], where[32 * FRAMES_MAX];
	const ucontext_t *u = context;
	void *pc = (void *)u->uc_mcontext.gregs[REG_RIP], **caller;
	bool about_memory = sig == SIGSEGV || sig == SIGBUS;
	size_t n = 0;

	terminal_restore();
	snprintf(text, sizeof(text), "the Launcher itself crashed: SIG%s", sigabbrev_np(sig));
	if (about_memory && info->si_code > 0)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), ", for address %p",
			 info->si_addr);
	snprintf(text + strlen(text), sizeof(text) - strlen(text), ", at %p", pc);
	say("%s.  Your Guest is not to blame, whatever it did; please report it", text);
	death_last_words(STATUS_SIGNAL + sig, text);
	last_words_said();
	for (int left = find_callers(pc, &caller); left-- > 0 && n < sizeof(where);)
		n += (size_t)snprintf(where + n, sizeof(where) - n, " %p", *caller++);
	say("  where that is: addr2line -fipe " SELF "%s", where);
	raise(sig);	/* SA_RESETHAND: this time it is the default action */
}

/* A stack that is full has no room for a handler: it gets one of its own. */
void lastwords_guard(void)
{
	static const int deadly[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
	static char stack[64 * 1024];
	stack_t own = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction act = { .sa_sigaction = crashed,
				 .sa_flags = SA_SIGINFO | SA_RESETHAND | SA_NODEFER | SA_ONSTACK };

	backtrace(from, 1);	/* what it has to set up, it sets up now */
	sigaltstack(&own, NULL);
	for (unsigned i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
		sigaction(deadly[i], &act, NULL);
}
/*:*/

/*L:862 The widow
 * `kill -9` asks nobody, and neither does a Linux that has run out of memory.  So there is
 * a second process, which does nothing but hold one end of a line.  If we end in any way
 * that leaves time for a word, the word goes down the line, and she goes, too.  If the
 * line just breaks, she puts the terminal right, says what must have happened, and writes
 * --death's file.  Nobody sees her: she has no descriptors but these, and her sandbox
 * allows half a dozen calls.
 *
 * No Guest runs before she is in it; that is what her own first word says.  (We did not
 * wait for it once.  On a machine with one CPU she then dressed while the Guest read its
 * disk, a million and a half instructions long, and for a week we looked for what had made
 * disks so slow.)
 */
static const struct sandbox_call widows[] = {
	ALWAYS(read, "until the line breaks"),
	ALWAYS(write, "that she is ready; the sentence"),
	ALWAYS(pwrite64, "--death"),
	ALWAYS(ftruncate, "the same"),
	ONLY_IF(ioctl, 1, TCSETS, "the terminal, as it was"),
	ONLY_IF(ioctl, 1, TCGETS, "... and was that done?"),
	ALWAYS(exit_group, "the end"),
	CALLS_END
};

static _Noreturn void widow(int line, bool terminal, const struct termios *was)
{
	static const char text[] = "the Launcher was killed before it could say a word, and its "
				   "Guest with it: kill -9, or out of memory (dmesg knows)";
	static const int deaf[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGTTOU, SIGPIPE,
				    SIGUSR1, SIGUSR2 };
	char word = '\n';
	ssize_t n;

	prctl(PR_SET_NAME, "widow");
	for (unsigned i = 0; i < sizeof(deaf) / sizeof(deaf[0]); i++)
		signal(deaf[i], SIG_IGN);
	sandbox_shut_to(widows);
	n = write(line, &word, 1);	/* is nobody there any more?  read() will say so */
	do
		n = read(line, &word, 1);
	while (n < 0 && errno == EINTR);
	if (n == 0) {
		if (terminal)
			tcsetattr(STDIN_FILENO, TCSANOW, was);
		death_last_words(STATUS_SIGNAL + SIGKILL, text);
		say("%s", text);	/* whoever waits for this finds the file */
	}
	_exit(0);
}

int lastwords_start(struct complaint *c)
{
	struct termios was;
	bool terminal = tcgetpgrp(STDIN_FILENO) == getpgrp() && !tcgetattr(STDIN_FILENO, &was);
	int ends[2], keep[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return complain(c, STATUS_INTERNAL, "socketpair: %s", strerror(errno));
	sandbox_prepare();
	pid = fork();
	if (pid < 0)
		return complain(c, STATUS_INTERNAL, "fork: %s", strerror(errno));
	if (!pid) {
		/* The line to 3, --death's file to 4, and all else is none of her business. */
		keep[0] = fcntl(ends[0], F_DUPFD, 10);
		keep[1] = death_fd() > STDERR_FILENO ? fcntl(death_fd(), F_DUPFD, 10) : -1;
		dup2(keep[0], 3);
		if (keep[1] >= 0)
			dup2(keep[1], 4);
		death_use(keep[1] >= 0 ? 4 : death_fd());
		close_range(keep[1] >= 0 ? 5 : 4, ~0u, 0);
		close(STDOUT_FILENO);
		widow(3, terminal, &was);
	}
	close(ends[0]);
	last_words_fd = ends[1];
	atexit(last_words_said);
	return 0;
}

int lastwords_await(struct complaint *c)
{
	char word;
	ssize_t n;

	do
		n = read(last_words_fd, &word, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		return 0;
	last_words_fd = -1;
	return complain(c, STATUS_INTERNAL, "the process that is to have the last word is gone "
			"before the first one");
}
/*:*/
