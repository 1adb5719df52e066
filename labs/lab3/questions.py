# SPDX-License-Identifier: MIT
"""Questions of lab 3, with numbers from the student's seed.  Staff only."""

import random

PAGE, CHUNK = 4096, 8192


def ask(seed):
    r = random.Random("lab3/%s" % seed)
    free = r.randrange(40, 60)
    size = r.randrange(200, 900) * 512
    requests = -(-size // CHUNK)
    out = r.randrange(3, 40) * PAGE + r.randrange(1, PAGE)
    last, fresh = r.randrange(65490, 65536), r.randrange(60, 200)
    num = r.choice((64, 128))
    return [
        ("3.a", """
In a disk's queue %d slots are free. Programs ask for pieces of one page, one piece in each
request. How many more requests get under way before one must wait?
""" % free, free // 3),
        ("3.b", """
In a ring of %d slots a device writes used entry number %d since the start; number 1 was in
used.ring[0]. Which value has used.idx right after it, and which entry of used.ring was it? Two
numbers, in this order.
""" % (num, last + fresh), "%d %d" % ((last + fresh) % 65536, (last + fresh - 1) % num)),
        ("3.c", """
give_out() is handed %d bytes in one go, and then a program reads a disk of %d bytes, from
beginning to end, in pieces of %d. How many kicks does that take, for the console's output and for
the disk together, if neither device ever says NO_NOTIFY?
""" % (out, size, CHUNK), -(-out // PAGE) + requests),
    ]
