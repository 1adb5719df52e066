/* SPDX-License-Identifier: MIT */
/*G:767 host
 * host NAME...: its address. :*/
#include "netlib.h"

int main(int argc, char **argv)
{
	int i;

	if (argc < 2)
		die("usage: host NAME...\n");
	for (i = 1; i < argc; i++) {
		u32 ip = resolve("host", argv[i]);

		printf("%s is %s\n", argv[i], ip_text(ip));
	}
	return 0;
}
