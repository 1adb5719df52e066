/* SPDX-License-Identifier: MIT */
/*G:770 httpd
 *
 * httpd [PORT [DIRECTORY]]: shows the files below DIRECTORY (/ if you don't say) to
 * whoever asks, on port 80 if you don't say.  For each caller a child is born that
 * answers and dies: what takes long, or goes wrong, hurts nobody else.
 *
 * The question is a stranger's.  It has a time and a length in which to make sense, and
 * ".." does not lead out of the house.
 */
#include "netlib.h"

#define PATIENCE_MS 10000u
#define PATH_MAX 120u

static const char *directory = "/";

static void answer(int fd, const char *status, const char *text)
{
	char line[256];

	snformat(line, sizeof(line), "HTTP/1.0 %s\r\nContent-Type: text/plain\r\n"
		 "Content-Length: %u\r\n\r\n%s", status, strlen(text), text);
	write_all(fd, line, strlen(line));
}

static bool ends_with(const char *s, const char *end)
{
	u32 n = strlen(s), m = strlen(end);

	return n >= m && !strcmp(s + n - m, end);
}

/* A file's length can only be found out by reading it: twice, then. */
static void send_file(int fd, const char *path)
{
	static char chunk[8192];
	int in = open(path), n;
	u32 length = 0;

	if (in < 0) {
		answer(fd, "404 Not Found", "There is no such file.\n");
		return;
	}
	while ((n = read(in, chunk, sizeof(chunk))) > 0)
		length += n;
	close(in);
	in = n < 0 ? n : open(path);
	if (in < 0) {
		answer(fd, "403 Forbidden", "That is nothing to read.\n");
		return;
	}
	snformat(chunk, sizeof(chunk), "HTTP/1.0 200 OK\r\nContent-Type: %s\r\n"
		 "Content-Length: %u\r\n\r\n",
		 ends_with(path, ".html") ? "text/html" : "text/plain", length);
	n = strlen(chunk);
	while (n > 0 && !write_all(fd, chunk, n) && length) {
		n = read(in, chunk, length < sizeof(chunk) ? length : sizeof(chunk));
		length -= n > 0 ? n : 0;
	}
}

/* "GET /etc/motd HTTP/1.0" */
static bool find_path(char *line, char *path, u32 size)
{
	char *end;

	if (strncmp(line, "GET /", 5))
		return false;
	end = (char *)strchr(line + 4, ' ');
	if (end)
		*end = '\0';
	if (strlen(line + 4) > PATH_MAX || strstr(line + 4, ".."))
		return false;
	snformat(path, size, "%s%s%s", strcmp(directory, "/") ? directory : "", line + 4,
		 ends_with(line, "/") ? "index.html" : "");
	return true;
}

static void serve(int fd, u32 ip)
{
	static char line[LINE_MAX + 1], rest[LINE_MAX + 1];
	char path[2 * PATH_MAX + 32];
	struct reader r = {.fd = fd};
	int error = 0, lines = 0;

	receive_patience(fd, PATIENCE_MS);
	if (reader_line(&r, line, &error) < 0)
		return;
	while (lines++ < 100 && reader_line(&r, rest, &error) > 0 && strcmp(rest, "\r"))
		;			/* what it would like to tell us besides */
	printf("httpd: %s: %s\n", ip_text(ip), line);
	if (find_path(line, path, sizeof(path)))
		send_file(fd, path);
	else
		answer(fd, "400 Bad Request", "Expected: GET /PATH HTTP/1.0\n");
}

int main(int argc, char **argv)
{
	u32 port = 80, ip, ignored;
	int listener, fd, pid, error;

	if (argc > 3 || (argc > 1 && !parse_port(argv[1], &port)))
		die("usage: httpd [PORT [DIRECTORY]]\n");
	if (argc > 2)
		directory = argv[2];
	if (strlen(directory) > PATH_MAX)
		die("httpd: %s: the name is too long\n", directory);
	listener = socket(SOCK_STREAM, 0);
	error = listener < 0 ? listener : bind_port(listener, port);
	if (!error)
		error = listen(listener, 4);
	if (error)
		die("httpd: port %u: %s\n", port, error_text(error));
	for (;;) {
		fd = accept_from(listener, &ip, &ignored);
		if (fd < 0)
			die("httpd: %s\n", error_text(fd));
		pid = fork();
		if (!pid) {
			close(listener);
			serve(fd, ip);
			return 0;
		}
		if (pid < 0)
			complain("httpd: no child: %s\n", error_text(pid));
		close(fd);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}
/*:*/
