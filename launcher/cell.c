// SPDX-License-Identifier: MIT
/*L:748 A cell for the neighbour, too
 * It needs sockets, so its cell is larger than the Launcher's: it may open connections
 * of IPv4, and read a file (/etc/resolv.conf changes when a laptop moves to another
 * network).  It may not write to one, execute anything, or make memory executable.
 *
 * A call that is not on the list fails with EPERM, and does not end us.  Half of what is
 * called here is decided in a library by others, and the worst that a forgotten line
 * may do is that one connection does not come about.
 :*/
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "launcher.h"

static const int calls[] = {
	/* sockets */
	SCMP_SYS(bind), SCMP_SYS(connect), SCMP_SYS(listen), SCMP_SYS(accept),
	SCMP_SYS(accept4), SCMP_SYS(shutdown), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
	SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(sendto), SCMP_SYS(recvfrom),
	SCMP_SYS(sendmsg), SCMP_SYS(recvmsg), SCMP_SYS(fcntl), SCMP_SYS(close),
	/* reading what is open, saying something, and waiting */
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(lseek), SCMP_SYS(fstat),
	SCMP_SYS(newfstatat), SCMP_SYS(stat), SCMP_SYS(poll), SCMP_SYS(ppoll),
	SCMP_SYS(restart_syscall), SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday),
	SCMP_SYS(time), SCMP_SYS(futex), SCMP_SYS(getrandom), SCMP_SYS(getpid),
	/* malloc(), signals, the end */
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask), SCMP_SYS(exit), SCMP_SYS(exit_group),
};

static int allow(scmp_filter_ctx filter, int call, struct scmp_arg_cmp check)
{
	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &check);
}

int cell_shut(struct complaint *c)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int error = filter ? 0 : -ENOMEM;

	for (unsigned i = 0; !error && i < sizeof(calls) / sizeof(calls[0]); i++)
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	if (error ||
	    (error = allow(filter, SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, AF_INET))) ||
	    (error = allow(filter, SCMP_SYS(openat),
			   SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY))) ||
	    (error = allow(filter, SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_EQ, FIONREAD))) ||
	    (error = allow(filter, SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_EQ, FIONBIO))) ||
	    (error = allow(filter, SCMP_SYS(mmap), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0))) ||
	    (error = allow(filter, SCMP_SYS(mprotect),
			   SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0))) ||
	    (error = seccomp_load(filter)))
		return complain(c, STATUS_INTERNAL, "usernet: its cell does not shut: %s",
				strerror(-error));
	seccomp_release(filter);
	return 0;
}
