/* SPDX-License-Identifier: MIT */
/*G:744 pwd
 * pwd: where we are. :*/
#include "files.h"

int main(int argc, char **argv)
{
	char path[PATH_SIZE];
	int n = getcwd(path, sizeof(path));

	(void)argc;
	if (n < 0)
		die("%s: %s\n", argv[0], error_text(n));
	printf("%s\n", path);
	return 0;
}
