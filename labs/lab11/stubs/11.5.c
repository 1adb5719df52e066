// SPDX-License-Identifier: MIT
int snapshot_write(int fd, const struct snapshot *from, const struct bus *bus,
		   const char *keys, size_t key_bytes, uint32_t *pages)
{
	/* put(&sink, ...) writes, and keeps count and sum; next comes the sum itself. */
	struct sink sink = { .fd = fd };

	(void)from, (void)bus, (void)keys, (void)key_bytes;
	*pages = 0;
	return sink.error ? sink.error : ENOSYS;
}
