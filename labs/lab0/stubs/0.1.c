/* SPDX-License-Identifier: MIT */
const char *vector_name(uint32_t vector, char *text, size_t size)
{
	/* TODO 0.1.  0 to 19: the table of SDM vol. 3, 6-1, as "#DE divide", "#DB debug", "NMI",
	 * "#BP breakpoint", "#OF overflow", "#BR bound", "#UD bad instruction", "#NM no FPU",
	 * "#DF double fault", "FPU overrun", "#TS bad TSS", "#NP no segment", "#SS stack segment",
	 * "#GP protection", "#PF page fault", "reserved", "#MF FPU error", "#AC alignment",
	 * "#MC machine check", "#XF SIMD error".  Then: "vector 25" for what has no name below 32,
	 * "hypercall" for 0x1f, "system call" for 0x80, "real interrupt" for all others, and from
	 * 256 up "fault 13 in the Switcher", for 256 + 13. */
	(void)vector;
	snprintf(text, size, "?");
	return text;
}
