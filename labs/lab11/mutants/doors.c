// SPDX-License-Identifier: MIT
/*
 * A Guest in C: the GDT's index, and the two hypercalls.
 * run: {0..2}
 */
#include "glue.h"

int inmate_main(void)
{
	switch (number_argument(0)) {
	case 0:
		hcall(LHCALL_LOAD_GDT_ENTRY, 32, 0, 0, 0);
		hcall(LHCALL_FLUSH_ASYNC, 0, 0, 0, 0);
		break;
	case 1:
		hcall(99, 0, 0, 0, 0);
		break;
	default:
		hcall(LHCALL_LGUEST_INIT, (uint32_t)&lguest_block, 0, 0, 0);
	}
	fail_text("the Host let this pass");
	return 0;
}
