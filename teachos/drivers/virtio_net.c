/* SPDX-License-Identifier: MIT */
/*D:460 A card that always has an empty tray
 *
 * A network card does not ask whether it suits us: a packet comes, and if no buffer lies
 * ready, it is gone.  So the receive queue is kept full.  When a packet is taken out, an
 * empty one is put in at the same moment; and if there is no empty one, the packet that
 * came is dropped and its own envelope goes back into the queue.  Better to lose one
 * packet now than to have a card that hears nothing later.
 *
 * Each packet has ten bytes in front in which the two sides could agree on savings, such
 * as leaving the checksum to the other one.  We accept no such offer, and they are zero.
 *
 * A packet that was sent is ours again when the device says so.  Nobody waits for that,
 * so we do not want to be interrupted for it, but look each time we send or receive.
 */
#include "net.h"
#include "virtio.h"

#define FEATURE_MAC (1u << 5)
#define HEADER 10u
#define RECEIVE_MOST 64u		/* packets that lie in the receive queue */

static struct virtqueue receive, transmit;

static bool offer(struct packet *p)
{
	struct virtqueue_part parts[] = {
		{p->device_header, HEADER, true},
		{p->room, NET_FRAME, true},
	};

	return virtqueue_add(&receive, parts, 2, p);
}

static void take_back_sent(void)
{
	struct packet *p;
	u32 ignored;

	while ((p = virtqueue_get(&transmit, &ignored)) != NULL)
		packet_free(p);
}

static bool net_send(struct packet *p)
{
	struct virtqueue_part parts[] = {
		{p->device_header, HEADER, false},
		{p->data, p->length, false},
	};

	take_back_sent();
	memset(p->device_header, 0, HEADER);
	if (!virtqueue_add(&transmit, parts, 2, p)) {
		packet_free(p);
		return false;
	}
	virtqueue_kick(&transmit);
	return true;
}

static void receive_interrupt(unsigned int irq)
{
	struct packet *p, *empty;
	u32 written;
	bool any = false;

	(void)irq;
	take_back_sent();
	while ((p = virtqueue_get(&receive, &written)) != NULL) {
		any = true;
		empty = packet_new();
		if (!empty) {
			offer(p);
			continue;
		}
		offer(empty);
		p->data = p->room;
		p->length = written > HEADER ? written - HEADER : 0;
		if (p->length > NET_FRAME)
			p->length = NET_FRAME;
		net_input(p);
	}
	if (any)
		virtqueue_kick(&receive);
	net_poll();
}

static bool net_probe(struct virtio_device *dev)
{
	struct packet *p;
	u32 irq, ignored, i;

	if (dev->number) {
		print("net: one network card is all that we can use\n");
		return false;
	}
	if (!virtio_queue(dev, 0, &receive, &irq) || !virtio_queue(dev, 1, &transmit, &ignored) ||
	    !net_start())
		return false;
	if (!(dev->features & FEATURE_MAC) || !virtio_config(dev, 0, net->mac, 6)) {
		put32(net->mac + 2, net_random());
		put16(net->mac, 0x0200);	/* "made up locally" */
	}
	transmit.avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	for (i = 0; i < RECEIVE_MOST && (p = packet_new()) != NULL; i++)
		if (!offer(p)) {
			packet_free(p);
			break;
		}
	virtqueue_kick(&receive);
	irq_request(irq, receive_interrupt);
	net->transmit = net_send;
	return true;
}

const struct virtio_driver net_driver = {
	LGUEST_DEV_NET, "network card", FEATURE_MAC, net_probe,
};
/*:*/
