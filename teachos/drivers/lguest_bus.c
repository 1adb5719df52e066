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
 * Only the status byte, the accepted features and, where a device says so, config are
 * ours to write.  Nobody watches the page: who changed something there says so with
 * NOTIFY and the descriptor's address.  Three changes are worth a call: status 0
 * ("reset yourself"), features accepted ("start"), and the bit that says "failed".
 */
#include "../arch/lguest/hypercall.h"
#include "virtio.h"

#define STATUS_OFFSET offsetof(struct lguest_device_desc, status)

static void notify(u32 value)
{
	hypercall(LHCALL_NOTIFY, value, 0, 0, 0);
}

static u8 *features_of(struct virtio_device *dev)
{
	return dev->desc + sizeof(dev->head) + dev->head.num_vq * sizeof(struct lguest_vq_record);
}

static u32 feature_bytes(struct virtio_device *dev)
{
	return dev->head.feature_len < 4 ? dev->head.feature_len : 4;
}

static void bus_status(struct virtio_device *dev, u8 bits)
{
	*(volatile u8 *)(dev->desc + STATUS_OFFSET) |= bits;
	if (bits & LGUEST_STATUS_FAILED)
		notify(dev->address);
}

static void bus_reset(struct virtio_device *dev)
{
	*(volatile u8 *)(dev->desc + STATUS_OFFSET) = 0;
	notify(dev->address);
}

static u32 bus_offered(struct virtio_device *dev)
{
	u32 features = 0;

	memcpy(&features, features_of(dev), feature_bytes(dev));
	return features;
}

static void bus_accept(struct virtio_device *dev, u32 features)
{
	u8 *accepted = features_of(dev) + dev->head.feature_len;

	memset(accepted, 0, dev->head.feature_len);
	memcpy(accepted, &features, feature_bytes(dev));
	notify(dev->address);
}

static bool bus_config(struct virtio_device *dev, u32 offset, void *to, u32 length)
{
	if (offset > dev->head.config_len || length > dev->head.config_len - offset)
		return false;
	memcpy(to, features_of(dev) + 2 * dev->head.feature_len + offset, length);
	return true;
}

/* The rings are the Launcher's memory, above our RAM. */
static bool bus_queue(struct virtio_device *dev, u32 index, struct virtqueue *vq, u32 *irq)
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

static const struct virtio_bus lguest_bus = {
	.name = "bus",
	.reset = bus_reset,
	.status = bus_status,
	.offered = bus_offered,
	.accept = bus_accept,
	.queue = bus_queue,
	.config = bus_config,
};

void bus_init(void)
{
	u8 *page = map_device(boot_info.memory, 1);
	u32 at = 0;

	while (at + sizeof(struct lguest_device_desc) <= PAGE_SIZE) {
		struct virtio_device dev = {
			.bus = &lguest_bus,
			.desc = page + at,
			.address = boot_info.memory + at,
		};

		memcpy(&dev.head, dev.desc, sizeof(dev.head));
		dev.type = dev.head.type;
		if (dev.type == LGUEST_DEV_END)
			return;
		virtio_found(&dev);
		at += sizeof(dev.head) + dev.head.num_vq * sizeof(struct lguest_vq_record) +
		      2 * dev.head.feature_len + dev.head.config_len;
	}
}
/*:*/
