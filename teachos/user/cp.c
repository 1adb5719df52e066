/* SPDX-License-Identifier: MIT */
/*G:753 cp
 * cp FROM TO, cp FROM... DIRECTORY: copies files. :*/
#include "files.h"

int main(int argc, char **argv)
{
	char to[PATH_SIZE];
	int i, bad = 0;

	if (argc < 3)
		die("cp: expected FROM TO, or FROM... DIRECTORY\n");
	if (argc > 3 && !is_directory(argv[argc - 1]))
		die("cp: %s: not a directory\n", argv[argc - 1]);
	for (i = 1; i < argc - 1; i++) {
		if (!target_of(to, argv[i], argv[argc - 1]))
			die("cp: %s: the name is too long\n", argv[i]);
		bad |= copy_file("cp", argv[i], to) != 0;
	}
	return bad;
}
