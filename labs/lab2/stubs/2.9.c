/* SPDX-License-Identifier: MIT */
void sched_tick(void)
{
}

void schedule(void)
{
}
