# SPDX-License-Identifier: MIT
"""Questions of lab 2, with numbers from the student's seed.  Staff only."""

import random


def ask(seed):
    r = random.Random("lab2/%s" % seed)
    offset = 0xc0100000 + r.randrange(0x1000, 0x40000)
    dpl, trap = r.choice([0, 3]), r.randrange(2)
    pages, clean = r.randrange(30, 90), r.randrange(3, 20)
    few = r.randrange(3, 20)
    field, at = r.choice([("ecx", 40), ("edx", 36), ("cs", 60), ("eflags", 64), ("ds", 12)])
    return [
        ("2.a", """
trap_set_gate() is called with a handler at %#x, %s gate and DPL %d. Which high word does the
Host get, in hexadecimal?
""" % (offset, "a trap" if trap else "an interrupt", dpl),
         (offset & 0xffff0000) | 0x8000 | dpl << 13 | (0xf if trap else 0xe) << 8),
        ("2.b", """
A process has %d writable pages and %d read-only ones, and forks. Later another one with %d
writable pages and %d read-only ones does the same. How many SET_PTEs did root_fork() ask for in
all, if it does what its contract says?
""" % (pages, clean, few, clean), min(pages, 24) + few),
        ("2.c", """
trap_handler() is given the address of a frame. How many bytes above that is what the process had
in %s, in decimal?
""" % field, at),
    ]
