/* SPDX-License-Identifier: MIT */
/*G:771 nc
 * nc HOST PORT, nc -l PORT: a pipe through the network.  What is typed (or fed in) goes
 * there, what comes from there is shown; each direction is a process of its own. :*/
#include "netlib.h"

static int copy(int from, int to, const char *what)
{
	static char chunk[4096];
	int n, error;

	while ((n = read(from, chunk, sizeof(chunk))) > 0) {
		error = write_all(to, chunk, n);
		if (error)
			die("nc: %s: %s\n", what, error_text(error));
	}
	if (n < 0)
		complain("nc: %s: %s\n", what, error_text(n));
	return n < 0;
}

static int answer_call(u32 port)
{
	int listener = socket(SOCK_STREAM, 0), fd;

	fd = listener < 0 ? listener : bind_port(listener, port);
	if (!fd)
		fd = listen(listener, 1);
	if (!fd)
		fd = accept_from(listener, NULL, NULL);
	if (fd < 0)
		die("nc: port %u: %s\n", port, error_text(fd));
	close(listener);
	return fd;
}

int main(int argc, char **argv)
{
	u32 port;
	int fd, pid, error, bad;

	if (argc != 3 || !parse_port(argv[2], &port))
		die("usage: nc HOST PORT, or nc -l PORT\n");
	if (!strcmp(argv[1], "-l")) {
		fd = answer_call(port);
	} else {
		fd = socket(SOCK_STREAM, 0);
		error = fd < 0 ? fd : connect_to(fd, resolve("nc", argv[1]), port);
		if (error)
			die("nc: %s, port %u: %s\n", argv[1], port, error_text(error));
	}
	pid = fork();
	if (!pid) {
		copy(0, fd, "standard input");
		hang_up(fd);
		return 0;
	}
	bad = copy(fd, 1, argv[1]);
	if (pid > 0)
		kill(pid, 15);		/* it may be waiting for a key that nobody will press */
	return bad;
}
