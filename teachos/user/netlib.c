/* SPDX-License-Identifier: MIT */
/*G:761 Dialling
 * The calls, and the two things that all who call have in common: a name to look up,
 * and much to send. :*/
#include "dns.h"
#include "netlib.h"

enum {
	CALL_SOCKET = 1, CALL_BIND, CALL_CONNECT, CALL_LISTEN, CALL_ACCEPT,
	CALL_SENDTO = 11, CALL_RECVFROM = 12, CALL_SHUTDOWN = 13, CALL_SETSOCKOPT = 14
};
#define AF_INET 2
#define SOL_SOCKET 1
#define SO_RCVTIMEO 20
#define SHUT_WR 1

struct sockaddr {
	u16 family;
	u8 port[2], ip[4], zero[8];
};

static int call(u32 number, u32 a, u32 b, u32 c, u32 d, u32 e, u32 f)
{
	u32 args[6] = {a, b, c, d, e, f};

	return syscall(SYS_socketcall, number, (u32)args, 0);
}

static struct sockaddr to_sockaddr(u32 ip, u32 port)
{
	return (struct sockaddr){
		.family = AF_INET,
		.port = {port >> 8, port},
		.ip = {ip >> 24, ip >> 16, ip >> 8, ip},
	};
}

static void from_sockaddr(const struct sockaddr *s, u32 *ip, u32 *port)
{
	if (ip)
		*ip = (u32)s->ip[0] << 24 | s->ip[1] << 16 | s->ip[2] << 8 | s->ip[3];
	if (port)
		*port = s->port[0] << 8 | s->port[1];
}

int socket(u32 type, u32 protocol)
{
	return call(CALL_SOCKET, AF_INET, type, protocol, 0, 0, 0);
}

int bind_port(int fd, u32 port)
{
	struct sockaddr s = to_sockaddr(0, port);

	return call(CALL_BIND, fd, (u32)&s, sizeof(s), 0, 0, 0);
}

int connect_to(int fd, u32 ip, u32 port)
{
	struct sockaddr s = to_sockaddr(ip, port);

	return call(CALL_CONNECT, fd, (u32)&s, sizeof(s), 0, 0, 0);
}

int listen(int fd, u32 backlog)
{
	return call(CALL_LISTEN, fd, backlog, 0, 0, 0, 0);
}

int accept_from(int fd, u32 *ip, u32 *port)
{
	struct sockaddr s;
	u32 length = sizeof(s);
	int result = call(CALL_ACCEPT, fd, (u32)&s, (u32)&length, 0, 0, 0);

	if (result >= 0)
		from_sockaddr(&s, ip, port);
	return result;
}

int send_to(int fd, const void *data, u32 length, u32 ip, u32 port)
{
	struct sockaddr s = to_sockaddr(ip, port);

	return call(CALL_SENDTO, fd, (u32)data, length, 0, (u32)&s, sizeof(s));
}

int receive_from(int fd, void *data, u32 length, u32 *ip, u32 *port)
{
	struct sockaddr s;
	u32 size = sizeof(s);
	int result = call(CALL_RECVFROM, fd, (u32)data, length, 0, (u32)&s, (u32)&size);

	if (result >= 0)
		from_sockaddr(&s, ip, port);
	return result;
}

int hang_up(int fd)
{
	return call(CALL_SHUTDOWN, fd, SHUT_WR, 0, 0, 0, 0);
}

int receive_patience(int fd, u32 ms)
{
	u32 time[2] = {ms / 1000, ms % 1000 * 1000};

	return call(CALL_SETSOCKOPT, fd, SOL_SOCKET, SO_RCVTIMEO, (u32)time, sizeof(time), 0);
}

int getrandom(void *to, u32 length)
{
	return syscall(SYS_getrandom, (u32)to, length, 0);
}

u64 uptime_us(void)
{
	u32 time[2] = {0, 0};

	syscall(SYS_clock_gettime, 1, (u32)time, 0);
	return (u64)time[0] * 1000000 + time[1] / 1000;
}

int write_all(int fd, const void *data, u32 length)
{
	const char *at = data;
	int n;

	for (; length; at += n, length -= n) {
		n = write(fd, at, length);
		if (n <= 0)
			return n ? n : -5;
	}
	return 0;
}

bool parse_port(const char *text, u32 *port)
{
	return parse_number(text, port) && *port >= 1 && *port <= 65535;
}

const char *ip_text(u32 ip)
{
	static char text[16];

	snformat(text, sizeof(text), "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255,
		 ip & 255);
	return text;
}

bool parse_ip(const char *s, u32 *ip)
{
	u32 part, i;

	*ip = 0;
	for (i = 0; i < 4; i++) {
		if ((i && *s++ != '.') || *s < '0' || *s > '9')
			return false;
		for (part = 0; *s >= '0' && *s <= '9' && part < 256; s++)
			part = part * 10 + *s - '0';
		if (part > 255)
			return false;
		*ip = *ip << 8 | part;
	}
	return !*s;
}

/*G:762 Asking for a number
 *
 * The kernel knows whom to ask (DHCP told it, or the command line), and says so in
 * /proc/net.  A question is one packet, so is the answer, and either can get lost: three
 * tries of two seconds.
 */
#define TRIES 3
#define PATIENCE_MS 2000u
#define DNS_PORT 53

static bool find_resolver(u32 *ip)
{
	struct reader r = {.fd = open("/proc/net")};
	static char line[LINE_MAX + 1];
	bool found = false;
	int error;

	if (r.fd < 0)
		return false;
	while (!found && reader_line(&r, line, &error) >= 0)
		found = !strncmp(line, "resolver ", 9) && parse_ip(line + 9, ip);
	close(r.fd);
	return found;
}

static enum dns_result ask(int fd, const char *name, u32 resolver, u32 *ip)
{
	static u8 question[DNS_SIZE], answer[DNS_SIZE];
	enum dns_result result;
	u64 begun = uptime_us();
	u16 id = begun ^ begun >> 16 ^ getpid() << 8;
	u32 length = dns_question(question, name, id);
	int try, n;

	if (!length)
		return DNS_BAD_NAME;
	for (try = 0; try < TRIES; try++) {
		if (send_to(fd, question, length, resolver, DNS_PORT) < 0)
			continue;
		while ((n = receive_from(fd, answer, sizeof(answer), NULL, NULL)) >= 0) {
			result = dns_answer(answer, n, question, length, ip);
			if (result != DNS_NOT_MINE)
				return result;
		}
	}
	return DNS_NOT_MINE;
}

u32 resolve(const char *program, const char *name)
{
	enum dns_result result;
	u32 resolver, ip;
	int fd;

	if (parse_ip(name, &ip))
		return ip;
	if (!strcmp(name, "localhost"))
		return 0x7f000001;
	/* An address that is on its way here is waited for, as connect() waits. */
	fd = socket(SOCK_DGRAM, 0);
	if (fd < 0)
		die("%s: %s: no socket: %s\n", program, name, error_text(fd));
	connect_to(fd, 0x0a000001, 9);
	close(fd);
	if (!find_resolver(&resolver))
		die("%s: %s: there is no resolver to ask (see `ip`)\n", program, name);
	fd = socket(SOCK_DGRAM, 0);
	if (fd >= 0)
		connect_to(fd, resolver, DNS_PORT);
	receive_patience(fd, PATIENCE_MS);
	result = ask(fd, name, resolver, &ip);
	close(fd);
	if (result == DNS_FOUND)
		return ip;
	die("%s: %s: %s\n", program, name,
	    result == DNS_BAD_NAME ? "expected a name, of parts of up to 63 letters" :
	    result == DNS_NO_SUCH_NAME ? "there is no such name" :
	    result == DNS_NO_ADDRESS ? "the name has no address" :
	    "the resolver does not answer");
}
/*:*/
