// SPDX-License-Identifier: MIT
/*
 * The other side of a Guest that echoes: sends UDP datagrams to 127.0.0.1 (or another
 * address) and looks whether each comes back, to the byte.
 *	peer ADDRESS PORT	status 0: all came back
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LARGEST	1472	/* a frame of 1514 bytes */
#define TRIES	40	/* quarters of a second: the Guest may still be booting */

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct timeval patience = { .tv_usec = 250000 };
	static unsigned char out[LARGEST], in[65536];
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	unsigned count = 0;

	if (argc != 3 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1)
		return 2;
	to.sin_port = htons((unsigned short)atoi(argv[2]));
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(s, (struct sockaddr *)&to, sizeof(to)) < 0)
		return 3;
	for (unsigned bytes = 1; bytes <= LARGEST; bytes += bytes == 1457 ? 15 : 16) {
		ssize_t n = -1;

		for (unsigned i = 0; i < bytes; i++)
			out[i] = (unsigned char)(i * 31 + bytes + i / 256);
		for (unsigned t = 0; t < TRIES && n < 0; t++) {
			/* ECONNREFUSED is as good as silence. */
			if (send(s, out, bytes, 0) < 0)
				usleep(250000);
			n = recv(s, in, sizeof(in), 0);
			/* What comes back to an earlier try is no answer to this one. */
			while (n >= 0 && n != (ssize_t)bytes)
				n = recv(s, in, sizeof(in), 0);
		}
		if (n < 0 || memcmp(in, out, bytes)) {
			printf("not ok %u bytes: %s\n", bytes, n < 0 ? "nothing came back" : "other bytes");
			return 1;
		}
		count++;
	}
	printf("ok %u datagrams came back\n", count);
	return send(s, "quit", 4, 0) == 4 ? 0 : 1;
}
