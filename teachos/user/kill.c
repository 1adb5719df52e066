/* SPDX-License-Identifier: MIT */
/*G:840 kill
 * kill PID...: ends processes. :*/
#include "user.h"

int main(int argc, char **argv)
{
	int i, error, bad = argc < 2;
	u32 pid;

	if (argc < 2)
		complain("kill: expected the number of a process (see `ps`)\n");
	for (i = 1; i < argc; i++) {
		if (!parse_number(argv[i], &pid)) {
			complain("kill: %s: expected the number of a process\n", argv[i]);
			bad = 1;
			continue;
		}
		error = kill(pid, 15);
		if (error)
			complain("kill: %s: %s\n", argv[i], error_text(error));
		bad |= error != 0;
	}
	return bad;
}
