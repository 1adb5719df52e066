/* SPDX-License-Identifier: MIT */
/*G:766 get
 * get URL [FILE]: fetches http://HOST[:PORT]/PATH into FILE, or to standard output.
 * HTTP/1.0: one question, one answer, and the server hangs up.  It has told us how long
 * the answer is, so we notice if it is not all there. :*/
#include "netlib.h"

#define PATIENCE_MS 30000u
#define URL_MAX 256u

struct url {
	char host[128];
	u32 port;
	const char *path;		/* without its '/' */
};

static bool parse_url(const char *text, struct url *u)
{
	const char *end;
	u32 length;
	char *colon;

	if (!strncmp(text, "http://", 7))
		text += 7;
	end = strchr(text, '/');
	length = end ? (u32)(end - text) : strlen(text);
	if (!length || length >= sizeof(u->host) || strlen(text) > URL_MAX || strchr(text, ' '))
		return false;
	memcpy(u->host, text, length);
	u->host[length] = '\0';
	u->path = end ? end + 1 : "";
	u->port = 80;
	colon = (char *)strchr(u->host, ':');
	if (!colon)
		return true;
	*colon = '\0';
	return u->host[0] && parse_port(colon + 1, &u->port);
}

static bool is_header(const char *line, const char *name, const char **value)
{
	for (; *name; name++, line++)
		if (*name != *line && *name != (*line | 0x20))
			return false;
	while (*line == ' ' || *line == '\t')
		line++;
	*value = line;
	return true;
}

static void trim(char *line)
{
	u32 n = strlen(line);

	while (n && (line[n - 1] == '\r' || line[n - 1] == ' '))
		line[--n] = '\0';
}

/* Reads the header; the length that it promises, or -1 (in *length) if it does not. */
static void read_header(struct reader *r, const char *url, int *length)
{
	static char line[LINE_MAX + 1];
	const char *value;
	int error = 0;
	u32 n;

	if (reader_line(r, line, &error) < 0)
		die("get: %s: %s\n", url, error ? error_text(error) : "the server hung up");
	trim(line);
	if (strncmp(line, "HTTP/1.", 7) || strlen(line) < 12)
		die("get: %s: expected an HTTP header, got '%s'\n", url, line);
	if (strncmp(line + 9, "200", 3))
		die("get: %s: the server says: %s\n", url, line + 9);
	*length = -1;
	for (;;) {
		if (reader_line(r, line, &error) < 0)
			die("get: %s: the header has no end\n", url);
		trim(line);
		if (!*line)
			return;
		if (is_header(line, "content-length:", &value)) {
			if (!parse_number(value, &n) || (int)n < 0)
				die("get: %s: Content-Length: expected a number, got '%s'\n", url,
				    value);
			*length = n;
		} else if (is_header(line, "transfer-encoding:", &value)) {
			die("get: %s: Transfer-Encoding: %s: we can only do without\n", url, value);
		}
	}
}

static u32 copy(struct reader *r, const char *url, const char *file, int out, int length)
{
	static char chunk[16384];
	u32 done = 0;
	int n = r->used - r->at, error;

	if (!length)
		return 0;
	memcpy(chunk, r->chunk + r->at, n);	/* what came together with the header */
	if (!n)
		n = read(r->fd, chunk, sizeof(chunk));
	for (; n > 0; n = read(r->fd, chunk, sizeof(chunk))) {
		error = write_all(out, chunk, n);
		if (error)
			die("get: %s: %s\n", file, error_text(error));
		done += n;
		if (length >= 0 && done >= (u32)length)
			return done;
	}
	if (n < 0)
		die("get: %s: after %u bytes: %s\n", url, done, error_text(n));
	return done;
}

int main(int argc, char **argv)
{
	struct reader r = {0};
	struct url u;
	char question[URL_MAX + 160];
	int fd, out = 1, error, length;
	u32 done, ms;
	u64 begun;

	if (argc < 2 || argc > 3)
		die("usage: get URL [FILE]\n");
	if (!parse_url(argv[1], &u))
		die("get: %s: expected http://HOST[:PORT]/PATH\n", argv[1]);
	fd = socket(SOCK_STREAM, 0);
	if (fd < 0)
		die("get: no socket: %s\n", error_text(fd));
	error = connect_to(fd, resolve("get", u.host), u.port);
	if (error)
		die("get: %s, port %u: %s\n", u.host, u.port, error_text(error));
	receive_patience(fd, PATIENCE_MS);
	begun = uptime_ms();
	snformat(question, sizeof(question), "GET /%s HTTP/1.0\r\nHost: %s\r\n\r\n", u.path, u.host);
	error = write_all(fd, question, strlen(question));
	if (error)
		die("get: %s: %s\n", argv[1], error_text(error));
	r.fd = fd;
	read_header(&r, argv[1], &length);
	if (argc == 3)
		out = open_flags(argv[2], O_WRONLY | O_CREAT | O_TRUNC);
	if (out < 0)
		die("get: %s: %s\n", argv[2], error_text(out));
	done = copy(&r, argv[1], argc == 3 ? argv[2] : "standard output", out, length);
	if (length >= 0 && done != (u32)length)
		die("get: %s: %u bytes came of %d\n", argv[1], done, length);
	ms = uptime_ms() - begun;
	complain("get: %u bytes in %u.%03u s, %u KB/s\n", done, ms / 1000, ms % 1000,
		 done / (ms ? ms : 1));
	return 0;
}
