// SPDX-License-Identifier: MIT
/*L:400 The bus
 *
 * Real buses are hard work: somebody has to be asked, slot by slot, who lives there.
 * Ours is a page with a list.  It lies just above the Guest's RAM, where a curious
 * kernel would not stumble upon it and a polite one knows to look:
 *
 *	+------+--------+---------+--------+--------+---------+---------+----------+
 *	| type | queues | feature | config | status | queues: | offered | accepted |
 *	|      |        | length  | length | (0)    | 8 bytes | bits    | bits     |
 *	+------+--------+---------+--------+--------+  each   +---------+----------+
 *	| config ...  | type of the next device ... | 0: no more devices
 *
 * Nothing is aligned.  For each queue the list names its size, its interrupt and
 * the page where its ring is.
 *
 * To add a kind of device, write one file: make a struct device, say which queues
 * and features it has, and give each queue a function that serves it.  Nothing here
 * needs to change.
 :*/
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "launcher.h"
#include "reasons.h"

#define MAX_IRQ	(LGUEST_IRQS - 1)

void bus_create(struct bus *bus, struct guest_memory *m)
{
	memset(bus, 0, sizeof(*bus));
	bus->mem = m;
	bus->next_irq = LGUEST_IRQ_TIMER + 1;
}

void device_create(struct device *dev, const char *name, uint8_t type)
{
	memset(dev, 0, sizeof(*dev));
	dev->name = name;
	dev->type = type;
}

struct queue *device_queue(struct device *dev, void (*serve)(struct queue *q), int kick_fd)
{
	struct queue *q = &dev->queue[dev->queues];

	if (dev->queues == DEVICE_QUEUES)
		die(STATUS_INTERNAL, "%s: too many queues", dev->name);
	dev->queues++;
	q->dev = dev;
	q->serve = serve;
	q->kick_fd = kick_fd;
	q->vq.num = VQ_NUM;
	pthread_mutex_init(&q->lock, NULL);
	return q;
}

/*L:435 A thread of its own
 * For a queue that waits for the world in a way that poll() knows nothing of.  The
 * thread sleeps in read() until somebody signals the eventfd; how often it was
 * signalled meanwhile does not matter, as it looks into the ring until that is empty.
 *
 * It never ends.  While the device is stopped, queue_serve() finds nothing to do.
 */
static void *serve_for_ever(void *arg)
{
	struct queue *q = arg;
	uint64_t kicks;

	for (;;) {
		if (read(q->kick_fd, &kicks, sizeof(kicks)) == sizeof(kicks))
			queue_serve(q);
		else if (errno != EINTR)
			die(STATUS_INTERNAL, "%s: eventfd: %s", q->dev->name, strerror(errno));
	}
	return NULL;
}

struct queue *device_queue_with_thread(struct device *dev, void (*serve)(struct queue *q))
{
	struct queue *q = device_queue(dev, serve, eventfd(0, EFD_CLOEXEC));
	pthread_t thread;

	if (q->kick_fd < 0)
		die(STATUS_INTERNAL, "eventfd: %s", strerror(errno));
	if (pthread_create(&thread, NULL, serve_for_ever, q))
		die(STATUS_INTERNAL, "could not start a thread");
	pthread_detach(thread);
	return q;
}
/*:*/

void device_feature(struct device *dev, unsigned bit)
{
	dev->offered[bit / 8] |= (uint8_t)(1u << bit % 8);
	if (dev->feature_len < bit / 8 + 1)
		dev->feature_len = (uint8_t)(bit / 8 + 1);
}

/* ---- Where the parts of a descriptor are, relative to its start ---- */

static uint32_t record_at(unsigned queue)
{
	return (uint32_t)(sizeof(struct lguest_device_desc) +
			  queue * sizeof(struct lguest_vq_record));
}

static uint32_t offered_at(const struct device *dev)
{
	return record_at(dev->queues);
}

static uint32_t accepted_at(const struct device *dev)
{
	return offered_at(dev) + dev->feature_len;
}

static uint32_t config_at(const struct device *dev)
{
	return accepted_at(dev) + dev->feature_len;
}

/* One byte stays free for the 0 that ends the list. */
void bus_add(struct bus *bus, struct device *dev)
{
	uint32_t bytes = config_at(dev) + dev->config_len;

	if (bus->devices == BUS_DEVICES || bus->used + bytes >= PAGE_SIZE ||
	    bus->next_irq + dev->queues > MAX_IRQ + 1)
		die(STATUS_USAGE, "too many devices: no room for another %s", dev->name);
	dev->desc = (uint32_t)bus->mem->ram + bus->used;
	for (unsigned i = 0; i < dev->queues; i++) {
		struct vq *vq = &dev->queue[i].vq;
		uint32_t pfn = memory_hand_out(bus->mem, vring_bytes(vq->num));

		if (!pfn)
			die(STATUS_USAGE, "too many devices: no room for the rings of another %s",
			    dev->name);
		vq->mem = bus->mem;
		vq->gpa = (uint64_t)pfn * PAGE_SIZE;
		dev->queue[i].irq = bus->next_irq++;
	}
	bus->used += bytes;
	bus->device[bus->devices++] = dev;
}

/*L:410 Writing the list
 * memory_store() needs no error check here: bus_add() has made sure that all of it
 * is in the page.
 */
/* LAB 4.8 BEGIN: a device on the page */
static void lay_out_device(const struct bus *bus, const struct device *dev)
{
	struct lguest_device_desc head = {
		.type = dev->type,
		.num_vq = (uint8_t)dev->queues,
		.feature_len = dev->feature_len,
		.config_len = dev->config_len,
	};

	memory_store(bus->mem, dev->desc, &head, sizeof(head));
	for (unsigned i = 0; i < dev->queues; i++) {
		const struct queue *q = &dev->queue[i];
		struct lguest_vq_record record = {
			.num = q->vq.num,
			.irq = q->irq,
			.pfn = (uint32_t)(q->vq.gpa / PAGE_SIZE),
		};

		memory_store(bus->mem, dev->desc + record_at(i), &record, sizeof(record));
	}
	memory_store(bus->mem, dev->desc + offered_at(dev), dev->offered, dev->feature_len);
	memory_store(bus->mem, dev->desc + config_at(dev), dev->config, dev->config_len);
}
/* LAB 4.8 END */

void bus_lay_out(struct bus *bus)
{
	for (unsigned i = 0; i < bus->devices; i++)
		lay_out_device(bus, bus->device[i]);
	bus_announce(bus);
}

void bus_announce(const struct bus *bus)
{
	for (unsigned i = 0; i < bus->devices; i++)
		for (unsigned k = 0; k < bus->device[i]->queues; k++)
			trace_mark("Q 0x%x %u %s %u", (uint32_t)bus->device[i]->queue[k].vq.gpa,
				   bus->device[i]->queue[k].irq, bus->device[i]->name, k);
}
/*:*/

/*L:420 Starting and resetting a device
 * The Guest's driver writes a status byte into the list and taps us on the shoulder
 * by NOTIFY(address of the descriptor).  Status 0 means "forget everything".  The
 * bit FAILED means "I give up".  Anything else means "I have chosen my features:
 * begin".  From then on the queues must be served, even if the driver is not quite
 * ready itself: its first kick may come before its DRIVER_OK.
 *
 * `running` is changed under the queue's lock.  So when stop_device() returns, no
 * thread of ours is inside the ring, and none will enter.
 */
static void stop_device(struct bus *bus, struct device *dev)
{
	static const uint8_t none[FEATURE_BYTES];

	for (unsigned i = 0; i < dev->queues; i++) {
		struct queue *q = &dev->queue[i];

		pthread_mutex_lock(&q->lock);
		if (q->running && q->kick_fd >= 0)
			host_eventfd((uint32_t)q->vq.gpa, -1);
		q->running = false;
		vq_reset(&q->vq);
		pthread_mutex_unlock(&q->lock);
	}
	memory_store(bus->mem, dev->desc + accepted_at(dev), none, dev->feature_len);
	dev->started = false;
	dev->broken = false;
}

/* What is in the rings stays; who comes back finds everything as it was (L:830). */
void bus_freeze(struct bus *bus)
{
	for (unsigned i = 0; i < bus->devices; i++) {
		for (unsigned k = 0; k < bus->device[i]->queues; k++) {
			struct queue *q = &bus->device[i]->queue[k];

			pthread_mutex_lock(&q->lock);
			if (q->running && q->kick_fd >= 0)
				host_eventfd((uint32_t)q->vq.gpa, -1);
			q->running = false;
			pthread_mutex_unlock(&q->lock);
		}
	}
}

static void start_queue(const struct device *dev, struct queue *q)
{
	int error = 0;

	pthread_mutex_lock(&q->lock);
	if (q->kick_fd >= 0)
		error = -host_eventfd((uint32_t)q->vq.gpa, q->kick_fd);
	q->running = true;
	pthread_mutex_unlock(&q->lock);
	if (error)
		die(STATUS_INTERNAL, "%s: the Host takes no eventfd: %s", dev->name,
		    strerror(error));
}

void bus_thaw(struct bus *bus)
{
	for (unsigned i = 0; i < bus->devices; i++) {
		struct device *dev = bus->device[i];

		for (unsigned k = 0; dev->started && k < dev->queues; k++) {
			start_queue(dev, &dev->queue[k]);
			if (dev->queue[k].kick_fd >= 0)
				eventfd_write(dev->queue[k].kick_fd, 1);
		}
	}
}

static enum bus_answer start_device(struct bus *bus, struct device *dev, struct complaint *c)
{
	uint8_t accepted[FEATURE_BYTES] = { 0 };

	if (dev->started) {
		complain(c, STATUS_KILLED, E_BUS_TWICE "the Guest started the %s twice without "
			 "a reset", dev->name);
		return BUS_FATAL;
	}
	memory_fetch(bus->mem, dev->desc + accepted_at(dev), accepted, dev->feature_len);
	for (unsigned i = 0; i < FEATURE_BYTES; i++) {
		if (accepted[i] & ~dev->offered[i])
			verbose("%s: the Guest accepts features that were not offered (byte %u: "
				"0x%02x, offered 0x%02x)", dev->name, i, accepted[i],
				dev->offered[i]);
		accepted[i] &= dev->offered[i];
	}
	memcpy(&dev->accepted, accepted, sizeof(dev->accepted));
	dev->started = true;
	device_count(dev, COUNT_starts, 1);
	verbose("%s: started", dev->name);
	for (unsigned i = 0; i < dev->queues; i++)
		start_queue(dev, &dev->queue[i]);
	return BUS_DONE;
}
/*:*/

static enum bus_answer status_changed(struct bus *bus, struct device *dev, struct complaint *c)
{
	struct lguest_device_desc desc = { 0 };

	memory_fetch(bus->mem, dev->desc, &desc, sizeof(desc));
	if (desc.status == 0) {
		verbose("%s: reset", dev->name);
		device_count(dev, COUNT_resets, 1);
		stop_device(bus, dev);
	} else if (desc.status & LGUEST_STATUS_FAILED) {
		device_count(dev, COUNT_failures, 1);
		say("%s: the Guest's driver gave up (status 0x%02x)", dev->name, desc.status);
		stop_device(bus, dev);
	} else {
		return start_device(bus, dev, c);
	}
	return BUS_DONE;
}

void bus_stop(struct bus *bus)
{
	for (unsigned i = 0; i < bus->devices; i++)
		stop_device(bus, bus->device[i]);
}

/*L:430 A knock
 * Which device, and which part of it?  A kick on a device that broke is nothing: it
 * lost its right to be served, and we have said so once.  A kick on a device that
 * was never started is a mistake in the driver, and the sooner it is found the
 * better.
 */
enum bus_answer bus_notify(struct bus *bus, uint32_t gpa, struct complaint *c)
{
	for (unsigned i = 0; i < bus->devices; i++) {
		struct device *dev = bus->device[i];

		if (gpa == dev->desc)
			return status_changed(bus, dev, c);
		for (unsigned k = 0; k < dev->queues; k++) {
			if (gpa != dev->queue[k].vq.gpa)
				continue;
			if (!dev->started) {
				complain(c, STATUS_KILLED, E_BUS_EARLY "the Guest kicked queue %u of "
					 "the %s before it had set the device up", k, dev->name);
				return BUS_FATAL;
			}
			if (dev->queue[k].kick_fd >= 0)		/* the kick overtook the eventfd */
				eventfd_write(dev->queue[k].kick_fd, 1);
			else
				queue_serve(&dev->queue[k]);
			return BUS_DONE;
		}
	}
	return BUS_NOT_MINE;
}

/*
 * Serve, then ring the bell once for all that was done.  If the Guest broke the
 * rules in there, the whole device is out: a console with half its queues is worse
 * than none.
 */
/* LAB 5.6 BEGIN: serve, then ring once */
void queue_serve(struct queue *q)
{
	struct device *dev = q->dev;

	pthread_mutex_lock(&q->lock);
	if (q->running && !dev->broken) {
		trace_mark("B 0x%x", (uint32_t)q->vq.gpa);
		q->serve(q);
		if (vq_wants_interrupt(&q->vq))
			host_irq(q->irq);	/* a Guest that has just died does not mind */
		if (q->vq.error[0]) {
			dev->broken = true;
			say("the Guest broke its %s: queue %u: %s", dev->name,
			    (unsigned)(q - dev->queue), q->vq.error);
			say("the %s is off until the Guest resets it", dev->name);
		}
		trace_mark("E");
	}
	pthread_mutex_unlock(&q->lock);
}
/* LAB 5.6 END */
/*:*/
