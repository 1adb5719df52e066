// SPDX-License-Identifier: GPL-2.0-only
/*M:540 Somebody else's drivers
 *
 * The lguest bus, for Linux' virtio drivers.  Not a line of those was changed: what they
 * want of a bus is a table of ten functions.
 *
 * One page of descriptors just above the RAM (include/lguest_bus.h draws it), packed
 * without regard for alignment, and behind it the rings, which the Launcher has laid out
 * already.  A virtio driver asks its device for features, a status, a few bytes of
 * configuration, and its queues: here is where we find those.
 *:*/
#define pr_fmt(fmt) "lguest: " fmt

#include <linux/init.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/slab.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_ring.h>
#include <asm/lguest.h>
#include <asm/lguest_bus.h>
#include <asm/setup.h>

struct lguest_device {
	struct virtio_device vdev;
	struct lguest_device_desc *desc;
	phys_addr_t desc_gpa;		/* what the Launcher knows the device by */
};

struct lguest_vq {
	struct lguest_vq_record record;
	void *ring;
};

static u8 *descriptors;			/* the page, mapped */

static struct lguest_device *to_lguest(struct virtio_device *vdev)
{
	return container_of(vdev, struct lguest_device, vdev);
}

/* The parts behind a descriptor, in order. */
static struct lguest_vq_record *vq_records(const struct lguest_device_desc *desc)
{
	return (struct lguest_vq_record *)(desc + 1);
}

static u8 *offered(const struct lguest_device_desc *desc)
{
	return (u8 *)(vq_records(desc) + desc->num_vq);
}

static u8 *accepted(const struct lguest_device_desc *desc)
{
	return offered(desc) + desc->feature_len;
}

static u8 *config(const struct lguest_device_desc *desc)
{
	return accepted(desc) + desc->feature_len;
}

static unsigned int desc_size(const struct lguest_device_desc *desc)
{
	return config(desc) + desc->config_len - (u8 *)desc;
}

/* ---- Features, status, configuration --------------------------------------- */

static u64 lg_get_features(struct virtio_device *vdev)
{
	const struct lguest_device_desc *desc = to_lguest(vdev)->desc;
	u64 features = 0;
	unsigned int i;

	for (i = 0; i < min_t(unsigned int, desc->feature_len * 8, 32); i++)
		if (offered(desc)[i / 8] & BIT(i % 8))
			features |= BIT_ULL(i);
	return features;
}

/* Tell the Launcher that something in the descriptor changed; it looks at the status. */
static void notify_status(struct lguest_device *dev)
{
	lguest_hcall1(LHCALL_NOTIFY, dev->desc_gpa);
}

/* May be called twice, if the driver finds that two features don't go together. */
static int lg_finalize_features(struct virtio_device *vdev)
{
	const struct lguest_device_desc *desc = to_lguest(vdev)->desc;
	unsigned int i;

	vring_transport_features(vdev);
	memset(accepted(desc), 0, desc->feature_len);
	for (i = 0; i < min_t(unsigned int, desc->feature_len * 8, 32); i++)
		if (vdev->features & BIT_ULL(i))
			accepted(desc)[i / 8] |= BIT(i % 8);
	return 0;
}

static void lg_get(struct virtio_device *vdev, unsigned int offset, void *to, unsigned int len)
{
	const struct lguest_device_desc *desc = to_lguest(vdev)->desc;

	BUG_ON(offset + len > desc->config_len);
	memcpy(to, config(desc) + offset, len);
}

static void lg_set(struct virtio_device *vdev, unsigned int offset, const void *from,
		   unsigned int len)
{
	const struct lguest_device_desc *desc = to_lguest(vdev)->desc;

	BUG_ON(offset + len > desc->config_len);
	memcpy(config(desc) + offset, from, len);
}

static u8 lg_get_status(struct virtio_device *vdev)
{
	return READ_ONCE(to_lguest(vdev)->desc->status);
}

/* The Launcher needs to hear of the end, and of nothing in between. */
static void lg_set_status(struct virtio_device *vdev, u8 status)
{
	struct lguest_device *dev = to_lguest(vdev);

	WRITE_ONCE(dev->desc->status, status);
	if (!status || (status & VIRTIO_CONFIG_S_FAILED))
		notify_status(dev);
}

static void lg_reset(struct virtio_device *vdev)
{
	lg_set_status(vdev, 0);
}

/* ---- Queues ---------------------------------------------------------------- */

static bool lg_kick(struct virtqueue *vq)
{
	struct lguest_vq *lvq = vq->priv;

	lguest_hcall1(LHCALL_NOTIFY, lvq->record.pfn << PAGE_SHIFT);
	return true;
}

/*
 * Who types ahead, or has a pipe for a keyboard, has typed before there is a console.  Its driver
 * gives the queue buffers first, and throws away what is in them until all else is done
 * (in_intr in drivers/char/virtio_console.c).  So a key is no interrupt before the drivers are up.
 */
static unsigned int key_irq;
static bool drivers_up;

static unsigned long key_flags(const struct virtio_device *vdev, unsigned int index,
			       unsigned int irq)
{
	if (drivers_up || vdev->id.device != VIRTIO_ID_CONSOLE || index)
		return 0;
	key_irq = irq;
	return IRQF_NO_AUTOEN;
}

static int __init lguest_drivers_up(void)
{
	drivers_up = true;
	if (key_irq)
		enable_irq(key_irq);
	return 0;
}
late_initcall(lguest_drivers_up);

static void lg_del_vq(struct virtqueue *vq)
{
	struct lguest_vq *lvq = vq->priv;

	free_irq(lvq->record.irq, vq);
	if (lvq->record.irq == key_irq)
		key_irq = 0;
	vring_del_virtqueue(vq);
	memunmap(lvq->ring);
	kfree(lvq);
}

static void lg_del_vqs(struct virtio_device *vdev)
{
	struct virtqueue *vq, *next;

	list_for_each_entry_safe(vq, next, &vdev->vqs, list)
		lg_del_vq(vq);
}

static struct virtqueue *lg_find_vq(struct virtio_device *vdev, unsigned int index,
				    vq_callback_t *callback, const char *name, bool ctx)
{
	struct lguest_device *dev = to_lguest(vdev);
	struct lguest_vq *lvq;
	struct virtqueue *vq;
	int err;

	if (index >= dev->desc->num_vq)
		return ERR_PTR(-ENOENT);
	lvq = kmalloc(sizeof(*lvq), GFP_KERNEL);
	if (!lvq)
		return ERR_PTR(-ENOMEM);
	memcpy(&lvq->record, &vq_records(dev->desc)[index], sizeof(lvq->record));

	err = -ENOMEM;
	lvq->ring = memremap((phys_addr_t)lvq->record.pfn << PAGE_SHIFT,
			     vring_size(lvq->record.num, LGUEST_VRING_ALIGN), MEMREMAP_WB);
	if (!lvq->ring)
		goto free;
	vq = vring_new_virtqueue(index, lvq->record.num, LGUEST_VRING_ALIGN, vdev, true, ctx,
				 lvq->ring, lg_kick, callback, name);
	if (!vq)
		goto unmap;
	vq->priv = lvq;
	vq->num_max = lvq->record.num;

	err = lguest_setup_irq(lvq->record.irq);
	if (!err)
		err = request_irq(lvq->record.irq, vring_interrupt,
				  key_flags(vdev, index, lvq->record.irq), dev_name(&vdev->dev), vq);
	if (!err)
		return vq;
	pr_err("%s: no interrupt %u for queue %s\n", dev_name(&vdev->dev), lvq->record.irq, name);
	vring_del_virtqueue(vq);
unmap:
	memunmap(lvq->ring);
free:
	kfree(lvq);
	return ERR_PTR(err);
}

static int lg_find_vqs(struct virtio_device *vdev, unsigned int n, struct virtqueue *vqs[],
		       vq_callback_t *callbacks[], const char * const names[], const bool *ctx,
		       struct irq_affinity *affinity)
{
	unsigned int i, index = 0;

	/* Features are settled: the device starts.  Kicks may come before DRIVER_OK. */
	notify_status(to_lguest(vdev));
	for (i = 0; i < n; i++) {
		vqs[i] = NULL;
		if (!names[i])	/* the driver can do without, and the device has none */
			continue;
		vqs[i] = lg_find_vq(vdev, index++, callbacks[i], names[i], ctx && ctx[i]);
		if (IS_ERR(vqs[i])) {
			int err = PTR_ERR(vqs[i]);

			lg_del_vqs(vdev);
			return err;
		}
	}
	return 0;
}

static const char *lg_bus_name(struct virtio_device *vdev)
{
	return "lguest";
}

static const struct virtio_config_ops lguest_config_ops = {
	.get			= lg_get,
	.set			= lg_set,
	.get_status		= lg_get_status,
	.set_status		= lg_set_status,
	.reset			= lg_reset,
	.find_vqs		= lg_find_vqs,
	.del_vqs		= lg_del_vqs,
	.get_features		= lg_get_features,
	.finalize_features	= lg_finalize_features,
	.bus_name		= lg_bus_name,
};

/* ---- Finding the devices ---------------------------------------------------- */

static void lg_release(struct device *dev)
{
	kfree(to_lguest(dev_to_virtio(dev)));
}

static void __init add_device(struct device *parent, struct lguest_device_desc *desc,
			      phys_addr_t gpa)
{
	struct lguest_device *dev = kzalloc(sizeof(*dev), GFP_KERNEL);

	if (!dev)
		return;
	dev->desc = desc;
	dev->desc_gpa = gpa;
	dev->vdev.dev.parent = parent;
	dev->vdev.dev.release = lg_release;
	dev->vdev.id.device = desc->type;
	dev->vdev.config = &lguest_config_ops;
	if (register_virtio_device(&dev->vdev)) {
		pr_err("the device of type %u at %pa did not work out\n", desc->type, &gpa);
		put_device(&dev->vdev.dev);
	}
}

static int __init lguest_bus_init(void)
{
	/* Not max_pfn: Linux may have decided to use less than there is. */
	phys_addr_t page = boot_params.e820_table[0].addr + boot_params.e820_table[0].size;
	struct lguest_device_desc *desc;
	struct device *parent;
	unsigned int at;

	descriptors = memremap(page, PAGE_SIZE, MEMREMAP_WB);
	if (!descriptors)
		return -ENOMEM;
	parent = root_device_register("lguest");
	if (IS_ERR(parent))
		return PTR_ERR(parent);
	for (at = 0; at + sizeof(*desc) <= PAGE_SIZE; at += desc_size(desc)) {
		desc = (struct lguest_device_desc *)(descriptors + at);
		if (desc->type == LGUEST_DEV_END || at + desc_size(desc) > PAGE_SIZE)
			break;
		add_device(parent, desc, page + at);
	}
	return 0;
}
/* After the virtio core, before the drivers: the order on the bus is vda, vdb... */
postcore_initcall(lguest_bus_init);
