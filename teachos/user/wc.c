/* SPDX-License-Identifier: MIT */
/*G:845 wc
 * wc FILE...: how many lines, words and bytes. :*/
#include "user.h"

static u32 total[3];
static int files;

static void show(const u32 count[3], const char *name)
{
	printf("%7u %7u %7u%s%s\n", count[0], count[1], count[2], *name ? " " : "", name);
}

static int count(int fd, const char *name)
{
	u32 sum[3] = {0, 0, 0};
	bool in_word = false;
	char chunk[512];
	int n, i;

	while ((n = read(fd, chunk, sizeof(chunk))) > 0) {
		sum[2] += n;
		for (i = 0; i < n; i++) {
			bool space = chunk[i] == ' ' || (chunk[i] >= '\t' && chunk[i] <= '\r');

			sum[0] += chunk[i] == '\n';
			sum[1] += !space && !in_word;
			in_word = !space;
		}
	}
	if (n < 0)
		complain("wc: %s: %s\n", name, error_text(n));
	show(sum, fd ? name : "");
	for (i = 0; i < 3; i++)
		total[i] += sum[i];
	files++;
	return n < 0;
}

int main(int argc, char **argv)
{
	int bad = for_each_file("wc", argv + 1, argc - 1, count);

	if (files > 1)
		show(total, "total");
	return bad;
}
