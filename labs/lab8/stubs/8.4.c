/* SPDX-License-Identifier: GPL-2.0-only */
enum lg_result deliver_interrupt(struct lguest *lg)
{
	/* TODO 8.4.  Interrupt n goes to vector LGUEST_IRQ_VECTOR + n, by lg_deliver().  If it
	 * must wait, lg_os_nudge(lg) sees to it that you are asked again.  Count with
	 * lg_count(lg, ...): irq_blocked, irq_in_noirq, irq_woke, irq_waited, irq_no_gate,
	 * irq_delivered; and irq_at_once if lg->irqs_seen, which is yours, did not have its bit
	 * at this look. */
	(void)lg;
	return LG_RESUME;
}
