/* SPDX-License-Identifier: MIT */
/*G:657 The shell's examination
 *
 * Each question is a command for `sh -c`; right is what it must print to standard
 * output, byte for byte, and its status.  A command that goes wrong must say so on
 * standard error as well, and one that goes right must not.
 :*/
#include "user.h"

static const struct {
	const char *command, *output;
	int status;
} questions[] = {
	{"echo a b", "a b\n", 0},
	{"echo one;echo two", "one\ntwo\n", 0},
	{"echo 'a | b;  c' \"it's\"", "a | b;  c it's\n", 0},
	{"", "", 0},
	{"echo one two | wc", "      1       2       8\n", 0},
	{"echo one two|cat|cat|cat|cat|cat|cat|wc", "      1       2       8\n", 0},
	{"echo x > /tmp/st; cat /tmp/st; rm /tmp/st", "x\n", 0},
	{"echo x>/tmp/st; echo y >>/tmp/st; cat < /tmp/st; wc /tmp/st; rm /tmp/st",
	 "x\ny\n      2       2       4 /tmp/st\n", 0},
	{"echo long line > /tmp/st; echo s > /tmp/st; cat /tmp/st; rm /tmp/st", "s\n", 0},
	{"> /tmp/st; wc /tmp/st; ls /tmp | grep '^st$'; rm /tmp/st",
	 "      0       0       0 /tmp/st\nst\n", 0},
	{"echo in | cat > /tmp/st; cat < /tmp/st | wc; rm /tmp/st", "      1       1       3\n", 0},
	{"echo echo from a script > /tmp/st; echo echo two >> /tmp/st; sh < /tmp/st; rm /tmp/st",
	 "from a script\ntwo\n", 0},
	{"echo abbbc | grep 'ab*c$'", "abbbc\n", 0},
	{"echo ac | grep 'ab*c'", "ac\n", 0},
	{"echo xyz | grep 'x.z'; echo a.c | grep -v b", "xyz\na.c\n", 0},
	{"cat /etc/help | head -1 | wc", "      1      10      61\n", 0},
	{"cat /bin/sh /bin/sh /bin/sh | head -0", "", 0},
	{"echo a > /tmp/st; echo b >> /tmp/st; echo c >> /tmp/st; head -2 /tmp/st; rm /tmp/st",
	 "a\nb\n", 0},
	{"time true | cat", "", 0},
	{"sh -c 'exit'; echo out", "out\n", 0},
	{"true & echo at once", "at once\n", 0},
	{"true && echo yes", "yes\n", 0},
	{"true || echo never; echo x | grep y && echo never; true", "", 0},
	{"echo x | grep y || echo other && echo then", "other\nthen\n", 0},
	{"sh -c 'exit 3'; echo $? $? ; echo \"$?\" '$?' \\$?", "3 3\n0 $? $?\n", 0},
	{"echo a # b c | d; e", "a\n", 0},
	{"echo a#b '#' c", "a#b # c\n", 0},
	{"export A=1 B='x  y'; echo $A ${B}z \"$B\" $NONE.$ $A$A", "1 x  yz x  y .$ 11\n", 0},
	{"export A='a b|c'; sh -c 'echo $A'", "a b|c\n", 0},
	{"export A=1; export A=22; sh -c 'echo $A'", "22\n", 0},
	{"echo /etc/m*d /etc/no*such '/etc/*' \"/etc/*\" /etc/mot\\*",
	 "/etc/motd /etc/no*such /etc/* /etc/* /etc/mot*\n", 0},
	{"echo /bin/tru? /bin/he*p /e*/motd", "/bin/true /bin/help /e*/motd\n", 0},
	{"echo x >/tmp/q1; echo y >/tmp/q2; cat /tmp/q?; rm /tmp/q*; echo /tmp/q*",
	 "x\ny\n/tmp/q*\n", 0},
	{"echo 'echo $# $0 $1 $2.' >/tmp/st; sh /tmp/st one 'two 2'; rm /tmp/st",
	 "2 /tmp/st one two 2.\n", 0},
	{"sh -c 'sleep 1 & sleep 0 & wait; echo waited $?'", "waited 0\n", 0},
	{"true & true & true & true & true & true & true & true & true & true & true & true & "
	 "true & true & true & true & true & true & true & wait", "", 0},
	{"status > /tmp/st; cat /tmp/st | cat; rm /tmp/st", "0\n", 0},
	{"sh -c 'exit 7; echo never'; echo $?", "7\n", 0},
	/* and what goes wrong */
	{"sleep 50 | cat & kill %1 && echo killed; wait; kill -9 cat || echo gone", "killed\ngone\n", 0},
	{"sleep 50 & sleep 51 & kill -INT sleep; kill -KILL sleep; wait; echo $?", "0\n", 0},
	{"kill -9 1x", "", 1},
	{"kill -0 99999", "", 1},
	{"kill -NONSENSE 2", "", 1},
	{"kill", "", 1},
	{"kill 0", "", 1},
	{"kill %3", "", 1},
	{"stress nothing", "", 2},
	{"stress fork 0", "", 1},
	{"edit", "", 1},
	{"edit /bin", "", 1},
	{"echo x | edit /tmp/st", "", 1},
	{"free extra", "", 1},
	{"uptime -x", "", 1},
	{"ps aux", "", 1},
	{"time", "", 1},
	{"time no-such", "", 1},
	{"&& echo x", "", 2},
	{"echo x &&", "x\n", 2},
	{"echo x || | echo y", "x\n", 2},
	{"echo ${A", "", 2},
	{"export A", "", 1},
	{"exit abc", "", 2},
	{"sh /no/such", "", 1},
	{"fg", "", 1},
	{"fg 7", "", 1},
	{"cd /no/such", "", 1},
	{"a|", "", 2},
	{"no-such-program", "", 127},
	{"echo x | no-such-program", "", 127},
	{"echo x |", "", 2},
	{"| echo x", "", 2},
	{"; echo x", "", 2},
	{"echo 'x", "", 2},
	{"echo x >", "", 2},
	{"echo x > /etc/motd", "", 1},
	{"echo x > /tmp", "", 1},
	{"echo x > /tmp/no/such", "", 1},
	{"cat < /tmp/no-such", "", 1},
	{"cat /no/such | wc", "      0       0       0\n", 0},
	{"rm /etc/motd", "", 1},
	{"grep", "", 2},
	{"a|a|a|a|a|a|a|a|a", "", 2},
	{"echo x > /tmp/st; /tmp/st", "", 127},
	{"rm /tmp/st", "", 0},
};

/* Everything that fd has, up to its end; the length, or -errno. */
static int read_all(int fd, char *to, u32 size)
{
	u32 used = 0;
	int n;

	while ((n = read(fd, to + used, size - 1 - used)) > 0)
		used += n;
	to[used] = '\0';
	return n < 0 ? n : (int)used;
}

static int ask(const char *command, char *output, u32 size)
{
	char *argv[] = {"sh", "-c", (char *)command, NULL};
	int ends[2], status = -1, pid, error;

	if (pipe(ends))
		return -1;
	pid = fork();
	if (!pid) {
		error = open_flags("/tmp/stderr", O_WRONLY | O_CREAT | O_TRUNC);
		dup2(error, 2);
		dup2(ends[1], 1);
		close(error);
		close(ends[0]);
		close(ends[1]);
		execve("/bin/sh", argv);
		exit(99);
	}
	close(ends[1]);
	if (pid < 0 || read_all(ends[0], output, size) < 0 || waitpid(pid, &status, 0) != pid)
		status = -1;
	close(ends[0]);
	return status;
}

int main(int argc, char **argv)
{
	char output[512], complaint[512];
	int status, fd, bad = 0;
	u32 i;

	(void)argc;
	(void)argv;
	for (i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
		status = ask(questions[i].command, output, sizeof(output));
		fd = open("/tmp/stderr");
		read_all(fd, complaint, sizeof(complaint));
		close(fd);
		if (status == questions[i].status << 8 && !strcmp(output, questions[i].output) &&
		    (!status || complaint[0]))
			continue;
		printf("# %s: status 0x%x, printed \"%s\", complained \"%s\"\n",
		       questions[i].command, status, output, complaint);
		bad = i + 1;
	}
	unlink("/tmp/stderr");
	return bad;
}
