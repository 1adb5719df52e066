/* SPDX-License-Identifier: MIT */
/*G:756 rmdir
 * rmdir DIRECTORY...: removes directories, if they are empty. :*/
#include "files.h"

int main(int argc, char **argv)
{
	int i, error, bad = 0;

	if (argc < 2)
		die("rmdir: expected the name of a directory\n");
	for (i = 1; i < argc; i++) {
		error = rmdir(argv[i]);
		if (error)
			complain("rmdir: %s: %s\n", argv[i], error_text(error));
		bad |= error != 0;
	}
	return bad;
}
