/* SPDX-License-Identifier: MIT */
/*G:765 ping
 * ping [-c COUNT] [-i MS] HOST: is it there, and how far away?  Four times if you don't
 * say, once a second.  Status 0: all were answered; 1: some got lost. :*/
#include "netlib.h"

#define ECHO 8
#define HEADER 8u
#define PAYLOAD 56u

static u64 shortest = ~0ull, longest, sum;

static void answered(u32 bytes, u32 ip, u32 sequence, u64 us)
{
	u32 rest;
	u64 ms = div64(us, 1000, &rest);

	shortest = us < shortest ? us : shortest;
	longest = us > longest ? us : longest;
	sum += us;
	printf("%u bytes from %s: number %u, %llu.%03u ms\n", bytes, ip_text(ip), sequence, ms,
	       rest);
}

/* Sends one, and waits for its answer until the next is due. */
static bool try(int fd, u32 ip, u32 sequence, u32 ms)
{
	u8 echo[HEADER + PAYLOAD] = {ECHO}, answer[256];
	u64 begun, now;
	u32 from, i;
	int n;

	echo[6] = sequence >> 8;
	echo[7] = sequence;
	for (i = HEADER; i < sizeof(echo); i++)
		echo[i] = i;
	begun = now = uptime_us();
	n = send_to(fd, echo, sizeof(echo), ip, 0);
	if (n < 0)
		die("ping: %s: %s\n", ip_text(ip), error_text(n));
	for (; now < begun + (u64)ms * 1000; now = uptime_us()) {
		receive_patience(fd, ms - (u32)div64(now - begun, 1000, NULL));
		n = receive_from(fd, answer, sizeof(answer), &from, NULL);
		if (n == (int)sizeof(echo) && from == ip && !memcmp(answer + 6, echo + 6,
								    sizeof(echo) - 6)) {
			answered(n, from, sequence, uptime_us() - begun);
			return true;
		}
	}
	printf("no answer to number %u\n", sequence);
	return false;
}

static void print_ms(const char *before, u64 us)
{
	u32 rest;
	u64 ms = div64(us, 1000, &rest);

	printf("%s%llu.%03u", before, ms, rest);
}

int main(int argc, char **argv)
{
	u32 count = 4, ms = 1000, ip, i, good = 0;
	int fd, n;

	for (n = 1; n + 2 < argc; n += 2)
		if (!(!strcmp(argv[n], "-c") && parse_number(argv[n + 1], &count) && count) &&
		    !(!strcmp(argv[n], "-i") && parse_number(argv[n + 1], &ms) && ms))
			break;
	if (n + 1 != argc)
		die("usage: ping [-c COUNT] [-i MILLISECONDS] HOST\n");
	ip = resolve("ping", argv[n]);
	fd = socket(SOCK_DGRAM, IPPROTO_ICMP);
	if (fd < 0)
		die("ping: no socket: %s\n", error_text(fd));
	for (i = 1; i <= count; i++) {
		u64 next = uptime_us() + (u64)ms * 1000, now;

		good += try(fd, ip, i, ms);
		now = uptime_us();
		if (i < count && now < next)
			sleep_ms(div64(next - now, 1000, NULL));
	}
	printf("%u sent, %u answered, %u %% lost", count, good, (count - good) * 100 / count);
	if (good) {
		print_ms("; ms: shortest ", shortest);
		print_ms(", average ", div64(sum, good, NULL));
		print_ms(", longest ", longest);
	}
	printf("\n");
	return good != count;
}
