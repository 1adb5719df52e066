/* SPDX-License-Identifier: MIT */
#ifndef BUS_H
#define BUS_H

#include "virtqueue.h"

/*D:110 What a driver is told, and what it must say */
struct bus_device {
	u8 *desc;		/* in the device page; nothing in there is aligned */
	u32 gpa;		/* the same, as NOTIFY wants it */
	struct lguest_device_desc head;
};

/* A driver knows one type of device.  probe: the device is started, its queues are
 * yours; false: it can't be used. */
struct bus_driver {
	u8 type;
	const char *name;
	bool (*probe)(struct bus_device *dev);
};

/* Maps queue number index of dev; false: there is none, or no room for it. */
bool bus_queue(struct bus_device *dev, u32 index, struct virtqueue *vq, u32 *irq);

extern const struct bus_driver console_driver;
/*:*/

#endif
