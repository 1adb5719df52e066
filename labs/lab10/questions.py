# SPDX-License-Identifier: MIT
"""Questions of lab 10, with numbers from the student's seed.  Staff only."""

import random

# Five words of 32 bits from ring 3, three from ring 1: what a gate pushes.
FROM_USER, FROM_KERNEL = 20, 12


def ask(seed):
    r = random.Random("lab10/%s" % seed)
    calls, faults = r.randrange(2000, 9000), r.randrange(300, 900)
    clock, nmis, missing = r.randrange(20, 90), r.randrange(3, 12), r.randrange(2, 9)
    esp1, depth = 0xc0100000 + 0x1000 * r.randrange(16, 200), 4 * r.randrange(3, 40)
    return [
        ("10.a", """
A Guest makes %d system calls (`int $0x80` from ring 3, a trap gate) and has %d page faults,
which are all its own affair: their gate is a trap gate, and the Host gives each of them back
to the Guest. %d real interrupts come while the Guest runs, and %d NMIs hit the Switcher on its
way in, between enter_begin and enter_end. %d of the system calls find the page of the ring-1
stack missing. There are no hypercalls at all. How often is leave_guest run?
""" % (calls, faults, clock, nmis, missing), faults + clock + nmis + missing),
        ("10.b", """
The ring-1 stack of a Guest (SET_STACK) ends at %#x. A process in ring 3 makes a system call; its
handler in ring 1 pushes %d bytes and then executes an undefined instruction, for which there is
a trap gate. What is esp (in decimal) when the first instruction of that second handler runs?
""" % (esp1, depth), esp1 - FROM_USER - depth - FROM_KERNEL),
    ]
