/* SPDX-License-Identifier: MIT */
/* TeachOS's lib.h for a program that has a C library. */
#ifndef LIB_H
#define LIB_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* TeachOS has its own. */
#undef WNOHANG
#undef WUNTRACED

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define snformat snprintf

static inline u64 div64(u64 n, u32 d, u32 *remainder)
{
	if (remainder)
		*remainder = n % d;
	return n / d;
}

#endif
