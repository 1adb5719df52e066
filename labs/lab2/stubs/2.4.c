/* SPDX-License-Identifier: MIT */
void trap_handler(struct trap_frame *frame)
{
	(void)frame;
}

void return_to_user(void)
{
}
