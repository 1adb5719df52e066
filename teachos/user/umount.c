/* SPDX-License-Identifier: MIT */
/*G:743 umount
 * umount DIRECTORY: writes everything and takes a disk away again. :*/
#include "files.h"

int main(int argc, char **argv)
{
	int error;

	if (argc != 2)
		die("umount: expected the directory on which a disk is mounted\n");
	error = syscall(SYS_umount, (u32)argv[1], 0, 0);
	if (error)
		die("umount: %s: %s\n", argv[1], error == -22 ? "nothing is mounted there" :
		    error_text(error));
	return 0;
}
