/* SPDX-License-Identifier: MIT */
/*G:835 help
 * help: the programs. :*/
#include "user.h"

int main(int argc, char **argv)
{
	char *cat[] = {"cat", "/etc/help", NULL};

	(void)argc;
	die("%s: %s\n", argv[0], error_text(execve("/bin/cat", cat)));
}
