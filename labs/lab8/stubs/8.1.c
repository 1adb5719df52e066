/* SPDX-License-Identifier: GPL-2.0-only */
void lg_irq_raise(struct lguest *lg, unsigned int irq)
{
	/* TODO 8.1.  Set bit `irq` of lg->irqs, from whatever CPU: see the __atomic_ built-ins
	 * of gcc.  If it was set already, lg_count(lg, irq_coalesced).  At the end
	 * lg_trace_irq(lg, irq, again). */
	(void)lg;
	(void)irq;
}
