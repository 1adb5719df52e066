/* SPDX-License-Identifier: MIT */
/*G:842 reboot
 * reboot: starts the machine again. :*/
#include "user.h"

int main(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return reboot(REBOOT_RESTART);
}
