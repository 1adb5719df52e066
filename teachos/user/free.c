/* SPDX-License-Identifier: MIT */
/*G:834 free
 * free: how much memory is left. :*/
#include "user.h"

int main(int argc, char **argv)
{
	char *cat[] = {"cat", "/proc/meminfo", NULL};

	no_arguments(argc, argv);
	die("%s: %s\n", argv[0], error_text(execve("/bin/cat", cat)));
}
