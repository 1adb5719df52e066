/* SPDX-License-Identifier: MIT */
/* Reads a file from beginning to end, 128 KiB at a time, twice: prints how many ticks the
 * second time took, and the sum of all its words.  For tests/bench-disk. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>
#include <x86intrin.h>

static uint32_t data[(128 << 10) / 4];

int main(int argc, char **argv)
{
	int fd = argc == 2 ? open(argv[1], O_RDONLY) : -1;
	uint64_t began = 0, ended;
	uint32_t sum = 0;
	ssize_t n;

	if (fd < 0)
		return 1;
	for (int round = 0; round < 2; round++) {
		lseek(fd, 0, SEEK_SET);
		began = __rdtsc();
		while ((n = read(fd, data, sizeof(data))) > 0)
			for (ssize_t i = 0; round == 0 && i < n / 4; i++)
				sum += data[i];
		if (n < 0)
			return 1;
	}
	ended = __rdtsc();
	printf("# ticks %llu\n# sum %u\n", (unsigned long long)(ended - began), sum);
	return 0;
}
