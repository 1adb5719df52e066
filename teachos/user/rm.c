/* SPDX-License-Identifier: MIT */
/*G:849 rm
 * rm FILE...: removes files from /tmp. :*/
#include "user.h"

int main(int argc, char **argv)
{
	int i, error, bad = 0;

	if (argc < 2)
		die("rm: expected the name of a file\n");
	for (i = 1; i < argc; i++) {
		error = unlink(argv[i]);
		if (error)
			complain("rm: %s: %s\n", argv[i], error_text(error));
		bad |= error != 0;
	}
	return bad;
}
