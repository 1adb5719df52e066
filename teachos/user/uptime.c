/* SPDX-License-Identifier: MIT */
/*G:836 uptime
 * uptime: how long TeachOS has been running. :*/
#include "user.h"

int main(int argc, char **argv)
{
	u32 rest;
	u64 s = div64(uptime_ms(), 1000, &rest);

	no_arguments(argc, argv);
	printf("up %llu.%03u seconds\n", s, rest);
	return 0;
}
