/* SPDX-License-Identifier: MIT */
/*P:210 The lguest bus
 *
 * How does a Guest find its disk?  A real kernel asks PCI.  Here there is one page of packed
 * descriptors just above the Guest's RAM, and a legacy virtio ring (virtio 0.9.5, section
 * 2.3) for each queue of each device.
 *
 * The Launcher lays it out, the Guest walks it.  NOTHING in the page is aligned:
 * copy fields out with memcpy, do not point at them.
 *:*/
#ifndef LGUEST_BUS_H
#define LGUEST_BUS_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stddef.h>
#include <stdint.h>
#endif

/* Device types are the virtio ids; type 0 ends the list. */
#define LGUEST_DEV_END		0
#define LGUEST_DEV_NET		1
#define LGUEST_DEV_BLOCK	2
#define LGUEST_DEV_CONSOLE	3
#define LGUEST_DEV_RNG		4

/* Bits of lguest_device_desc.status (virtio 0.9.5, section 2.2.2.1). */
#define LGUEST_STATUS_ACKNOWLEDGE 0x01
#define LGUEST_STATUS_DRIVER	0x02
#define LGUEST_STATUS_DRIVER_OK	0x04
#define LGUEST_STATUS_FAILED	0x80

/*
 * Followed, without padding, by num_vq records, feature_len bytes of features
 * offered, feature_len bytes of features accepted, config_len bytes of config.
 */
struct lguest_device_desc {
	uint8_t type;
	uint8_t num_vq;
	uint8_t feature_len;
	uint8_t config_len;
	uint8_t status;		/* the Guest's */
} __attribute__((packed));

struct lguest_vq_record {
	uint16_t num;		/* ring size, a power of two */
	uint16_t irq;
	uint32_t pfn;		/* the ring's first page; NOTIFY(pfn << 12) kicks it */
} __attribute__((packed));

/* ---- The ring (virtio 0.9.5, section 2.3): alignment 4096 ----------------- */
#define LGUEST_VRING_ALIGN	4096

#ifndef __KERNEL__	/* Linux has these itself: uapi/linux/virtio_ring.h */
#define VRING_DESC_F_NEXT	1	/* .next is valid */
#define VRING_DESC_F_WRITE	2	/* the device writes here */
#define VRING_DESC_F_INDIRECT	4
#define VRING_AVAIL_F_NO_INTERRUPT 1	/* Guest: do not interrupt me */
#define VRING_USED_F_NO_NOTIFY	1	/* Launcher: do not kick me */

struct vring_desc {
	uint64_t addr;		/* guest-physical */
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

struct vring_avail {
	uint16_t flags;
	uint16_t idx;
	uint16_t ring[];
};

struct vring_used_elem {
	uint32_t id;		/* head of the chain */
	uint32_t len;		/* bytes the device wrote */
};

struct vring_used {
	uint16_t flags;
	uint16_t idx;
	struct vring_used_elem ring[];
};

/* Byte offset of the used ring in a ring of num entries. */
static inline uint32_t vring_used_offset(uint32_t num)
{
	return (16 * num + 2 * (3 + num) + LGUEST_VRING_ALIGN - 1) & ~(LGUEST_VRING_ALIGN - 1u);
}

/* Bytes that a whole ring of num entries takes (10246 for 256: three pages). */
static inline uint32_t vring_bytes(uint32_t num)
{
	return vring_used_offset(num) + 6 + 8 * num;
}

_Static_assert(sizeof(struct vring_desc) == 16, "virtio 0.9.5, 2.3.2");
_Static_assert(sizeof(struct vring_used_elem) == 8, "virtio 0.9.5, 2.3.5");
#endif

_Static_assert(sizeof(struct lguest_device_desc) == 5, "ABI.md section 8.1");
_Static_assert(sizeof(struct lguest_vq_record) == 8, "ABI.md section 8.1");

#endif
