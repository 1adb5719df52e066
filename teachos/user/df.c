/* SPDX-License-Identifier: MIT */
/*G:759 df
 * df: the disks, how large they are, how much is free, and where they are mounted. :*/
#include "user.h"

int main(int argc, char **argv)
{
	char *cat[] = {"cat", "/proc/disks", NULL};

	(void)argc;
	die("%s: %s\n", argv[0], error_text(execve("/bin/cat", cat)));
}
