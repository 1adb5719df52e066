// SPDX-License-Identifier: MIT
/*
 * Lab 9, where no student looks: neighbours that move.  A few address spaces, two pages in
 * each, frames that are shared, given away and taken back; the Guest says what it must and
 * not more.  After each step the shadow of the space that is in use says what its tables say.
 */
#include "mmu.h"

#define SPACES	6u
#define LOW	0x08000000u
#define HIGH	0x40001000u		/* behind the next GiB, for PAE */
#define STACK	0x09000000u
#define HANDLER	0x00400000u

static void neighbours(void **state)
{
	u32 pae, round, i, k;

	(void)state;
	random_start("neighbours");
	for (pae = 0; pae < 2; pae++) {
		struct world *w = world_new(&(struct world_plan){ .kernel_address = 0xc0000000,
								 .frames = 200 });
		u32 root[SPACES], frame[8], now = 0, faults = 0;
		static const u32 gva[2] = { LOW, HIGH };
		u64 entry[SPACES][2];

		w->lg.pae = pae;
		for (k = 0; k < 8; k++)
			frame[k] = world_frame(w);
		for (i = 0; i < SPACES; i++) {
			root[i] = guest_root(w);
			for (k = 0; k < 2; k++) {
				entry[i][k] = (u64)frame[below(8)] << 12 | 7;
				guest_map(w, root[i], gva[k], entry[i][k]);
			}
			guest_map(w, root[i], STACK, (u64)world_frame(w) << 12 | 0x63);
		}
		check(world_hypercall(w, LHCALL_LOAD_IDT_ENTRY, 14, (HANDLER & 0xffff) | 0x61 << 16,
				      (HANDLER & 0xffff0000) | 0x8e00, 0) == ENTERS, "%s", w->lg.text);
		check(world_hypercall(w, LHCALL_NEW_PGTABLE, root[0], 0, 0, 0) == ENTERS, "%s",
		      w->lg.text);
		check(world_hypercall(w, LHCALL_SET_STACK, 0x69, STACK + 4096, 1, 0) == ENTERS, "%s",
		      w->lg.text);
		for (round = 0; round < 4000; round++) {
			u32 access = chance(50) ? A_WRITE | A_USER : A_USER;
			u64 new;

			i = below(SPACES);
			k = below(2);
			switch (below(4)) {
			case 0:		/* another space */
				now = i;
				check(world_hypercall(w, LHCALL_NEW_PGTABLE, root[now], 0, 0, 0) == ENTERS,
				      "%s", w->lg.text);
				break;
			case 1:		/* a page moves, is gone, read-only, not for users */
				new = (u64)frame[below(8)] << 12 | (chance(20) ? 0 :
								     1 | below(2) << 1 | (chance(80) ? 4 : 0));
				entry[i][k] = new;
				guest_set_entry(w, guest_pte_gpa(w, root[i], gva[k], true), new);
				check(world_hypercall(w, LHCALL_SET_PTE, root[i], gva[k], (u32)new,
						      (u32)(new >> 32)) == ENTERS, "%s", w->lg.text);
				break;
			default: {
				struct verdict want = mmu_guest(w, root[now], gva[k], access);
				bool ok;

				lg_regs(&w->lg)->cs = 0x73;
				lg_regs(&w->lg)->ss = 0x7b;
				lg_regs(&w->lg)->eip = 0x1000;
				ok = mmu_access(w, gva[k], access, HANDLER, &faults);
				check(ok == want.ok, "%s, space %u, %#x, access %#x: %s, its tables say %s "
				      "(%#llx)", pae ? "PAE" : "two levels", now, gva[k], access,
				      ok ? "allowed" : "refused", want.ok ? "yes" : "no",
				      (unsigned long long)entry[now][k]);
				if (ok)
					check(mmu_shadow(w, gva[k], access).pfn == want.pfn,
					      "space %u, %#x leads to frame %u, expected %u", now, gva[k],
					      mmu_shadow(w, gva[k], access).pfn, want.pfn);
				lg_regs(&w->lg)->cs = 0x61;
				lg_regs(&w->lg)->ss = 0x69;
				lg_regs(&w->lg)->esp = 0x9000;
				break;
			}
			}
		}
		check(faults > 200, "%u faults", faults);
		world_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(neighbours) };

	return cmocka_run_group_tests_name("hidden", tests, NULL, NULL);
}
