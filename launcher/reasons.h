/* SPDX-License-Identifier: MIT */
/*L:445 Reasons of our own
 * Most Guests that die are killed by the Host, and host/reasons.h has its codes.  A
 * few are ended by the Launcher, because what they said to a device makes no sense.
 * Their codes begin with E-BUS; the sentence behind the code says who and where.
 */
#ifndef LAUNCHER_REASONS_H
#define LAUNCHER_REASONS_H

#define E_BUS_TWICE	"E-BUS-01: "	/* a device was started again without a reset */
#define E_BUS_EARLY	"E-BUS-02: "	/* a queue was kicked before its device was started */
#define E_BUS_NOTIFY	"E-BUS-03: "	/* NOTIFY of what is no device, queue or string */

#endif
/*:*/
