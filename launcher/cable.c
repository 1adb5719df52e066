// SPDX-License-Identifier: MIT
/*L:739 A cable between two Guests
 *
 * `--net=cable:/tmp/c`, twice on one machine, and two Guests are a network of their own:
 * no rights, no card, no kernel in between.  What net.c wants at the other end of its
 * descriptor is somebody who takes frames whole and gives them whole; another Launcher
 * does exactly that.  So a cable is a pair of connected sockets of the kind SEQPACKET, and
 * all the art is in how two strangers find each other:
 *
 *	nobody is there		lay out our end under that name, and wait
 *	somebody waits		take the other end; the name is gone
 *	a socket, and nobody	its Launcher died; take its place
 *	anything else		is somebody's file, and stays
 *
 * The name must appear at the instant when one can connect to it: a socket that is bound
 * and does not listen yet looks exactly like one whose Launcher has died.  And two may
 * plug in at once.  One of them is welcomed, with an empty word (a single byte), and the
 * other one looks again.
 *
 * The other end is no friend.  It may send what it likes, frames of any size or none; net.c
 * counts bytes for a tap and for a cable alike.  Who may connect is decided by the
 * permissions of the name: its owner.
 :*/
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "launcher.h"

/*
 * Find the other end of the cable whose name is w->path, or wait for it as long as it
 * takes.  Returns 0 with the connected socket (SEQPACKET, not blocking, close-on-exec) in
 * *fd; else a status, and *c says why.  Afterwards the name is free again.  Only a socket is
 * ever removed, and only one that nobody listens at.
 */
/* LAB 11.4 BEGIN: a cable */
static int refused(const struct net_wish *w, const char *deed, struct complaint *c)
{
	return complain(c, errno == EACCES || errno == EPERM ? STATUS_NET_PERMISSION :
			STATUS_NO_NETWORK, "--net=%s: %s: %s", w->text, deed, strerror(errno));
}

static int new_socket(void)
{
	return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
}

static void name_it(struct sockaddr_un *a, const char *path, const char *more)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	snprintf(a->sun_path, sizeof(a->sun_path), "%s%s", path, more);
}

/* 0: connected.  ENOENT: nobody.  ECONNREFUSED: a dead one.  EAGAIN: too late, look again.
 * Else: an error. */
static int plug_in(const struct net_wish *w, int *fd)
{
	struct sockaddr_un there;
	struct stat st;
	int error;
	char word;

	if (lstat(w->path, &st) < 0)
		return errno;
	if (!S_ISSOCK(st.st_mode))
		return ENOTSOCK;
	*fd = new_socket();
	if (*fd < 0)
		return errno;
	name_it(&there, w->path, "");
	if (!connect(*fd, (struct sockaddr *)&there, sizeof(there))) {
		if (recv(*fd, &word, 1, 0) == 1)
			return 0;
		error = EAGAIN;
	} else {
		error = errno;
	}
	close(*fd);
	return error;
}

/* Listens under a name of its own, and only then takes the one that others look for. */
static int lay_out(const struct net_wish *w, bool replace, int *listener)
{
	struct sockaddr_un own;
	char more[16];
	int error = 0;

	*listener = new_socket();
	if (*listener < 0)
		return errno;
	snprintf(more, sizeof(more), ".%d", (int)gettid());
	name_it(&own, w->path, more);
	unlink(own.sun_path);
	if (bind(*listener, (struct sockaddr *)&own, sizeof(own)) < 0 ||
	    chmod(own.sun_path, 0600) < 0 || listen(*listener, 1) < 0 ||
	    (replace ? rename(own.sun_path, w->path) : link(own.sun_path, w->path)) < 0)
		error = errno;
	unlink(own.sun_path);
	if (error)
		close(*listener);
	return error;
}

static int wait_for_it(const struct net_wish *w, int listener, int *fd)
{
	int error;

	say("network cable %s: waiting for the Guest at the other end", w->path);
	do {
		*fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	} while (*fd < 0 && errno == EINTR);
	error = *fd < 0 ? errno : 0;
	unlink(w->path);
	close(listener);
	if (!error && send(*fd, "", 1, MSG_NOSIGNAL) != 1) {
		close(*fd);
		error = EAGAIN;		/* it has left again */
	}
	return error;
}

int cable_open(const struct net_wish *w, int *fd, struct complaint *c)
{
	int error, listener;

	do {
		error = plug_in(w, fd);
		if (error != ENOENT && error != ECONNREFUSED)
			continue;
		error = lay_out(w, error == ECONNREFUSED, &listener);
		if (!error)
			error = wait_for_it(w, listener, fd);
	} while (error == EAGAIN || error == EEXIST);	/* EEXIST: somebody was quicker */
	errno = error;
	if (error == ENOTSOCK)
		return complain(c, STATUS_NO_NETWORK, "--net=%s: it is there, and no socket; expected "
				"a name that is free, or the other end of a cable", w->text);
	if (error)
		return refused(w, "cannot be laid out", c);
	if (fcntl(*fd, F_SETFL, O_NONBLOCK) < 0)
		return refused(w, "fcntl", c);
	return 0;
}
/* LAB 11.4 END */
