/* SPDX-License-Identifier: MIT */
#ifndef VIRTIO_H
#define VIRTIO_H

#include "virtqueue.h"

/*D:110 What a driver is told, and what it must say
 *
 * A disk is a disk, whatever wire it hangs on.  So a driver never asks how its device
 * was found: it gets a struct virtio_device, and behind that a struct virtio_bus knows
 * how to reach it.  One bus is the page of descriptors that the Launcher writes
 * (lguest_bus.c); where there is no Launcher, PCI can be another.
 */
struct virtio_device;

struct virtio_bus {
	const char *name;
	void (*reset)(struct virtio_device *dev);
	/* Adds bits to the status byte: LGUEST_STATUS_*, which are virtio's. */
	void (*status)(struct virtio_device *dev, u8 bits);
	u32 (*offered)(struct virtio_device *dev);		/* feature bits 0..31 */
	/* "These I understand": the device starts. */
	void (*accept)(struct virtio_device *dev, u32 features);
	/* See virtio_queue() and virtio_config(). */
	bool (*queue)(struct virtio_device *dev, u32 index, struct virtqueue *vq, u32 *irq);
	bool (*config)(struct virtio_device *dev, u32 offset, void *to, u32 length);
};

struct virtio_device {
	u8 type;			/* LGUEST_DEV_*, which are virtio's */
	u32 number;			/* counts the devices of one type from 0 */
	u32 features;			/* offered, and understood by the driver */
	const struct virtio_bus *bus;
	/* From here on the bus's own business. */
	u8 *desc;			/* lguest: in the device page; nothing is aligned there */
	u32 address;			/* lguest: the same, as NOTIFY wants it */
	struct lguest_device_desc head;	/* lguest: how it began */
};

/* A driver knows one type of device.  features: the bits that it understands.  probe:
 * the device is started, its queues are yours; false: it can't be used.  dev is gone
 * when probe() returns: copy it if you need it. */
struct virtio_driver {
	u8 type;
	const char *name;
	u32 features;
	bool (*probe)(struct virtio_device *dev);
};

/* Sets up queue number index of dev.  *irq: what it will raise.  false: there is none,
 * or no room for it. */
bool virtio_queue(struct virtio_device *dev, u32 index, struct virtqueue *vq, u32 *irq);
/* Reads the device's configuration; false (and zeros): it has less of it. */
bool virtio_config(struct virtio_device *dev, u32 offset, void *to, u32 length);
/* A bus has found a device: finds its driver and goes through the handshake. */
void virtio_found(struct virtio_device *dev);

extern const struct virtio_driver console_driver, block_driver, net_driver, rng_driver;
/*:*/

#endif
