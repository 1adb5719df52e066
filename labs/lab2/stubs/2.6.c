/* SPDX-License-Identifier: MIT */
u32 root_create(void)
{
	return 0;
}

void root_clear_user(u32 root)
{
	(void)root;
}

void root_destroy(u32 root)
{
	(void)root;
}
