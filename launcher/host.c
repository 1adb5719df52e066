// SPDX-License-Identifier: MIT
/*L:350 Knocking at the Host's door
 *
 * All that we ever say to lg.ko is in this file; the rest of the Launcher does not
 * know that there is a device and a file descriptor.  (The tests link another
 * host.c in its place, one with an actor who plays the Guest.)
 *
 * There are a dozen sentences.  CREATE: "here is my memory, that is the entry".  RUN:
 * "go on, until there is something for me".  IRQ and EVENTFD may be said by any
 * thread, at any time.  STATS and STATE are for the curious, SAVE and RESTORE for the
 * patient (L:820), the rest for debuggers.
 * And ANOTHER, "may I have a second Guest?", is what a restart needs, because by then
 * we have locked ourselves in and can open nothing.
 :*/
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "launcher.h"

static int host = -1;

const struct sandbox_call host_calls[] = {
	ONLY_IF(ioctl, 1, LG_IOC_CREATE, "the Host: a Guest"),
	ONLY_IF(ioctl, 1, LG_IOC_RUN, "the Host: let it run"),
	ONLY_IF(ioctl, 1, LG_IOC_IRQ, "the Host: interrupt it"),
	ONLY_IF(ioctl, 1, LG_IOC_EVENTFD, "the Host: a kick goes to a thread"),
	ONLY_IF(ioctl, 1, LG_IOC_STATS, "the Host: --stats"),
	ONLY_IF(ioctl, 1, LG_IOC_STATE, "the Host: how did it die?"),
	ONLY_IF(ioctl, 1, LG_IOC_ANOTHER, "the Host: a restart"),
	ONLY_IF(ioctl, 1, LG_IOC_DEBUG, "the Host: for debuggers, and the next four"),
	ONLY_IF(ioctl, 1, LG_IOC_SET_REGS, "registers"),
	ONLY_IF(ioctl, 1, LG_IOC_SHADOW, "shadow page tables"),
	ONLY_IF(ioctl, 1, LG_IOC_ROOTS, "their roots"),
	ONLY_IF(ioctl, 1, LG_IOC_FRAMES, "pinned pages"),
	ONLY_IF(ioctl, 1, LG_IOC_SAVE, "--save: all of it but its memory"),
	ONLY_IF(ioctl, 1, LG_IOC_RESTORE, "--restore: the same again"),
	CALLS_END
};

static int call(unsigned long request, void *argument)
{
	return ioctl(host, request, argument) < 0 ? -errno : 0;
}

int host_open(struct complaint *c)
{
	int interface;

	host = open(LG_DEVICE_PATH, O_RDWR | O_CLOEXEC);
	if (host < 0 && (errno == EACCES || errno == EPERM))
		return complain(c, STATUS_NO_PERMISSION, LG_DEVICE_PATH ": %s; expected to be root "
				"or in the group of the device (or try --capsule=always)",
				strerror(errno));
	if (host < 0)
		return complain(c, STATUS_NO_MACHINE, LG_DEVICE_PATH ": %s; expected lg.ko to be "
				"loaded", strerror(errno));
	interface = ioctl(host, LG_IOC_INTERFACE);
	if (interface != LG_INTERFACE)
		return complain(c, STATUS_INTERFACE, LG_DEVICE_PATH ": lg.ko speaks interface %d, "
				"this Launcher %d; build both from the same tree", interface,
				LG_INTERFACE);
	return 0;
}

int host_again(struct complaint *c)
{
	int next = ioctl(host, LG_IOC_ANOTHER);

	if (next < 0)
		return complain(c, STATUS_INTERNAL, "the Host does not start a second Guest: %s",
				strerror(errno));
	host_close();
	host = next;
	return 0;
}

/*L:355 The memory limit
 * The Host holds the Guest's memory in place, and charges us for all of it at CREATE,
 * as mlock() would: `ulimit -l` is the limit, and root has none.  But by then root has
 * become somebody else, or given its powers away (rights.c).  So root raises the limit
 * in time to what this Guest needs; anybody else has what the house gave them.
 */
int host_make_room(uint64_t bytes, struct complaint *c)
{
	struct rlimit limit;
	rlim_t most;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0)
		return complain(c, STATUS_INTERNAL, "getrlimit: %s", strerror(errno));
	if (limit.rlim_cur >= bytes)
		return 0;
	most = limit.rlim_max;
	limit.rlim_cur = bytes;
	if (limit.rlim_max < bytes)
		limit.rlim_max = bytes;
	if (!setrlimit(RLIMIT_MEMLOCK, &limit))
		return 0;
	return complain(c, STATUS_TOO_MUCH, "the Guest's memory has to be locked, %" PRIu64 " KiB "
			"with its rings, and `ulimit -l` allows %" PRIu64 "; expected a smaller "
			"--memory, a higher limit (see limits.conf), or to be root", bytes / 1024,
			(uint64_t)most / 1024);
}
/*:*/

int host_create(const struct guest_memory *m, uint32_t entry, unsigned flags, struct complaint *c)
{
	struct lg_create create = {
		.memory = (uintptr_t)m->base,
		.pages = (uint32_t)(m->limit / PAGE_SIZE),
		.entry = entry,
		.interface = LG_INTERFACE,
		.flags = flags,
	};
	int error = -call(LG_IOC_CREATE, &create);

	switch (error) {
	case 0:
		return 0;
	case EPROTO:
		return complain(c, STATUS_INTERFACE, "lg.ko refuses interface %d; build both from "
				"the same tree", LG_INTERFACE);
	case ENOMEM:
		return complain(c, STATUS_TOO_MUCH, "the Host has no memory left for a Guest (or "
				"`ulimit -l` is too low for it and all else that this process "
				"has locked)");
	default:
		return complain(c, STATUS_INTERNAL, "the Host does not create the Guest: %s; its "
				"log (dmesg) may say why", strerror(error));
	}
}

int host_run(struct lg_run *run)
{
	return call(LG_IOC_RUN, run);
}

int host_irq(unsigned irq)
{
	return call(LG_IOC_IRQ, (void *)(uintptr_t)irq);
}

int host_eventfd(uint32_t gpa, int fd)
{
	struct lg_eventfd e = { .gpa = gpa, .fd = fd };

	return call(LG_IOC_EVENTFD, &e);
}

int host_stats(struct lg_stats *stats)
{
	return call(LG_IOC_STATS, stats);
}

int host_state(struct lg_state *state)
{
	return call(LG_IOC_STATE, state);
}

int host_debug(unsigned flags)
{
	return call(LG_IOC_DEBUG, (void *)(uintptr_t)flags);
}

int host_set_regs(const struct lg_regs *regs)
{
	return call(LG_IOC_SET_REGS, (void *)regs);
}

int host_shadow(struct lg_shadow *shadow)
{
	return call(LG_IOC_SHADOW, shadow);
}

int host_roots(struct lg_roots *roots)
{
	return call(LG_IOC_ROOTS, roots);
}

int host_frames(struct lg_frames *frames)
{
	return call(LG_IOC_FRAMES, frames);
}

int host_save(struct lg_snapshot *state)
{
	return call(LG_IOC_SAVE, state);
}

int host_restore(struct lg_snapshot *state)
{
	int error;

	do	/* a signal: nothing has happened yet */
		error = call(LG_IOC_RESTORE, state);
	while (error == -EINTR);
	state->why[sizeof(state->why) - 1] = '\0';
	return error;
}

void host_close(void)
{
	close(host);
	host = -1;
}
