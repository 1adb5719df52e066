/* SPDX-License-Identifier: MIT */
/*G:830 echo
 * echo WORD...: says them. :*/
#include "user.h"

int main(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		printf("%s%s", i > 1 ? " " : "", argv[i]);
	printf("\n");
	return 0;
}
