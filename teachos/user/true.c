/*G:844 true
 *
 * SPDX-License-Identifier: MIT
 :*/
/* true: nothing, successfully. */
#include "user.h"

int main(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return 0;
}
