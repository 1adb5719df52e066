/* SPDX-License-Identifier: GPL-2.0-only */
bool lg_trap_has_error(unsigned int vector)
{
	/* TODO 7.2 */
	return vector == 0;
}
