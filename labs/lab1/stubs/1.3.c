/* SPDX-License-Identifier: MIT */
static void lguest_irq_disable(void)
{
}

static void lguest_irq_enable(void)
{
}

static bool lguest_irq_enabled(void)
{
	return false;
}

static void lguest_irq_mask(unsigned int irq, bool masked)
{
	(void)irq, (void)masked;
}

static void lguest_halt(void)
{
}
