/* SPDX-License-Identifier: MIT */
/*G:755 mkdir
 * mkdir DIRECTORY...: makes directories. :*/
#include "files.h"

int main(int argc, char **argv)
{
	int i, error, bad = 0;

	if (argc < 2)
		die("mkdir: expected the name of a directory\n");
	for (i = 1; i < argc; i++) {
		error = mkdir(argv[i]);
		if (error)
			complain("mkdir: %s: %s\n", argv[i], error_text(error));
		bad |= error != 0;
	}
	return bad;
}
