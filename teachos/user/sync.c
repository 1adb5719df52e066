/* SPDX-License-Identifier: MIT */
/*G:758 sync
 * sync: brings everything that was written to the disks. :*/
#include "files.h"

int main(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return sync();
}
