/* SPDX-License-Identifier: MIT */
/*D:500 stub */
#include "native.h"
void pci_find_devices(void)
{
}
/*:*/
