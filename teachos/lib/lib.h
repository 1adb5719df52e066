/* SPDX-License-Identifier: MIT */
/*G:195 Tools without a toolbox
 *
 * There is no C library below a kernel.  What the kernel and its programs share is
 * here: strings, formatted printing, and the one division that a 32-bit compiler
 * would ask a library for.
 :*/
#ifndef LIB_H
#define LIB_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
const char *strchr(const char *s, int c);
const char *strstr(const char *s, const char *part);
/* Copies at most size - 1 bytes of s and always ends to with a NUL. */
void strcopy(char *to, const char *s, size_t size);

/*
 * Decimal, or hexadecimal after "0x".  Returns true, with the value in *value,
 * only if the whole of s is one number that fits.
 */
bool parse_number(const char *s, u32 *value);

/*
 * The printf family's engine.  Calls put(c, arg) once a character and returns
 * how many there were.  Knows %s %c %d %u %x %p %llu %llx %%, a width, '0' and '-'.
 */
int format(void (*put)(char c, void *arg), void *arg, const char *fmt, va_list ap);
int vsnformat(char *to, size_t size, const char *fmt, va_list ap);
int snformat(char *to, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * 64 by 32 bits.  The compiler's own way is a call into libgcc, which a kernel
 * does not have; two steps of schoolbook long division do the same.
 */
static inline u64 div64(u64 n, u32 d, u32 *remainder)
{
	u32 high = n >> 32, low = n, rest, q_high, q_low;

	q_high = high / d;
	rest = high % d;
	asm("divl %4" : "=a"(q_low), "=d"(rest) : "0"(low), "1"(rest), "rm"(d));
	if (remainder)
		*remainder = rest;
	return ((u64)q_high << 32) | q_low;
}

static inline u64 rdtsc(void)
{
	u32 low, high;

	asm volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return ((u64)high << 32) | low;
}

#endif
