# SPDX-License-Identifier: MIT
"""Questions of lab 5, with numbers from the student's seed.  Staff only."""

import random


def ask(seed):
    r = random.Random("lab5/%s" % seed)
    ours = r.randrange(65500, 65536)
    new = r.randrange(2, 200)
    num = 256
    gpa = r.randrange(0x500, 0x900) * 4096
    return [
        ("5.a", """
Our next_avail is %d; the Guest's available index is %d; the ring has 256 entries. How many
buffers are new?
""" % (ours, (ours + new) % 65536), new),
        ("5.b", """
A ring of 256 entries begins at %#x. At which address is `idx` of the used ring? (Include
lguest_bus.h; the alignment is a page.)
""" % gpa, gpa + (16 * num + 6 + 2 * num + 4095) // 4096 * 4096 + 2),
    ]
