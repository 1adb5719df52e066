# SPDX-License-Identifier: MIT
"""Questions of lab 11, with numbers from the student's seed.  Staff only."""

import random

HOMEWARD = 100          # rounds of lab11-calls.asm through interrupt gates
EACH = (1, 8, 16)       # a system call each round, a breakpoint each 8th, UD2 each 16th


def ask(seed):
    r = random.Random("lab11/%s" % seed)
    number = r.randrange(1 << 20, 1 << 24)
    rounds = 1000 + number % 1000
    direct = sum(rounds // each for each in EACH)
    # A gate of DPL 0 is no door for ring 3: of the three only UD2 comes under its own number.
    home = rounds // 16 + HOMEWARD // 16
    top = r.randrange(0x200, 0x400) << 12
    register, vector = r.choice((("ES", 11), ("SS", 12)))
    return [
        ("11.a", """
Predict, then run, on a Host with 11.1 and 11.2 solved:

    ./launcher --stats=calls.json ../build/labs/inmates/lab11-calls.elf %d

(labs/lab11/inmates/lab11-calls.asm says what the number means.) How many traps with the
vectors 3, 6 and 0x80 does the Switcher deliver by itself, all three together?
""" % number, direct),
        ("11.b", """
The same run on a Host with the stubs of 11.1 and 11.2, where nothing is direct and each gate of
the CPU's has DPL 0: how many exits with these three vectors, together? And where are all the
others? (Only the number.)
""", home),
        ("11.c", """
A Guest has said SET_STACK with %#x as the stack's end, and its gates for all exceptions are
trap gates with DPL 3. Its process says `int $%d`, and the handler comes back. Then it loads into
%s a selector whose segment is not present: vector %d as well. What is esp when the first
instruction of the handler runs, the first time and the second time? Add the two, and say it
in hexadecimal.
""" % (top, vector, register, vector), (top - 20) + (top - 24)),
    ]
