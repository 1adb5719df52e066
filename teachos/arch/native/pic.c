/* SPDX-License-Identifier: MIT */
/*G:172 Two small centipedes
 *
 * The 8259A interrupt controller has eight legs, so a PC has two of them, the second
 * hanging on leg 2 of the first.  It remembers which device called, tells the processor
 * a vector, and then holds back everything less important until it hears "end of
 * interrupt".  The BIOS has it say vectors 8 to 15, where the processor's own exceptions
 * are; we move it to 32.  In a Guest all of this is one word, blocked_interrupts.
 *
 * A leg that is pulled back too early makes it answer with its number 7, for it has to
 * say something.  Such a call is not in its list of what is in service, and is ignored.
 *
 * There are 32 lines in TeachOS and 16 legs.  The others are for devices that share a leg:
 * who finds out, by asking them, which device it was (virtio_pci.c), raises one of those.
 * They have no memory: what comes while one of them is masked is gone, and a driver that
 * unmasks it looks at its device first.
 */
#include "native.h"

#define MASTER		0x20u		/* command; the mask is one further */
#define SLAVE		0xa0u
#define ICW1		0x11u		/* "four words follow": edge triggered, cascaded */
#define ICW4		0x01u		/* 8086, not 8080 */
#define EOI		0x20u
#define READ_IN_SERVICE	0x0bu
#define CASCADE		2u

static u16 pic_mask;
static u32 soft_mask;			/* 16..31 */

static void write_masks(void)
{
	outb(MASTER + 1, pic_mask);
	outb(SLAVE + 1, pic_mask >> 8);
}

void pic_init(void)
{
	outb(MASTER, ICW1);
	outb(SLAVE, ICW1);
	outb(MASTER + 1, IRQ_VECTOR);
	outb(SLAVE + 1, IRQ_VECTOR + 8);
	outb(MASTER + 1, 1 << CASCADE);
	outb(SLAVE + 1, CASCADE);
	outb(MASTER + 1, ICW4);
	outb(SLAVE + 1, ICW4);
	pic_mask = 0xffff & ~(1u << CASCADE);
	soft_mask = 0xffff0000;
	write_masks();
}

void native_irq_mask(unsigned int irq, bool masked)
{
	bool irqs = irq_save();

	if (irq >= PIC_LINES) {
		soft_mask = (soft_mask & ~(1u << irq)) | (u32)masked << irq;
	} else {
		pic_mask = (pic_mask & ~(1u << irq)) | masked << irq;
		write_masks();
	}
	irq_restore(irqs);
}

void irq_raise(unsigned int irq)
{
	if (!(soft_mask & 1u << irq))
		irq_dispatch(irq);
}

static bool in_service(unsigned int irq)
{
	u16 port = irq < 8 ? MASTER : SLAVE;

	outb(port, READ_IN_SERVICE);
	return inb(port) & 1 << (irq & 7);
}

/* The controller keeps the line shut until the handler is done and we say so. */
void native_interrupt(unsigned int irq)
{
	if ((irq & 7) == 7 && !in_service(irq)) {
		if (irq == 15)
			outb(MASTER, EOI);	/* the first one believed the second */
		return;
	}
	if (irq || pit_expired())
		irq_dispatch(irq);
	if (irq >= 8)
		outb(SLAVE, EOI);
	outb(MASTER, EOI);
}
/*:*/
