/* SPDX-License-Identifier: MIT */
/*G:839 sleep
 * sleep SECONDS :*/
#include "user.h"

int main(int argc, char **argv)
{
	u32 s;

	if (argc != 2 || !parse_number(argv[1], &s) || s > 1000000)
		die("sleep: expected one number of seconds, at most 1000000\n");
	return sleep_ms(s * 1000) ? 1 : 0;
}
