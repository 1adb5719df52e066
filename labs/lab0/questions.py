# SPDX-License-Identifier: MIT
"""Questions of lab 0, with numbers from the student's seed.  Staff only."""

import random

from engine.abi import number as call


def ask(seed):
    r = random.Random("lab0/%s" % seed)
    number = r.randrange(1 << 20, 1 << 24)
    ts, queued, bad, ports, trap, interrupt = [(number >> 4 * k & 15) + 3 for k in range(6)]
    run = "./launcher --stats=day.json ../build/labs/inmates/lab0-day.elf %d" % number
    first = """
Predict, then run:

    %s

and look into day.json. (labs/lab0/inmates/lab0-day.asm says what the number means.)
How many hypercalls of TS (number %d) does the Host count as direct?
""" % (run, call("TS"))
    return [
        ("0.a", first, ts),
        ("0.b", "\nThe same run: how many calls of SET_CLOCKEVENT (%d) come from the ring?\n"
         % call("SET_CLOCKEVENT"), queued),
        ("0.c", "\nHow many #UD (vector 6) does the Host reflect to the Guest?\n", bad),
        ("0.d", "\nHow many IN instructions does the Host finish (in_emulated)?\n", ports),
        ("0.e", "\nHow many of the system calls (vector 0x80) does the Switcher deliver directly?\n",
         trap),
        ("0.f", "\nHow many exits with vector 0x80 are there, and why not %d?\n"
         "(Only the number.)\n" % (trap + interrupt), interrupt),
    ]
