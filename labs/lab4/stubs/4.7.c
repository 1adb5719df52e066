/* SPDX-License-Identifier: MIT */
void zero_page_fill(uint8_t *page, uint64_t ram, uint32_t initrd_size)
{
	/* TODO 4.7.  The offsets are BP_... above; ABI.md 1.3 says what belongs there. */
	(void)page;
	(void)ram;
	(void)initrd_size;
}
