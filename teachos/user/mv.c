/* SPDX-License-Identifier: MIT */
/*G:754 mv
 * mv FROM TO, mv FROM... DIRECTORY: gives files another name or another place.  Within
 * one disk only the name moves; to another, the bytes have to. :*/
#include "files.h"

static int move(const char *from, const char *to)
{
	int error = rename(from, to);

	if (error == -18) {
		error = copy_file("mv", from, to);
		return error ? error : remove_tree("mv", from);
	}
	if (error)
		complain("mv: %s to %s: %s\n", from, to, error_text(error));
	return error;
}

int main(int argc, char **argv)
{
	char to[PATH_SIZE];
	int i, bad = 0;

	if (argc < 3)
		die("mv: expected FROM TO, or FROM... DIRECTORY\n");
	if (argc > 3 && !is_directory(argv[argc - 1]))
		die("mv: %s: not a directory\n", argv[argc - 1]);
	for (i = 1; i < argc - 1; i++) {
		if (!target_of(to, argv[i], argv[argc - 1]))
			die("mv: %s: the name is too long\n", argv[i]);
		bad |= move(argv[i], to) != 0;
	}
	return bad;
}
