/* SPDX-License-Identifier: MIT */
/*G:832 ls
 * ls [-l] [FILE...]: the names in directories, directories with a slash; -l: kind,
 * number of names, size and date of each, too. :*/
#include "files.h"

static bool is_long;

static void show(const char *name, const char *path, u32 kind)
{
	char date[20];
	struct stat st;
	const char *c;

	if (is_long || !kind) {
		memset(&st, 0, sizeof(st));
		stat(path, &st);
		kind = st.mode & S_IFMT;
	}
	if (is_long) {
		date_text(st.mtime, date);
		printf("%c %3u %10u %s ", kind_letter(kind), st.links, st.size, date);
	}
	for (c = name; *c; c++)		/* somebody else's disk: a name may be anything */
		printf("%c", (u8)*c < ' ' || *c == 127 ? '?' : *c);
	printf("%s\n", kind == S_IFDIR ? "/" : "");
}

static int list(const char *path)
{
	char child[PATH_SIZE];
	struct directory d;
	struct entry e;
	int n = directory_open(&d, path);

	if (n == -20) {			/* a file */
		show(path, path, S_IFREG);
		return 0;
	}
	while (n >= 0 && (n = directory_next(&d, &e)) > 0)
		if (path_join(child, path, e.name))
			show(e.name, child, e.kind);
	if (n < 0)
		complain("ls: %s: %s\n", path, error_text(n));
	if (d.fd >= 0)
		close(d.fd);
	return n < 0;
}

int main(int argc, char **argv)
{
	int i, bad = 0;

	is_long = argc > 1 && !strcmp(argv[1], "-l");
	if (argc == 1 + is_long)
		return list(".");
	for (i = 1 + is_long; i < argc; i++) {
		if (argc > 2 + is_long)
			printf("%s:\n", argv[i]);
		bad |= list(argv[i]);
	}
	return bad;
}
