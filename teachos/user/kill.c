/* SPDX-License-Identifier: MIT */
/*G:840 kill
 * kill [-SIGNAL] WHO...: taps processes on the shoulder; without -SIGNAL, so that they end.
 * WHO is a number (see ps), a program's name, or @GROUP: all of a group. :*/
#include "user.h"

static const char *const names[SIGNALS] = {
	[SIGHUP] = "HUP", [SIGINT] = "INT", [SIGQUIT] = "QUIT", [SIGILL] = "ILL",
	[SIGTRAP] = "TRAP", [SIGABRT] = "ABRT", [SIGBUS] = "BUS", [SIGFPE] = "FPE",
	[SIGKILL] = "KILL", [SIGUSR1] = "USR1", [SIGSEGV] = "SEGV", [SIGUSR2] = "USR2",
	[SIGPIPE] = "PIPE", [SIGALRM] = "ALRM", [SIGTERM] = "TERM", [SIGCHLD] = "CHLD",
	[SIGCONT] = "CONT", [SIGSTOP] = "STOP", [SIGTSTP] = "TSTP", [SIGTTIN] = "TTIN",
	[SIGTTOU] = "TTOU",
};

/* A number or a name, with or without SIG; false: neither. */
static bool find_signal(const char *text, u32 *signal)
{
	if (parse_number(text, signal))
		return *signal < SIGNALS;
	if (!strncmp(text, "SIG", 3))
		text += 3;
	for (*signal = 1; *signal < SIGNALS; ++*signal)
		if (names[*signal] && !strcmp(names[*signal], text))
			return true;
	return false;
}

static void list(void)
{
	u32 i;

	for (i = 1; i < SIGNALS; i++)
		if (names[i])
			printf("%2u %s\n", i, names[i]);
}

/* All processes of that name but ourselves: 0, or -errno. */
static int kill_by_name(const char *name, u32 signal)
{
	struct reader ps = {.fd = open("/proc/ps")};
	char line[LINE_MAX + 1], *number, *last;
	int error = ps.fd < 0 ? ps.fd : -3;
	u32 pid;

	while (ps.fd >= 0 && reader_line(&ps, line, &error) > 0) {
		for (last = line + strlen(line); last > line && last[-1] != ' '; last--)
			;
		for (number = line; *number == ' '; number++)
			;
		*(char *)strchr(number, ' ') = '\0';
		if (!strcmp(last, name) && parse_number(number, &pid) && (int)pid != getpid())
			error = kill(pid, signal);
	}
	return error;
}

int main(int argc, char **argv)
{
	int i = 1, error, bad = 0;
	u32 signal = SIGTERM, pid;

	if (argc == 2 && !strcmp(argv[1], "-l")) {
		list();
		return 0;
	}
	if (argc > 1 && argv[1][0] == '-' && !find_signal(argv[i++] + 1, &signal))
		die("kill: %s: expected a signal; `kill -l` lists them\n", argv[1]);
	if (i >= argc)
		die("kill: expected the number or name of a process (see `ps`)\n");
	for (; i < argc; i++) {
		if (argv[i][0] == '@' && parse_number(argv[i] + 1, &pid) && pid)
			error = kill(-(int)pid, signal);
		else if (parse_number(argv[i], &pid))
			error = pid ? kill(pid, signal) : -22;
		else
			error = kill_by_name(argv[i], signal);
		if (error)
			complain("kill: %s: %s\n", argv[i], error_text(error));
		bad |= error != 0;
	}
	return bad;
}
