/*G:833 ps
 *
 * SPDX-License-Identifier: MIT
 :*/
/* ps: the processes. */
#include "user.h"

int main(int argc, char **argv)
{
	char *cat[] = {"cat", "/proc/ps", NULL};

	(void)argc;
	die("%s: %s\n", argv[0], error_text(execve("/bin/cat", cat)));
}
