/* SPDX-License-Identifier: MIT */
/*G:846 head
 * head [-N] FILE...: the first N lines, 10 if you don't say. :*/
#include "user.h"

static u32 wanted = 10;

static int show(int fd, const char *name)
{
	char chunk[512];
	u32 lines = 0;
	int n = 0, i;

	while (lines < wanted && (n = read(fd, chunk, sizeof(chunk))) > 0) {
		for (i = 0; i < n && lines < wanted; i++)
			lines += chunk[i] == '\n';
		put(chunk, i);
	}
	if (n < 0)
		complain("head: %s: %s\n", name, error_text(n));
	return n < 0;
}

int main(int argc, char **argv)
{
	int first = 1;

	if (argc > 1 && argv[1][0] == '-') {
		if (!parse_number(argv[1] + 1, &wanted))
			die("head: %s: expected - and a number of lines\n", argv[1]);
		first = 2;
	}
	return for_each_file("head", argv + first, argc - first, show);
}
