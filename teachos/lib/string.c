/* SPDX-License-Identifier: MIT */
/*G:196 Strings and memory
 *
 * For the kernel and for its programs alike.  The compiler itself may call the first
 * four behind our back, so their names are not ours to choose.
 :*/
#include "lib.h"

void *memcpy(void *to, const void *from, size_t n)
{
	void *start = to;

	/* Whole words first: a page is 1024 of them. */
	asm volatile("rep movsl\n\tmovl %3, %%ecx\n\trep movsb"
		     : "+D"(to), "+S"(from), "+c"((size_t){n / 4})
		     : "r"(n % 4) : "memory");
	return start;
}

void *memmove(void *to, const void *from, size_t n)
{
	u8 *t = to;
	const u8 *f = from;

	if (t <= f || t >= f + n)
		return memcpy(to, from, n);
	while (n--)
		t[n] = f[n];
	return to;
}

void *memset(void *to, int byte, size_t n)
{
	void *start = to;

	asm volatile("rep stosl\n\tmovl %3, %%ecx\n\trep stosb"
		     : "+D"(to), "+c"((size_t){n / 4})
		     : "a"((byte & 0xff) * 0x01010101u), "r"(n % 4) : "memory");
	return start;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *x = a, *y = b;

	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n])
		n++;
	return n;
}

size_t strlen(const char *s)
{
	return strnlen(s, (size_t)-1);
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n; n--, a++, b++)
		if (*a != *b || !*a)
			return (u8)*a - (u8)*b;
	return 0;
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, (size_t)-1);
}

const char *strchr(const char *s, int c)
{
	for (; *s; s++)
		if (*s == (char)c)
			return s;
	return c ? NULL : s;
}

const char *strstr(const char *s, const char *part)
{
	size_t n = strlen(part);

	for (; *s; s++)
		if (!strncmp(s, part, n))
			return s;
	return n ? NULL : s;
}

void strcopy(char *to, const char *s, size_t size)
{
	size_t n = strnlen(s, size - 1);

	memcpy(to, s, n);
	to[n] = '\0';
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return 99;
}

bool parse_number(const char *s, u32 *value)
{
	u32 base = 10;
	u64 sum = 0;

	if (!strncmp(s, "0x", 2)) {
		base = 16;
		s += 2;
	}
	if (!*s)
		return false;
	for (; *s; s++) {
		u32 digit = digit_value(*s);

		if (digit >= base)
			return false;
		sum = sum * base + digit;
		if (sum > 0xffffffffu)
			return false;
	}
	*value = sum;
	return true;
}
