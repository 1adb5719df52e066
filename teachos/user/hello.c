/* SPDX-License-Identifier: MIT */
/*G:837 hello
 * hello: who am I, and in which ring? :*/
#include "user.h"

int main(int argc, char **argv)
{
	u32 cs;

	(void)argc;
	(void)argv;
	asm("mov %%cs, %0" : "=r"(cs));
	printf("Hello from process %d in ring %u!\n", getpid(), cs & 3);
	return 0;
}
