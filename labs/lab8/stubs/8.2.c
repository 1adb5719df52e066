/* SPDX-License-Identifier: GPL-2.0-only */
u32 candidates(struct lguest *lg)
{
	/* TODO 8.2.  lg->irqs is what was raised, lg->data->blocked_interrupts what the Guest
	 * masks.  Is there always an lg->data? */
	(void)lg;
	return 0;
}

bool lg_irq_would_wake(struct lguest *lg)
{
	return candidates(lg) != 0 && false;	/* TODO 8.2 as well */
}
