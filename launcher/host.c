// SPDX-License-Identifier: MIT
/*L:350 Knocking at the Host's door
 *
 * All that we ever say to lg.ko is in this file; the rest of the Launcher does not
 * know that there is a device and a file descriptor.  (The tests link another
 * host.c in its place, one with an actor who plays the Guest.)
 *
 * There are a dozen sentences.  CREATE: "here is my memory, that is the entry".  RUN:
 * "go on, until there is something for me".  IRQ and EVENTFD may be said by any
 * thread, at any time.  STATS and STATE are for the curious, the rest for debuggers.
 :*/
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "launcher.h"

static int host = -1;

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

int host_create(const struct guest_memory *m, uint32_t entry, struct complaint *c)
{
	struct lg_create create = {
		.memory = (uintptr_t)m->base,
		.pages = (uint32_t)(m->limit / PAGE_SIZE),
		.entry = entry,
		.interface = LG_INTERFACE,
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
				"`ulimit -l` is too low)");
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

void host_close(void)
{
	close(host);
	host = -1;
}
