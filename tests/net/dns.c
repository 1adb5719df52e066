// SPDX-License-Identifier: MIT
/* A resolver that knows one name: host.test is an alias of abc.test, 192.0.2.7.  Port 53 of
 * 127.0.0.1; the answers are written by hand, from RFC 1035. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static const char known[] = "\4host\4test";
static const char records[] =
	"\xc0\x0c\0\5\0\1\0\0\0\x10\0\6\3abc\xc0\x11"
	"\3abc\4test\0\0\1\0\1\0\0\0\x10\0\4\xc0\0\2\7";

int main(void)
{
	struct sockaddr_in me = {
		.sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(0x7f000001),
	}, asker;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	unsigned char p[1024];

	if (bind(fd, (struct sockaddr *)&me, sizeof(me))) {
		perror("dns: port 53");
		return 1;
	}
	for (;;) {
		socklen_t size = sizeof(asker);
		ssize_t n = recvfrom(fd, p, 512, 0, (struct sockaddr *)&asker, &size);
		int found;

		if (n < 12 + 5)
			continue;
		found = n > 12 + (ssize_t)sizeof(known) && !memcmp(p + 12, known, sizeof(known));
		memcpy(p + 2, found ? "\x81\x80\0\1\0\2\0\0\0\0" : "\x81\x83\0\1\0\0\0\0\0\0", 10);
		if (found) {
			memcpy(p + n, records, sizeof(records) - 1);
			n += sizeof(records) - 1;
		}
		sendto(fd, p, n, 0, (struct sockaddr *)&asker, size);
	}
}
