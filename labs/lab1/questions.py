# SPDX-License-Identifier: MIT
"""Questions of lab 1, with numbers from the student's seed.  Staff only."""

import random

from engine import abi


def ask(seed):
    r = random.Random("lab1/%s" % seed)
    slots = abi.ring_size()
    n, start = r.randrange(130, 400), r.randrange(slots)
    direct = n // (slots + 1)           # each time the ring is full
    trips = direct + (1 if n % (slots + 1) else 0)
    return [
        ("1.a", """
TeachOS opens a batch, makes %d lazy hypercalls and closes it. No interrupt comes, the ring was
empty before. How many trips to the Host is that, if lazy_hypercall() is right?
""" % n, trips),
        ("1.b", """
Before that batch ring_position was %d. What is it afterwards?
""" % start, (start + n - direct) % slots),
    ]
