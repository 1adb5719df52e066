/* SPDX-License-Identifier: MIT */
/*G:741 stat
 * stat FILE...: what is known about files, but for what is in them. :*/
#include "files.h"

int main(int argc, char **argv)
{
	char date[20];
	struct stat st;
	int i, error, bad = 0;

	if (argc < 2)
		die("stat: expected the name of a file\n");
	for (i = 1; i < argc; i++) {
		error = stat(argv[i], &st);
		bad |= error != 0;
		if (error) {
			complain("stat: %s: %s\n", argv[i], error_text(error));
			continue;
		}
		date_text(st.mtime, date);
		printf("%s: %c, inode %u, %u names, %u bytes in %u blocks of 512, changed %s\n",
		       argv[i], kind_letter(st.mode), st.ino, st.links, st.size, st.blocks, date);
	}
	return bad;
}
