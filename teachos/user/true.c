/* SPDX-License-Identifier: MIT */
/*G:844 true
 * true: nothing, successfully. :*/
#include "user.h"

int main(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return 0;
}
