/* SPDX-License-Identifier: MIT */
/*G:773 cksum
 * cksum FILE...: a checksum and the length in bytes, the same as POSIX's cksum gives, so
 * that two machines can compare what they have without sending it. :*/
#include "user.h"

#define POLYNOMIAL 0x04c11db7u

static u32 table[256];

static void make_table(void)
{
	u32 i, bit;

	for (i = 0; i < 256; i++) {
		table[i] = i << 24;
		for (bit = 0; bit < 8; bit++)
			table[i] = table[i] << 1 ^ (table[i] >> 31 ? POLYNOMIAL : 0);
	}
}

static u32 add(u32 sum, u8 byte)
{
	return sum << 8 ^ table[sum >> 24 ^ byte];
}

static int show(int fd, const char *name)
{
	static u8 chunk[8192];
	u32 sum = 0, length = 0, rest;
	int n, i;

	while ((n = read(fd, chunk, sizeof(chunk))) > 0) {
		for (i = 0; i < n; i++)
			sum = add(sum, chunk[i]);
		length += n;
	}
	if (n < 0) {
		complain("cksum: %s: %s\n", name, error_text(n));
		return 1;
	}
	for (rest = length; rest; rest >>= 8)
		sum = add(sum, rest);
	printf("%u %u %s\n", ~sum, length, name);
	return 0;
}

int main(int argc, char **argv)
{
	make_table();
	return for_each_file("cksum", argv + 1, argc - 1, show);
}
