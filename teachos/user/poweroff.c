/* SPDX-License-Identifier: MIT */
/*G:841 poweroff
 * poweroff: ends the machine. :*/
#include "user.h"

int main(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return reboot(REBOOT_POWER_OFF);
}
