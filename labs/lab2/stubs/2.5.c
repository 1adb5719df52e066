/* SPDX-License-Identifier: MIT */
static void lguest_load_root(u32 root)
{
	(void)root;
}

static void lguest_flush_user(void)
{
}

static void lguest_flush_all(void)
{
}

static void lguest_pte_changed(u32 root, u32 va, pte_t pte)
{
	(void)root, (void)va, (void)pte;
}

static void lguest_top_changed(u32 root, unsigned int index)
{
	(void)root, (void)index;
}

static void lguest_set_gate(unsigned int vector, u32 low, u32 high)
{
	(void)vector, (void)low, (void)high;
}

static void lguest_set_segment(unsigned int entry, u32 low, u32 high)
{
	(void)entry, (void)low, (void)high;
}

static void lguest_set_kernel_stack(u32 esp)
{
	(void)esp;
}

static void lguest_set_tls(const u64 tls[3])
{
	(void)tls;
}

static void lguest_set_ts(bool set)
{
	(void)set;
}
