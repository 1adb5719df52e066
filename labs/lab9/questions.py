# SPDX-License-Identifier: MIT
"""Questions of lab 9, with numbers from the student's seed.  Staff only."""

import random


def ask(seed):
    r = random.Random("lab9/%s" % seed)
    gva = r.randrange(0x08000000, 0xb0000000)
    root, table = r.randrange(1, 60) << 12, r.randrange(60, 200) << 12
    us, nx = r.choice([0, 4]), r.randrange(2)
    frame = r.randrange(0x300, 0x400)
    processes, ranges, kernel = r.randrange(3, 12), r.randrange(2, 6), r.randrange(3, 9)
    # RW, dirty: the shadow looks at both.  The cache's bits, global, the kernel's own: at none.
    writable = r.choice([0, 2, 0x40, 0x42])
    low = us | 1 | writable | r.choice([0, 8, 0x10, 0x18]) | r.randrange(16) << 8
    pte = nx << 63 | frame << 12 | low
    return [
        ("9.a", """
A two-level Guest's cr3 is %#x. The directory entry for the address %#x names frame %#x. At
which guest-physical address is the PTE, in hexadecimal?
""" % (root, gva, table >> 12), table + (gva >> 12 & 1023) * 4),
        ("9.b", """
A PAE Guest's PTE is %#018x; its directory entry has flags 0x067.
Ring 1 reads from the page. What are the lower twelve bits of the entry in the shadow after
that? Add to it the lower twelve bits of the Guest's own PTE, and say it in hexadecimal.
""" % pte, (0x61 | us | (2 if writable == 0x42 else 0)) + (low | 0x20)),
        ("9.c", """
A Guest's kernel is at 0xc0000000. It has %d processes, and each has touched pages in %d
different blocks of 2 MiB, all below 1 GiB. Its kernel has touched pages in %d different
blocks, all above 0xc0000000, in the name of whichever process. How many shadow tables are
live, if nothing was dropped?
""" % (processes, ranges, kernel), processes * (1 + ranges) + 1 + kernel),
    ]
