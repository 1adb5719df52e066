/* SPDX-License-Identifier: MIT */
/*D:100 One page is the whole bus
 *
 * Real buses have slots, wires and a chapter of configuration each.  Ours is one
 * page of memory just above the RAM, where the Launcher has written down what it
 * offers: a few bytes for each device, packed without gaps, type 0 after the last.
 *
 *	type | num_vq | feature_len | config_len | status	5 bytes
 *	num, irq, pfn of each queue				8 bytes each
 *	features offered | features accepted			feature_len each
 *	config							config_len
 *
 * Only the status byte and the accepted features are ours to write.  They make the
 * handshake: 0 "reset yourself", 1 "seen", 3 "I have a driver for you" (then the
 * features, and a NOTIFY: the device starts), 7 "in use".
 */
#include "../arch/lguest/hypercall.h"
#include "bus.h"

#define STATUS_OFFSET offsetof(struct lguest_device_desc, status)

static const struct bus_driver *const drivers[] = {&console_driver};

static void notify(u32 value)
{
	hypercall(LHCALL_NOTIFY, value, 0, 0, 0);
}

static void set_status(struct bus_device *dev, u8 bits)
{
	u8 *status = dev->desc + STATUS_OFFSET;

	*(volatile u8 *)status = bits ? *status | bits : 0;
}

bool bus_queue(struct bus_device *dev, u32 index, struct virtqueue *vq, u32 *irq)
{
	struct lguest_vq_record record;
	u32 pages;
	void *memory;

	if (index >= dev->head.num_vq)
		return false;
	memcpy(&record, dev->desc + sizeof(dev->head) + index * sizeof(record), sizeof(record));
	if (!record.num || record.num > VIRTQUEUE_MAX || (record.num & (record.num - 1)))
		return false;
	pages = (vring_bytes(record.num) + PAGE_MASK) / PAGE_SIZE;
	memory = map_device(record.pfn * PAGE_SIZE, pages);
	if (!memory)
		return false;
	virtqueue_init(vq, memory, record.num);
	vq->kick = notify;
	vq->kick_value = record.pfn * PAGE_SIZE;
	*irq = record.irq;
	return true;
}

/* None of our drivers needs a feature, so none is accepted: the bytes stay 0. */
static void start_device(struct bus_device *dev, const struct bus_driver *driver)
{
	set_status(dev, 0);
	notify(dev->gpa);
	set_status(dev, LGUEST_STATUS_ACKNOWLEDGE);
	set_status(dev, LGUEST_STATUS_DRIVER);
	notify(dev->gpa);
	if (driver->probe(dev)) {
		set_status(dev, LGUEST_STATUS_DRIVER_OK);
		return;
	}
	set_status(dev, LGUEST_STATUS_FAILED);
	notify(dev->gpa);
	print("bus: %s at 0x%x can't be used\n", driver->name, dev->gpa);
}

static const struct bus_driver *find_driver(u8 type)
{
	u32 i;

	for (i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
		if (drivers[i]->type == type)
			return drivers[i];
	return NULL;
}

void bus_init(void)
{
	u8 *page = map_device(boot_info.memory, 1);
	u32 at = 0;

	while (at + sizeof(struct lguest_device_desc) <= PAGE_SIZE) {
		struct bus_device dev = {page + at, boot_info.memory + at, {0}};
		const struct bus_driver *driver;

		memcpy(&dev.head, dev.desc, sizeof(dev.head));
		if (dev.head.type == LGUEST_DEV_END)
			return;
		driver = find_driver(dev.head.type);
		if (driver)
			start_device(&dev, driver);
		else
			print("bus: no driver for a device of type %u\n", dev.head.type);
		at += sizeof(dev.head) + dev.head.num_vq * sizeof(struct lguest_vq_record) +
		      2 * dev.head.feature_len + dev.head.config_len;
	}
}
/*:*/
