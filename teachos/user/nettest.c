/* SPDX-License-Identifier: MIT */
/*G:775 Talking to oneself
 *
 * All that sockets promise can be tried without a network card, between a process and
 * its child.  `nettest NAME` runs one of these, as usertest.c does: 0 if all is well, 77
 * if it can't be tried here, else the number of the step that failed.
 */
#include "netlib.h"

#define STEP(n, cond) do { if (!(cond)) return n; } while (0)
#define HOME 0x7f000001u
#define KERNEL_MEMORY 0xc0100000u

static int raw(u32 number, u32 a, u32 b, u32 c, u32 d, u32 e, u32 f)
{
	u32 args[6] = {a, b, c, d, e, f};

	return syscall(SYS_socketcall, number, (u32)args, 0);
}

static int wait_for(int pid)
{
	int status = -1;

	return waitpid(pid, &status, 0) == pid ? status : -1;
}

static int refusals(void)
{
	u8 zero[16] = {0}, ipv4[16] = {2, 0, 0, 80, 127, 0, 0, 1};
	u32 ip, port;
	int stream = socket(SOCK_STREAM, 0), datagram = socket(SOCK_DGRAM, 0), other;

	STEP(1, stream >= 0 && datagram >= 0);
	STEP(2, raw(1, 10, SOCK_STREAM, 0, 0, 0, 0) == -97);		/* IPv6 */
	STEP(3, raw(1, 2, 3, 1, 0, 0, 0) == -93);			/* SOCK_RAW */
	STEP(4, raw(1, 2, SOCK_STREAM, 17, 0, 0, 0) == -93);
	STEP(5, raw(0, 0, 0, 0, 0, 0, 0) == -22 && raw(99, 0, 0, 0, 0, 0, 0) == -22);
	STEP(6, syscall(SYS_socketcall, 1, KERNEL_MEMORY, 0) == -14);
	STEP(7, listen(1, 1) == -88 && listen(29, 1) == -9);		/* the console, nothing */
	STEP(8, read(stream, zero, 1) == -107 && write(stream, zero, 1) == -107);
	STEP(9, raw(2, stream, (u32)zero, 16, 0, 0, 0) == -97);
	STEP(10, raw(2, stream, (u32)ipv4, 15, 0, 0, 0) == -22);
	STEP(11, raw(2, stream, KERNEL_MEMORY, 16, 0, 0, 0) == -14);
	ipv4[4] = 8;
	STEP(12, raw(2, stream, (u32)ipv4, 16, 0, 0, 0) == -99);	/* not ours */
	STEP(13, listen(stream, 1) == -22);				/* no port yet */
	STEP(14, !bind_port(stream, 7000) && bind_port(stream, 7001) == -22);
	other = socket(SOCK_STREAM, 0);
	STEP(15, bind_port(other, 7000) == -98);
	STEP(16, accept_from(other, &ip, &port) == -22);
	STEP(17, connect_to(other, HOME, 7000) == -111);		/* bound, not listening */
	STEP(18, connect_to(other, HOME, 7999) == -111);		/* and it can try again */
	STEP(19, listen(datagram, 1) == -95);
	STEP(20, write(datagram, zero, 1) == -89);
	STEP(21, raw(14, datagram, 1, 9, (u32)zero, 4, 0) == -92);	/* SO_KEEPALIVE */
	STEP(22, hang_up(other) == -107);
	return 0;
}

/*:*/

/*G:776 Packets, each for itself */
static int datagrams(void)
{
	int a = socket(SOCK_DGRAM, 0), b = socket(SOCK_DGRAM, 0), n;
	u8 big[1500], got[1500];
	u32 ip, port, back, i;
	u64 begun;

	for (i = 0; i < sizeof(big); i++)
		big[i] = i * 13;
	STEP(1, !bind_port(a, 7001));
	STEP(2, send_to(b, "hello", 5, HOME, 7001) == 5);
	STEP(3, receive_from(a, got, sizeof(got), &ip, &port) == 5 && !memcmp(got, "hello", 5));
	STEP(4, ip == HOME && port >= 49152);
	STEP(5, send_to(a, "to you", 6, ip, port) == 6);
	STEP(6, receive_from(b, got, 2, &ip, &back) == 2 && back == 7001);	/* the rest is lost */
	STEP(7, !receive_patience(b, 50));
	begun = uptime_ms();
	STEP(8, receive_from(b, got, 2, &ip, &back) == -EAGAIN);
	STEP(9, uptime_ms() - begun >= 50);
	STEP(10, send_to(b, big, 1472, HOME, 7001) == 1472);
	STEP(11, receive_from(a, got, sizeof(got), NULL, NULL) == 1472 && !memcmp(got, big, 1472));
	STEP(12, send_to(b, big, 1473, HOME, 7001) == -90);
	STEP(13, send_to(b, big, 0, HOME, 7001) == 0);			/* nothing is something, too */
	STEP(14, receive_from(a, got, sizeof(got), NULL, NULL) == 0);
	for (i = 0; i < 40; i++)
		STEP(15, send_to(b, &big[i], 1, HOME, 7001) == 1);
	receive_patience(a, 20);
	for (i = 0; (n = receive_from(a, got, 1, NULL, NULL)) == 1; i++)
		STEP(16, got[0] == big[i]);				/* the first ones, in order */
	STEP(17, n == -EAGAIN && i == 16);
	STEP(18, !connect_to(b, HOME, 7002) && write(b, "x", 1) == 1);
	STEP(19, read(b, got, 1) == -111);				/* ICMP told us */
	STEP(20, read(b, got, 1) == -EAGAIN);
	STEP(21, receive_from(a, (void *)KERNEL_MEMORY, 1, NULL, NULL) == -EAGAIN);
	send_to(b, "x", 1, HOME, 7001);
	STEP(22, receive_from(a, (void *)KERNEL_MEMORY, 1, NULL, NULL) == -14);
	return 0;
}

static int echoes(void)
{
	u8 echo[40] = {8, 0, 0, 0, 0, 0, 0, 7}, got[64];
	int a = socket(SOCK_DGRAM, IPPROTO_ICMP), b = socket(SOCK_DGRAM, IPPROTO_ICMP);
	u32 ip;

	STEP(1, a >= 0 && b >= 0);
	memcpy(echo + 8, "there and back again, it says", 29);
	STEP(2, send_to(a, echo, sizeof(echo), HOME, 0) == sizeof(echo));
	STEP(3, receive_from(a, got, sizeof(got), &ip, NULL) == sizeof(echo) && ip == HOME);
	STEP(4, got[0] == 0 && !memcmp(got + 6, echo + 6, sizeof(echo) - 6));
	receive_patience(b, 20);
	STEP(5, receive_from(b, got, sizeof(got), NULL, NULL) == -EAGAIN);	/* not b's */
	echo[0] = 5;							/* a redirect, would you? */
	STEP(6, send_to(a, echo, sizeof(echo), HOME, 0) == -22);
	STEP(7, send_to(a, echo, 7, HOME, 0) == -22);
	return 0;
}

/*:*/

/*G:777 Streams, and how they end */
#define MANY 400000u
static u8 chunk[9000];

static u8 pattern(u32 at)
{
	return at * 2654435761u >> 22;
}

static void talker(u32 port)
{
	int fd = socket(SOCK_STREAM, 0);
	u32 at, n, i;

	if (connect_to(fd, HOME, port))
		exit(1);
	for (at = 0; at < MANY; at += n) {
		n = MANY - at < 7777 ? MANY - at : 7777;
		for (i = 0; i < n; i++)
			chunk[i] = pattern(at + i);
		if (write_all(fd, chunk, n))
			exit(2);
	}
	if (hang_up(fd) || write(fd, "x", 1) != -32)
		exit(3);
	exit(read(fd, chunk, 100) == 4 && !memcmp(chunk, "done", 4) && read(fd, chunk, 1) == 0 ? 0 : 4);
}

static int stream(void)
{
	int listener = socket(SOCK_STREAM, 0), pid, fd, n;
	u32 ip, port, at = 0, i;

	STEP(1, !bind_port(listener, 7003) && !listen(listener, 2));
	pid = fork();
	if (!pid) {
		signal(13, SIG_IGN);
		talker(7003);
	}
	fd = accept_from(listener, &ip, &port);
	STEP(2, fd >= 0 && ip == HOME && port >= 49152);
	STEP(3, connect_to(fd, HOME, 7003) == -106);
	while ((n = read(fd, chunk, 1 + at % sizeof(chunk))) > 0)
		for (i = 0; i < (u32)n; i++, at++)
			STEP(4, chunk[i] == pattern(at));
	STEP(5, n == 0 && at == MANY);
	STEP(6, write(fd, "done", 4) == 4 && !close(fd));
	STEP(7, !wait_for(pid));
	return 0;
}

/* Nobody reads any more: SIGPIPE, as with a pipe. */
static int broken(void)
{
	int listener = socket(SOCK_STREAM, 0), pid, fd;
	u32 ip, port;

	STEP(1, !bind_port(listener, 7004) && !listen(listener, 2));
	pid = fork();
	if (!pid) {
		fd = socket(SOCK_STREAM, 0);
		if (connect_to(fd, HOME, 7004))
			exit(1);
		while (write(fd, chunk, sizeof(chunk)) != -104)
			;
		write(fd, "x", 1);
		exit(2);
	}
	fd = accept_from(listener, &ip, &port);
	STEP(2, fd >= 0);
	STEP(3, read(fd, chunk, 10) == 10 && !close(fd));
	STEP(4, wait_for(pid) == 13);
	return 0;
}

static void ignore(int signal)
{
	(void)signal;
}

static int interrupted(void)
{
	int listener = socket(SOCK_STREAM, 0), datagram = socket(SOCK_DGRAM, 0), pid;
	int self = getpid();
	u32 ip, port;

	STEP(1, !bind_port(listener, 7005) && !listen(listener, 1) && !bind_port(datagram, 7005));
	STEP(2, signal(10, ignore) >= 0);
	pid = fork();
	if (!pid)
		for (;;) {			/* however slow the machine is: one will hit */
			sleep_ms(20);
			kill(self, 10);
		}
	STEP(3, accept_from(listener, &ip, &port) == -4);
	STEP(4, receive_from(datagram, chunk, 1, &ip, &port) == -4);
	kill(pid, 9);
	wait_for(pid);
	return 0;
}

/* Each connection that is over gives everything back. */
static int again_and_again(void)
{
	int listener = socket(SOCK_STREAM, 0), pid, fd;
	u32 ip, port, i;
	char c;

	STEP(1, !bind_port(listener, 7006) && !listen(listener, 4));
	for (i = 0; i < 60; i++) {
		pid = fork();
		if (!pid) {
			fd = socket(SOCK_STREAM, 0);
			exit(connect_to(fd, HOME, 7006) || write(fd, "x", 1) != 1 ||
			     read(fd, &c, 1) != 0);
		}
		fd = accept_from(listener, &ip, &port);
		STEP(2, fd >= 0 && read(fd, &c, 1) == 1 && c == 'x' && !close(fd));
		STEP(3, wait_for(pid) == 0);
	}
	return 0;
}

static const struct {
	const char *name;
	int (*run)(void);
} tests[] = {
	{"refusals", refusals}, {"datagrams", datagrams}, {"echoes", echoes}, {"stream", stream},
	{"broken", broken}, {"interrupted", interrupted}, {"again", again_and_again},
};

int main(int argc, char **argv)
{
	u32 i;

	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		if (argc == 2 && !strcmp(argv[1], tests[i].name))
			return tests[i].run();
	complain("nettest: expected the name of a test: see user/nettest.c\n");
	return 99;
}
/*:*/
