# SPDX-License-Identifier: MIT
"""Questions of lab 6, with numbers from the student's seed.  Staff only."""

import random

from engine.abi import ring_size


def ask(seed):
    r = random.Random("lab6/%s" % seed)
    frames = r.randrange(3, 200)
    gpa = r.randrange(1, frames) * 4096 - r.randrange(1, 100)
    length = frames * 4096 - gpa
    ring = ring_size()
    queued, other = r.randrange(ring + 1, 2 * ring - 8), r.randrange(2, 30)
    return [
        ("6.a", """
A Guest has %d frames. It asks the Host to read at gpa %#x. What is the largest length
that lg_range_ok() accepts?
""" % (frames, gpa), length),
        ("6.b", """
A Guest queues %d calls of LHCALL_TS; whenever it finds no free slot it makes one direct
LHCALL_FLUSH_ASYNC. Then it makes %d direct hypercalls in a row. How many exits with vector
0x1f does the Host count for all of this?
""" % (queued, other), (queued - 1) // ring + other),
    ]
