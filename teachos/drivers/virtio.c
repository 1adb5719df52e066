/* SPDX-License-Identifier: MIT */
/*D:120 The handshake
 *
 * Before a device works for us, both sides agree on what they understand.  It goes
 * like a first meeting: "forget whoever came before me", "I see you", "I know what you
 * are", "of what you offer, I understand this much", "let's go".  Or "sorry": a device
 * that its driver can't use is told so, instead of being left waiting at the table.
 */
#include "virtio.h"

static const struct virtio_driver *const drivers[] = {
	&console_driver, &block_driver, &net_driver, &rng_driver,
};

static u32 found[16];			/* devices so far, by type */

bool virtio_queue(struct virtio_device *dev, u32 index, struct virtqueue *vq, u32 *irq)
{
	return dev->bus->queue(dev, index, vq, irq);
}

bool virtio_config(struct virtio_device *dev, u32 offset, void *to, u32 length)
{
	memset(to, 0, length);
	return dev->bus->config(dev, offset, to, length);
}

static const struct virtio_driver *find_driver(u8 type)
{
	u32 i;

	for (i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
		if (drivers[i]->type == type)
			return drivers[i];
	return NULL;
}

void virtio_found(struct virtio_device *dev)
{
	const struct virtio_driver *driver = find_driver(dev->type);

	if (!driver) {
		print("%s: no driver for a device of type %u\n", dev->bus->name, dev->type);
		return;
	}
	dev->number = found[dev->type % 16]++;
	dev->bus->reset(dev);
	dev->bus->status(dev, LGUEST_STATUS_ACKNOWLEDGE);
	dev->bus->status(dev, LGUEST_STATUS_DRIVER);
	dev->features = dev->bus->offered(dev) & driver->features;
	dev->bus->accept(dev, dev->features);
	if (driver->probe(dev)) {
		dev->bus->status(dev, LGUEST_STATUS_DRIVER_OK);
		return;
	}
	dev->bus->status(dev, LGUEST_STATUS_FAILED);
	print("%s: %s %u can't be used\n", dev->bus->name, driver->name, dev->number);
}
/*:*/
