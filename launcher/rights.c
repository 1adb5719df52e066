// SPDX-License-Identifier: MIT
/*L:840 Giving rights away
 *
 * Suppose that somebody writes a Guest so evil that it takes over the Launcher.  The
 * Launcher is a program in C which reads lists that a stranger wrote; such things
 * happen.  What would they have won?  Whatever *we* may do.  So, before the Guest
 * executes its first instruction, we see to it that we may do next to nothing.
 *
 * This file gives away what we are: root's powers, other people's names, the files of
 * the house.  sandbox.c then gives away what we can say to the kernel.
 *
 * It works because of an old rule of UNIX: rights are looked at when a file is opened,
 * not when it is read.  Everything that takes a right is opened by now, /dev/lguest
 * first of all, and an open file stays open.  The order in here matters:
 *
 *	memory limit	only root can raise it, and CREATE comes later (host.c)
 *	chroot		only root can
 *	groups, group	only root can; and once we are somebody else, we are not root
 *	user		root's name is gone
 *	capabilities	and what remains of root's powers, for those who kept the name
 *	no new ones	no program that we execute can bring them back
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "launcher.h"

#define ID_MAX	0xfffffffeu	/* one more is -1, which means "leave it as it is" */
/*:*/

/*L:842 Who is USER?
 * A static program must not ask getpwnam(): it would go and look for shared libraries
 * that know about networks of users.  The two files in /etc can be read without them.
 * For a user who is in neither, numbers will do: --username=1000:1000.
 */
static bool number_of(const char *text, size_t n, uint32_t *id)
{
	uint64_t value = 0;

	for (size_t i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9' || value > ID_MAX)
			return false;
		value = value * 10 + (uint64_t)(text[i] - '0');
	}
	*id = (uint32_t)value;
	return n && value <= ID_MAX;
}

static bool by_number(struct rights *r, const char *user)
{
	size_t n = strcspn(user, ":");

	if (!number_of(user, n, &r->uid))
		return false;
	if (!user[n]) {
		r->gid = r->uid;
		return true;
	}
	return number_of(user + n + 1, strlen(user + n + 1), &r->gid);
}

static bool by_name(struct rights *r, const char *user)
{
	FILE *f = fopen("/etc/passwd", "re");
	struct passwd *p = NULL;

	while (f && (p = fgetpwent(f)))
		if (!strcmp(p->pw_name, user))
			break;
	if (p) {
		r->uid = p->pw_uid;
		r->gid = p->pw_gid;
	}
	if (f)
		fclose(f);
	return p;
}

/* What initgroups() would find.  Groups that do not fit are rights not had: no harm. */
static void find_groups(struct rights *r, const char *user)
{
	FILE *f = fopen("/etc/group", "re");
	struct group *g;

	r->group[r->groups++] = r->gid;
	while (f && r->groups < RIGHTS_GROUPS && (g = fgetgrent(f)))
		for (char **member = g->gr_mem; *member; member++)
			if (!strcmp(*member, user) && g->gr_gid != r->gid) {
				r->group[r->groups++] = g->gr_gid;
				break;
			}
	if (f)
		fclose(f);
}

int rights_find(struct rights *r, const char *user, const char *root, struct complaint *c)
{
	*r = (struct rights){ .user = user, .root = root, .root_fd = -1 };
	if (user && !by_name(r, user) && !by_number(r, user))
		return complain(c, STATUS_BAD_RIGHTS, "--username=%s: nobody in /etc/passwd has "
				"that name; expected a name, UID or UID:GID", user);
	if (user)
		find_groups(r, user);
	if (root) {
		r->root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (r->root_fd < 0)
			return complain(c, STATUS_BAD_RIGHTS, "--chroot=%s: %s; expected a directory",
					root, strerror(errno));
	}
	return 0;
}

int rights_check(const struct rights *r, struct complaint *c)
{
	if ((r->user || r->root) && geteuid())
		return complain(c, STATUS_BAD_RIGHTS, "--%s=%s: only root can do that; expected to "
				"be started by root", r->user ? "username" : "chroot",
				r->user ? r->user : r->root);
	return 0;
}
/*:*/

/*
 * Whatever somebody left open for us when they started us: a log, a socket, the lid of
 * a jar.  All that we opened ourselves is marked to be closed by exec(), and what came
 * through an exec() cannot be.  So the mark tells the two apart.
 */
static void close_what_was_inherited(void)
{
	struct rlimit limit;
	int end = 1024;

	if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur < 65536)
		end = (int)limit.rlim_cur;
	for (int fd = STDERR_FILENO + 1; fd < end; fd++) {
		int flags = fcntl(fd, F_GETFD);

		if (flags >= 0 && !(flags & FD_CLOEXEC))
			close(fd);
	}
}

/*L:846 Capabilities
 * Root's power comes in some forty pieces.  A process has several sets of them: what it
 * can do now, what it could switch on, what survives exec(), and the *bounding set*,
 * which limits all that could ever come.  All become empty.  (Somebody who is not root
 * cannot empty the bounding set, and need not: NO_NEW_PRIVS is as good.)
 *
 * Each thread has sets of its own, which is why this is done before there are threads.
 */
static int drop_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EPERM)
			return -1;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
	    syscall(SYS_capset, &head, none) < 0)
		return -1;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}
/*:*/

/*
 * The bounding set can only be emptied while we have CAP_SETPCAP, which leaves together
 * with root's name, unless KEEPCAPS says that it may stay a little.
 */
static int become(const struct rights *r)
{
	return prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 ||
	       setgroups(r->groups, r->group) < 0 ||
	       setresgid(r->gid, r->gid, r->gid) < 0 ||
	       setresuid(r->uid, r->uid, r->uid) < 0 ? -1 : 0;
}

/* KEEPCAPS keeps what we *could* do; to use it, it must be switched on again. */
static int switch_on_setpcap(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct now[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &head, now) < 0)
		return -1;
	now[0].effective = now[0].permitted & 1u << CAP_SETPCAP;
	now[1].effective = 0;
	return (int)syscall(SYS_capset, &head, now);
}

int rights_drop(struct rights *r, struct complaint *c)
{
	close_what_was_inherited();
	if (r->root && (fchdir(r->root_fd) < 0 || chroot(".") < 0 || close(r->root_fd) < 0))
		return complain(c, STATUS_BAD_RIGHTS, "--chroot=%s: %s", r->root, strerror(errno));
	if (r->user && (become(r) < 0 || switch_on_setpcap() < 0))
		return complain(c, STATUS_BAD_RIGHTS, "--username=%s: %s", r->user,
				strerror(errno));
	if (drop_capabilities() < 0)
		return complain(c, STATUS_INTERNAL, "could not give rights away: %s",
				strerror(errno));
	/* Trust, but verify: on the day this fails, everything else was for nothing. */
	if (r->user && r->uid && (!setuid(0) || !setgid(0)))
		return complain(c, STATUS_INTERNAL, "--username=%s: there is a way back to root",
				r->user);
	return 0;
}
