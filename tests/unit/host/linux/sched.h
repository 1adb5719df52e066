/* SPDX-License-Identifier: MIT */
#include <linux/hrtimer.h>
