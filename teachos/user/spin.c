/* SPDX-License-Identifier: MIT */
/*G:838 spin
 * spin [MS]: keeps the processor busy, for ever or so many milliseconds. :*/
#include "user.h"

int main(int argc, char **argv)
{
	u32 ms = 0;
	u64 end;

	if (argc > 1 && !parse_number(argv[1], &ms))
		die("spin: %s: expected a number of milliseconds\n", argv[1]);
	for (end = uptime_ms() + ms; argc < 2 || uptime_ms() < end;)
		;
	return 0;
}
