/* SPDX-License-Identifier: MIT */
/*G:849 rm
 * rm [-r] FILE...: removes files; with -r also directories and all that is in them. :*/
#include "files.h"

int main(int argc, char **argv)
{
	bool recursive = argc > 1 && !strcmp(argv[1], "-r");
	int i, error, bad = 0;

	if (argc < 2 + recursive)
		die("rm: expected the name of a file\n");
	for (i = 1 + recursive; i < argc; i++) {
		error = recursive ? remove_tree("rm", argv[i]) : unlink(argv[i]);
		if (error && !recursive)
			complain("rm: %s: %s\n", argv[i], error_text(error));
		bad |= error != 0;
	}
	return bad;
}
