/* SPDX-License-Identifier: MIT */
/*G:501 Two wires and a ground
 *
 * The 16550 sends a byte when we write one and says in its status when the next may come.
 * For what arrives it has room for sixteen bytes, and an interrupt.  When the terminal has
 * no room we leave the bytes where they are and take RTS down, which asks the other end to
 * pause; the console's next reader brings us back (tty_source()).
 */
#include "native.h"

#define COM1		0x3f8u
#define COM1_IRQ	4u
#define DATA		(COM1 + 0)
#define INTERRUPTS	(COM1 + 1)
#define FIFO		(COM1 + 2)
#define LINE		(COM1 + 3)
#define MODEM		(COM1 + 4)
#define STATUS		(COM1 + 5)
#define SCRATCH		(COM1 + 7)
#define DIVISOR_LATCH	0x80u
#define EIGHT_BITS	0x03u
#define ON_RECEIVE	0x01u
#define FIFO_ON		0xc7u		/* and empty, interrupt at 14 bytes */
#define DTR		0x01u
#define RTS		0x02u
#define OUT2		0x08u		/* a PC's gate for the interrupt line */
#define RECEIVED	0x01u
#define CAN_SEND	0x20u
#define PATIENCE	100000u		/* a byte takes 87 us; then nobody is there */

static bool there;

void serial_init(void)
{
	outb(SCRATCH, 0x5a);
	there = inb(SCRATCH) == 0x5a;
	if (!there)
		return;
	outb(INTERRUPTS, 0);
	outb(LINE, DIVISOR_LATCH);
	outb(DATA, 1);			/* 115200 bits per second */
	outb(INTERRUPTS, 0);
	outb(LINE, EIGHT_BITS);
	outb(FIFO, FIFO_ON);
	outb(MODEM, DTR | RTS | OUT2);
}

static void send(char c)
{
	u32 patience;

	for (patience = PATIENCE; patience && !(inb(STATUS) & CAN_SEND); patience--)
		;
	outb(DATA, c);
}

void serial_write(const char *text, u32 length)
{
	if (!there)
		return;
	for (; length--; text++) {
		if (*text == '\n')
			send('\r');
		send(*text);
	}
}

static void take_input(void)
{
	bool room;
	char c;

	while ((room = tty_room() > 1) && (inb(STATUS) & RECEIVED)) {
		c = inb(DATA);
		tty_input(&c, 1);
	}
	outb(MODEM, DTR | OUT2 | (room ? RTS : 0));
}

static void serial_interrupt(unsigned int irq)
{
	(void)irq;
	take_input();
}

void serial_listen(void)
{
	if (!there)
		return;
	irq_request(COM1_IRQ, serial_interrupt);
	tty_source(take_input);
	outb(INTERRUPTS, ON_RECEIVE);
}
/*:*/
