/* SPDX-License-Identifier: MIT */
/*G:745 The filing clerk's examination
 *
 * `filetest DIRECTORY` does to files whatever programs do to files, below that directory,
 * and returns the number of the step that went wrong.  The kernel's self-test has it do
 * so in /tmp, and on a disk if there is one: both must behave alike, as what is expected
 * here is what Unix promises.  In the end all is as it was.
 */
#include "files.h"

#define STEP(n, cond) do { if (!(cond)) return n; } while (0)
#define NEW (O_RDWR | O_CREAT | O_EXCL)

enum { E_NOENT = -2, E_NOEXEC = -8, E_BADF = -9, E_EXIST = -17, E_NOTDIR = -20, E_ISDIR = -21,
	E_INVAL = -22, E_SPIPE = -29, E_RANGE = -34, E_NAMETOOLONG = -36, E_NOTEMPTY = -39 };

static char data[600000], copy[sizeof(data)];

/* A byte that depends on where it is, so that blocks in the wrong order show. */
static void fill(char *to, u32 length, u32 seed)
{
	u32 i;

	for (i = 0; i < length; i++)
		to[i] = (i * 2654435761u + seed * 40503u) >> 19;
}

static bool is_zero(const char *p, u32 length)
{
	while (length--)
		if (*p++)
			return false;
	return true;
}

static bool holds(const char *path, const char *expected, u32 length)
{
	int fd = open(path);
	bool good = fd >= 0 && read(fd, copy, sizeof(copy)) == (int)length &&
		    !memcmp(copy, expected, length);

	close(fd);
	return good;
}

static int make(const char *path, const char *text)
{
	int fd = open_flags(path, NEW), n = fd < 0 ? fd : write(fd, text, strlen(text));

	close(fd);
	return n;
}

static u32 links(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : st.links;
}

static int names(void)
{
	char path[PATH_SIZE];

	STEP(1, mkdir("a") == 0 && mkdir("a") == E_EXIST && mkdir("no/such") == E_NOENT);
	STEP(2, make("a/f", "one") == 3 && make("a/f", "two") == E_EXIST);
	STEP(3, mkdir("a/f") == E_EXIST && make("a/f/g", "x") == E_NOTDIR);
	STEP(4, open("a/none") == E_NOENT && open_flags("a/f", O_DIRECTORY) == E_NOTDIR);
	STEP(5, unlink("a") == E_ISDIR && rmdir("a/f") == E_NOTDIR && rmdir("a") == E_NOTEMPTY);
	STEP(6, links("a") == 2 && mkdir("a/b") == 0 && links("a") == 3 && links("a/f") == 1);
	STEP(7, chdir("a/b") == 0 && holds("../f", "one", 3) && holds(".././b//../f", "one", 3));
	STEP(8, getcwd(path, sizeof(path)) > 4 && !strcmp(path + strlen(path) - 4, "/a/b"));
	STEP(9, getcwd(path, 3) == E_RANGE && chdir("../f") == E_NOTDIR && chdir("x") == E_NOENT);
	STEP(10, chdir("../..") == 0 && rmdir("a/b") == 0 && links("a") == 2);
	memset(path, 'n', sizeof(path));
	path[255] = '\0';
	STEP(11, make(path, "x") == E_NAMETOOLONG);
	STEP(12, make("a/last name, with blanks", "y") == 1);
	STEP(13, unlink("a/last name, with blanks") == 0 && unlink("a/f") == 0);
	STEP(14, unlink("a/f") == E_NOENT && rmdir("a") == 0 && rmdir("a") == E_NOENT);
	return 0;
}

static int contents(void)
{
	int fd = open_flags("f", NEW), other;
	struct stat st;

	fill(data, sizeof(data), 1);
	STEP(21, fd >= 0 && write(fd, data, 1) == 1 && write(fd, data + 1, 5000) == 5000);
	STEP(22, write(fd, data + 5001, sizeof(data) - 5001) == sizeof(data) - 5001);
	STEP(23, lseek(fd, 0, SEEK_CUR) == sizeof(data) && read(fd, copy, 1) == 0);
	STEP(24, lseek(fd, 12345, SEEK_SET) == 12345 && read(fd, copy, 70000) == 70000 &&
	     !memcmp(copy, data + 12345, 70000));
	STEP(25, lseek(fd, -7, SEEK_END) == sizeof(data) - 7 && read(fd, copy, 100) == 7);
	STEP(26, lseek(fd, -1, SEEK_SET) == E_INVAL && lseek(fd, 0, 3) == E_INVAL);
	STEP(27, fstat(fd, &st) == 0 && st.size == sizeof(data) && (st.mode & S_IFMT) == S_IFREG &&
	     st.blocks * 512 >= sizeof(data) && st.mtime > 1700000000);
	STEP(28, holds("f", data, sizeof(data)));
	STEP(29, lseek(fd, 300000, SEEK_SET) > 0 && write(fd, "middle", 6) == 6);
	memcpy(data + 300000, "middle", 6);
	STEP(30, holds("f", data, sizeof(data)));
	other = open_flags("f", O_WRONLY | O_APPEND);
	STEP(31, ftruncate(fd, 100001) == 0 && write(other, "end", 3) == 3);
	memcpy(data + 100001, "end", 3);
	STEP(32, holds("f", data, 100004) && read(other, copy, 1) == E_BADF);
	STEP(33, ftruncate(fd, 50) == 0 && ftruncate(fd, 9000) == 0);	/* no old bytes return */
	STEP(34, lseek(fd, 0, SEEK_SET) == 0 && read(fd, copy, 10000) == 9000 &&
	     !memcmp(copy, data, 50) && is_zero(copy + 50, 8950));
	STEP(35, close(open_flags("f", O_WRONLY | O_TRUNC)) == 0 && holds("f", "", 0));
	STEP(36, lseek(fd, 500000, SEEK_SET) == 500000 && write(fd, "far", 3) == 3);
	STEP(37, lseek(fd, 0, SEEK_SET) == 0 && read(fd, copy, sizeof(copy)) == 500003 &&
	     is_zero(copy, 500000) && !memcmp(copy + 500000, "far", 3));
	STEP(38, fstat(fd, &st) == 0 && st.blocks * 512 < 100000);	/* mostly a hole */
	STEP(39, unlink("f") == 0 && open("f") == E_NOENT);
	STEP(40, write(fd, "still there", 11) == 11 && lseek(fd, -11, SEEK_CUR) == 500003 &&
	     read(fd, copy, 20) == 11 && !memcmp(copy, "still there", 11));
	STEP(41, fsync(fd) == 0 && sync() == 0 && close(fd) == 0 && close(other) == 0);
	return 0;
}

/*:*/

/*G:747 ... names that move, lists, programs, crowds */
static int renames(void)
{
	STEP(51, mkdir("d") == 0 && mkdir("d/e") == 0 && make("x", "x") == 1 && make("y", "yy") == 2);
	STEP(52, rename("x", "z") == 0 && open("x") == E_NOENT && holds("z", "x", 1));
	STEP(53, rename("y", "z") == 0 && open("y") == E_NOENT && holds("z", "yy", 2));
	STEP(54, rename("z", "z") == 0 && rename("none", "n") == E_NOENT);
	STEP(55, rename("z", "d") == E_ISDIR && rename("d", "z") == E_NOTDIR);
	STEP(56, rename("d", "d/e/f") == E_INVAL && rename("d", "d/d") == E_INVAL);
	STEP(57, rename("z", "d/e/z") == 0 && holds("d/e/z", "yy", 2));
	STEP(58, mkdir("g") == 0 && rename("g", "d/e") == E_NOTEMPTY);
	STEP(59, rename("d/e", "g") == 0 && holds("g/z", "yy", 2) && links("d") == 2);
	STEP(60, rename("g", "d/h") == 0 && links("d") == 3 && links("d/h") == 2);
	STEP(61, chdir("d/h") == 0 && make("../up", "u") == 1 && chdir("../..") == 0);
	STEP(62, holds("d/up", "u", 1));
	STEP(63, unlink("d/up") == 0 && unlink("d/h/z") == 0 && rmdir("d/h") == 0 && rmdir("d") == 0);
	return 0;
}

/* Forty names: each is listed, once, and none that is not there. */
static int listing(void)
{
	static const char text[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	static struct directory d;
	u32 seen[40] = {0}, i, n;
	struct entry e;
	char name[48];

	STEP(71, mkdir("l") == 0 && chdir("l") == 0);
	for (i = 0; i < 40; i++) {
		snformat(name, sizeof(name), "%u-%s", i, text + i % 30);
		STEP(72, make(name, name) == (int)strlen(name));
	}
	STEP(73, unlink("7-789abcdefghijklmnopqrstuvwxyz") == 0 && mkdir("7-again") == 0);
	STEP(74, directory_open(&d, ".") == 0 && read(d.fd, name, 1) == E_ISDIR);
	while (directory_next(&d, &e) == 1) {
		for (n = 0; *e.name >= '0' && *e.name <= '9'; e.name++)
			n = n * 10 + *e.name - '0';
		STEP(75, n < 40 && *e.name == '-' && e.kind == (n == 7 ? S_IFDIR : S_IFREG));
		seen[n]++;
	}
	STEP(76, close(d.fd) == 0);
	for (i = 0; i < 40; i++)
		STEP(77, seen[i] == 1);
	STEP(78, chdir("..") == 0 && rmdir("l") == E_NOTEMPTY);
	STEP(79, remove_tree("filetest", "l") == 0 && open("l") == E_NOENT);
	return 0;
}

static int run(const char *path)
{
	char *argv[] = {"true", NULL};
	int status = -1, pid = fork();

	if (!pid)
		exit(-execve(path, argv));
	return waitpid(pid, &status, 0) == pid ? status : -1;
}

static int programs(void)
{
	STEP(81, copy_file("filetest", "/bin/true", "prog") == 0 && run("prog") == 0);
	STEP(82, make("text", "#! nothing") == 10 && run("text") == -E_NOEXEC << 8);
	STEP(83, close(open_flags("prog", O_WRONLY | O_TRUNC)) == 0 && run("prog") == -E_NOEXEC << 8);
	STEP(84, unlink("prog") == 0 && unlink("text") == 0);
	return 0;
}

/* One of several who do all of this at once. */
static int worker(u32 who)
{
	char name[16], inner[32];
	u32 round;
	int fd;

	snformat(name, sizeof(name), "w%u", who);
	snformat(inner, sizeof(inner), "%s/f", name);
	fill(data, 30000, who);
	for (round = 0; round < 3; round++) {
		STEP(91, mkdir(name) == 0);
		fd = open_flags(inner, NEW);
		STEP(92, fd >= 0 && write(fd, data, 30000) == 30000);
		sched_yield();
		STEP(93, close(fd) == 0 && holds(inner, data, 30000));
		STEP(94, unlink(inner) == 0 && rmdir(name) == 0);
	}
	return 0;
}

static int crowd(void)
{
	u32 i;
	int status, bad = 0;

	for (i = 0; i < 6; i++)
		if (!fork())
			exit(worker(i));
	while (waitpid(-1, &status, 0) > 0)
		bad |= status;
	return bad >> 8 ? bad >> 8 : bad;
}

static u32 free_blocks(u32 words[16])
{
	return syscall(SYS_statfs, (u32)".", (u32)words, 0) ? 0 : words[3];
}

static int all(const char *where)
{
	static int (*const tests[])(void) = {names, contents, renames, listing, programs, crowd};
	u32 before[16], after[16], i;
	int step, ends[2];

	STEP(99, chdir(where) == 0);
	STEP(100, free_blocks(before) && mkdir("filetest") == 0 && chdir("filetest") == 0);
	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		step = tests[i]();
		if (step)
			return step;
	}
	STEP(101, chdir("..") == 0 && rmdir("filetest") == 0);
	STEP(102, free_blocks(after) == before[3] && after[6] == before[6]);
	STEP(103, pipe(ends) == 0 && lseek(ends[0], 0, SEEK_SET) == E_SPIPE);
	return 0;
}

int main(int argc, char **argv)
{
	int step;

	if (argc != 2)
		die("filetest: expected a directory that can be written to\n");
	step = all(argv[1]);
	if (step)
		complain("filetest: %s: step %d went wrong\n", argv[1], step);
	return step;
}
/*:*/
