/* SPDX-License-Identifier: MIT */
/*D:500 A bus with slots
 *
 * Where the Launcher writes a page (D:100), a PC has PCI: 32 slots on a bus, eight
 * functions in a slot, and behind some of them a bridge to another bus.  Each function has
 * 256 bytes that say who it is and what it wants; two ports are the window to all of them:
 * an address goes into the first, a word comes out of the second (PCI Local Bus
 * Specification 3.0, 3.2.2.3).  Vendor 0xffff means that nobody is there: an `in` that
 * nobody answers reads all ones, here as in a Guest.
 *
 * The BIOS has given every function its ports and its interrupt line before we came.  We
 * have to say "you may use them" (the command register), and that is all.
 */
#include "native.h"
#include "virtio.h"

#define PCI_ADDRESS	0xcf8u
#define PCI_DATA	0xcfcu
#define PCI_ENABLE	0x80000000u
#define PCI_ID		0x00u		/* vendor, device */
#define PCI_COMMAND	0x04u
#define PCI_HEADER	0x0cu		/* its third byte: what kind of table this is */
#define PCI_BAR0	0x10u
#define PCI_BUSES	0x18u		/* a bridge's: primary, secondary, ... */
#define PCI_SUBSYSTEM	0x2cu		/* vendor, id */
#define PCI_LINE	0x3cu
#define USES_PORTS	0x001u
#define MASTERS_BUS	0x004u
#define NO_INTERRUPT	0x400u
#define HEADER_MANY	0x80u		/* more than one function in this slot */
#define HEADER_BRIDGE	0x01u
#define BAR_IS_PORTS	0x01u

/* where: bus, slot and function, as PCI_ADDRESS wants them. */
static u32 pci_read(u32 where, u32 offset)
{
	outl(PCI_ADDRESS, PCI_ENABLE | where | offset);
	return inl(PCI_DATA);
}

static void pci_write(u32 where, u32 offset, u32 value)
{
	outl(PCI_ADDRESS, PCI_ENABLE | where | offset);
	outl(PCI_DATA, value);
}

/* The size of a range of ports: what is not ours to set reads as 0 (ibid., 6.2.5.1). */
static u32 bar_size(u32 where, u32 offset)
{
	u32 bar = pci_read(where, offset), mask;

	pci_write(where, offset, 0xffffffff);
	mask = pci_read(where, offset) & 0xfffc;
	pci_write(where, offset, bar);
	return mask ? (~mask & 0xffff) + 1 : 0;
}
/*:*/

/*D:505 The same handshake, through ports
 *
 * This is virtio over PCI as it was in 2011, when lguest spoke it in its own way ("legacy"
 * in Virtio 1.0, 4.1.4.8).  Twenty bytes of ports, then the device's configuration.  The
 * steps are those of D:120, and so are the rings; only that here the memory for a ring is
 * ours, and the device is told where it lies.
 */
#define VIRTIO_VENDOR	0x1af4u
#define VIRTIO_FIRST	0x1000u		/* from 0x1040 on: those that know only the new way */
#define VIRTIO_LAST	0x107fu
#define OFFERED		0u		/* 32 bits */
#define ACCEPTED	4u		/* 32 */
#define QUEUE_PFN	8u		/* 32; page number of the selected queue's ring */
#define QUEUE_SIZE	12u		/* 16; 0: there is no such queue */
#define QUEUE_SELECT	14u		/* 16 */
#define QUEUE_NOTIFY	16u		/* 16 */
#define STATUS		18u		/* 8 */
#define ISR		19u		/* 8; reading it takes the interrupt back */
#define CONFIG		20u
#define ISR_QUEUE	1u

#define MAX_FOUND 16u

/* What stays known of a device after its driver was found. */
static struct {
	u16 ports, size;
	u8 line;
	u32 irqs;		/* one bit for each that a queue of this device may raise */
} found[MAX_FOUND];
static u32 found_count;
static u32 next_irq = PIC_LINES;

static void bus_reset(struct virtio_device *dev)
{
	outb(dev->address + STATUS, 0);
}

static void bus_status(struct virtio_device *dev, u8 bits)
{
	outb(dev->address + STATUS, inb(dev->address + STATUS) | bits);
}

static u32 bus_offered(struct virtio_device *dev)
{
	return inl(dev->address + OFFERED);
}

static void bus_accept(struct virtio_device *dev, u32 features)
{
	outl(dev->address + ACCEPTED, features);
}

static bool bus_config(struct virtio_device *dev, u32 offset, void *to, u32 length)
{
	u32 size = found[found_count - 1].size - CONFIG;
	u8 *bytes = to;

	if (offset > size || length > size - offset)
		return false;
	while (length--)
		*bytes++ = inb(dev->address + CONFIG + offset++);
	return true;
}

static void kick(u32 ports_and_index)
{
	outw((ports_and_index >> 16) + QUEUE_NOTIFY, ports_and_index);
}

static bool bus_queue(struct virtio_device *dev, u32 index, struct virtqueue *vq, u32 *irq)
{
	u32 num, pages, ring;

	outw(dev->address + QUEUE_SELECT, index);
	num = inw(dev->address + QUEUE_SIZE);
	if (!num || num > VIRTQUEUE_MAX || (num & (num - 1)) || next_irq == IRQ_COUNT)
		return false;
	pages = (vring_bytes(num) + PAGE_MASK) / PAGE_SIZE;
	ring = frame_alloc_run(pages);
	if (!ring)
		return false;
	memset(phys_to_virt(ring), 0, pages * PAGE_SIZE);
	virtqueue_init(vq, phys_to_virt(ring), num);
	vq->kick = kick;
	vq->kick_value = dev->address << 16 | index;
	outl(dev->address + QUEUE_PFN, ring / PAGE_SIZE);
	*irq = next_irq++;
	found[found_count - 1].irqs |= 1u << *irq;
	return true;
}

static const struct virtio_bus pci_bus = {
	.name = "pci",
	.reset = bus_reset,
	.status = bus_status,
	.offered = bus_offered,
	.accept = bus_accept,
	.queue = bus_queue,
	.config = bus_config,
};
/*:*/

/*D:510 Who pulled the line?
 *
 * PCI has four interrupt wires for all its slots, so several devices pull the same one, and
 * each holds it down until somebody has read its ISR port.  We ask them all.  Whoever says
 * "it was me" gets the numbers of its queues raised; which of the queues it was, a driver
 * sees when it looks.  (In a Guest each queue has a wire of its own.)
 *
 * A wire that is shared must be watched by level, not by edge: else the second pull, while
 * the first still holds, would never be seen.  Two ports beside the interrupt controllers
 * say which lines those are.
 */
#define ELCR		0x4d0u

static void line_interrupt(unsigned int line)
{
	u32 i, irq;

	for (i = 0; i < found_count; i++) {
		if (found[i].line != line || !(inb(found[i].ports + ISR) & ISR_QUEUE))
			continue;
		for (irq = PIC_LINES; irq < IRQ_COUNT; irq++)
			if (found[i].irqs & 1u << irq)
				irq_raise(irq);
	}
}

static void watch_line(u32 line)
{
	u16 port = ELCR + line / 8;

	outb(port, inb(port) | 1u << line % 8);
	irq_request(line, line_interrupt);
}

static void found_virtio(u32 where)
{
	struct virtio_device dev = {.bus = &pci_bus};
	u32 bar = pci_read(where, PCI_BAR0), line = pci_read(where, PCI_LINE) & 0xff;

	if (!(bar & BAR_IS_PORTS) || bar_size(where, PCI_BAR0) < CONFIG || !line ||
	    line >= PIC_LINES || found_count == MAX_FOUND) {
		print("pci: a virtio device in slot %u without %s\n", where >> 11 & 31,
		      line && line < PIC_LINES ? "ports (give it disable-legacy=off)" :
						 "an interrupt line");
		return;
	}
	dev.address = bar & ~3u;
	dev.type = pci_read(where, PCI_SUBSYSTEM) >> 16;
	found[found_count].ports = dev.address;
	found[found_count].size = bar_size(where, PCI_BAR0);
	found[found_count].line = line;
	found_count++;
	pci_write(where, PCI_COMMAND, (pci_read(where, PCI_COMMAND) & 0xffff & ~NO_INTERRUPT) |
				      USES_PORTS | MASTERS_BUS);
	watch_line(line);
	virtio_found(&dev);
}

static void look_at_bus(u32 bus)
{
	u32 slot, function, functions, where, id, header;

	for (slot = 0; slot < 32; slot++) {
		functions = 1;
		for (function = 0; function < functions; function++) {
			where = bus << 16 | slot << 11 | function << 8;
			id = pci_read(where, PCI_ID);
			if ((id & 0xffff) == 0xffff)
				continue;
			header = pci_read(where, PCI_HEADER) >> 16 & 0xff;
			if (header & HEADER_MANY)
				functions = 8;
			if ((header & ~HEADER_MANY) == HEADER_BRIDGE) {
				u32 behind = pci_read(where, PCI_BUSES) >> 8 & 0xff;

				if (behind > bus)	/* numbers grow, or we go in circles */
					look_at_bus(behind);
			} else if ((id & 0xffff) == VIRTIO_VENDOR && id >> 16 >= VIRTIO_FIRST &&
				   id >> 16 <= VIRTIO_LAST) {
				found_virtio(where);
			}
		}
	}
}

void pci_find_devices(void)
{
	if (pci_read(0, PCI_ID) != 0xffffffff)
		look_at_bus(0);
}
/*:*/
