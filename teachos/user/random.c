/* SPDX-License-Identifier: MIT */
/*G:772 random
 * random [N]: N random bytes, 16 if you don't say, as pairs of digits. :*/
#include "netlib.h"

int main(int argc, char **argv)
{
	u32 left = 16, i;
	u8 bytes[32];
	int n;

	if (argc > 2 || (argc == 2 && !parse_number(argv[1], &left)))
		die("usage: random [BYTES]\n");
	while (left) {
		n = getrandom(bytes, left < sizeof(bytes) ? left : sizeof(bytes));
		if (n == -19)
			die("random: there is no source of them (the Launcher's option is --rng)\n");
		if (n < 0)
			die("random: %s\n", error_text(n));
		for (i = 0; i < (u32)n; i++)
			printf("%02x%s", bytes[i], i + 1 == (u32)n ? "\n" : "");
		left -= n;
	}
	return 0;
}
