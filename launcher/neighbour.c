// SPDX-License-Identifier: MIT
/*L:740 Somebody next door
 *
 * For `--net user` a second process is started, `usernet`, which has the library that
 * this needs (L:742 tells what it does, and why it does it over there).  Between us is
 * a pair of connected sockets of the kind SEQPACKET: what is written with one write()
 * is read with one read(), which is all that net.c asks for, and when one side ends the
 * other one is told.  Nobody has to clean up after anybody.
 *
 * It is started before the Guest, and before we give up any rights, as a port may need
 * one; it then gives up its own (L:748), and becomes the same --username.  Its first
 * message says whether all is well: a port that is in use is a mistake like others,
 * and mistakes come first.
 :*/
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launcher.h"

#define GREETING_S	20	/* it is there in a blink; a busy emulator blinks slowly */

/* Beside our own file; or, for labs/launcher, where both were built. */
static bool find_neighbour(char path[PATH_MAX])
{
	static const char *const from_here[] = { "/usernet", "/../build/launcher/usernet" };
	char self[PATH_MAX - 64];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0)
		return false;
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	for (unsigned i = 0; i < 2; i++) {
		snprintf(path, PATH_MAX, "%s%s", self, from_here[i]);
		if (!access(path, X_OK))
			return true;
	}
	return false;
}

/* In the child.  Whatever goes wrong, the other end sees that the socket is closed. */
static _Noreturn void become(const char *path, int fd, const char *word, const char *user)
{
	int null = open("/dev/null", O_RDWR);

	/* Its own group: Ctrl-C is for the Launcher, which tells it by leaving. */
	setpgid(0, 0);
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		if (!is_verbose())
			dup2(null, STDERR_FILENO);
	}
	/* The copy survives execve(), which closes all else that we have open. */
	if (fd == NEIGHBOUR_FD ? fcntl(fd, F_SETFD, 0) < 0 : dup2(fd, NEIGHBOUR_FD) < 0)
		_exit(STATUS_INTERNAL);
	execl(path, path, word, is_verbose() ? "verbose" : "quiet", user, NULL);
	_exit(STATUS_NO_NETWORK);
}

/* Reads its first message. */
static int greeted(int fd, const char *path, struct complaint *c)
{
	struct timeval patience = { .tv_sec = GREETING_S };
	struct complaint said;
	ssize_t n;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	do {
		n = recv(fd, &said, sizeof(said), 0);
	} while (n < 0 && errno == EINTR);
	if (n != sizeof(said))
		return complain(c, STATUS_NO_NETWORK, "--net=user: %s does not start%s", path,
				n == 0 ? "; are its libraries there (ldd shows them)?" : "");
	if (said.status)
		*c = said;
	return said.status;
}

int neighbour_start(const struct net_wish *w, const char *user, int *fd, struct complaint *c)
{
	char path[PATH_MAX];
	int pair[2];
	pid_t child;

	if (!find_neighbour(path))
		return complain(c, STATUS_NO_NETWORK, "--net=user: the program 'usernet' is not beside "
				"the Launcher: sudo apt-get install libslirp-dev, then make");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return complain(c, STATUS_INTERNAL, "socketpair: %s", strerror(errno));
	child = fork();
	if (child < 0)
		return complain(c, STATUS_INTERNAL, "fork: %s", strerror(errno));
	if (!child)
		become(path, pair[1], w->text, user);
	close(pair[1]);
	if (greeted(pair[0], path, c)) {
		close(pair[0]);
		waitpid(child, NULL, 0);
		return c->status;
	}
	if (fcntl(pair[0], F_SETFL, O_NONBLOCK) < 0)
		return complain(c, STATUS_INTERNAL, "fcntl: %s", strerror(errno));
	*fd = pair[0];
	verbose("network user: %s, process %d", path, (int)child);
	return 0;
}
