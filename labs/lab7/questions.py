# SPDX-License-Identifier: MIT
"""Questions of lab 7, with numbers from the student's seed.  Staff only."""

import random


def ask(seed):
    r = random.Random("lab7/%s" % seed)
    esp1 = r.randrange(0xc0100000, 0xc0200000) & ~15
    esp = r.randrange(0xc0200000, 0xc0300000) & ~15
    vector = r.choice([10, 11, 12, 17])
    selector, base = r.randrange(1, 0xffff), r.randrange(1, 0x100)    # bits 7..0: base 23..16
    access = r.choice([0x92, 0x9a, 0xd2, 0xda])
    high = access << 8 | 0x00400000 | base
    washed = (access + 0x20) | 1
    again, times = r.choice([0, 6, 11, 13]), r.randrange(2, 12)
    return [
        ("7.a", """
SET_STACK said esp = %#x. A program in ring 3 traps with vector %d, and the handler, before
it returns, traps again with vector %d when its esp is %#x. How far below %#x is esp at the
first instruction of the first handler, in bytes? Add %d times how far it is below %#x at the
first instruction of the second.
""" % (esp1, vector, again, esp, esp1, times, esp), 24 + times * (16 if again > 6 else 12)),
        ("7.b", """
A Guest loads a GDT entry: low word %#010x, high word %#010x. What is the high word that the CPU
sees, in hexadecimal?
""" % (selector, high), (high & ~0xff00) | washed << 8),
    ]
