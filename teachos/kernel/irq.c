/* SPDX-License-Identifier: MIT */
/*G:230 Please call back
 *
 * Thirty-two lines, one handler each.  A line without a handler stays masked.
 * Handlers run with interrupts off, on the stack of whoever was running, and must
 * not sleep.
 */
#include "kernel.h"

static void (*handlers[IRQ_COUNT])(unsigned int irq);
u32 irq_count[IRQ_COUNT];

void irq_request(unsigned int irq, void (*handler)(unsigned int irq))
{
	if (irq >= IRQ_COUNT)
		panic("interrupt %u asked for, there are %d", irq, IRQ_COUNT);
	handlers[irq] = handler;
	pv.irq_mask(irq, !handler);
}

void irq_dispatch(unsigned int irq)
{
	irq_count[irq]++;
	if (handlers[irq])
		handlers[irq](irq);
}
/*:*/
