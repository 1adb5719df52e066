# SPDX-License-Identifier: MIT
"""What the Guests of lab 11 should have made the Host count, worked out without a Host."""

SYSCALL, BREAKPOINT, UNDEFINED, FAULT = 0x80, 3, 6, 14
HOMEWARD = 100      # rounds through interrupt gates


def calls(nonce, output, status, stats):
    """lab11-calls.asm: which way did they take?  -> why not, or what was counted"""
    if status != 0:
        return "the Guest did not power off: status %d" % status
    rounds = 1000 + nonce % 1000
    for vector, name, each in ((SYSCALL, "system calls", 1), (BREAKPOINT, "breakpoints", 8),
                               (UNDEFINED, "undefined instructions", 16)):
        direct, exits = stats["direct"][vector], stats["exit_vector"][vector]
        if direct != rounds // each:
            return "%d of %d %s were direct" % (direct, rounds // each, name)
        if exits != HOMEWARD // each:
            return "%d exits to the Host for %s, expected %d: those through interrupt gates" % (
                exits, name, HOMEWARD // each)
    if stats["direct"][FAULT]:
        return "%d page faults were direct" % stats["direct"][FAULT]
    return {"exits_per_syscall": (stats["exit_vector"][SYSCALL] - HOMEWARD) / rounds}


def both_ways(nonce, output, status, stats):
    """tests/inmates/syscall.asm: ten thousand past the Host, ten thousand through it."""
    direct, exits = stats["direct"][SYSCALL], stats["exit_vector"][SYSCALL]
    if direct < 10000:
        return "%d system calls were direct, expected 10000 and some" % direct
    if not 10000 <= exits <= 10100:
        return "%d exits for system calls, expected 10000 and some" % exits
    return None


def soft(nonce, output, status, stats):
    """tests/inmates/soft-ints.asm: INT n of ring 1, once through each kind of gate."""
    for vector in (9, 16, 19):
        if stats["direct"][vector] != 1:
            return "INT %d through a trap gate was direct %d times, expected once" % (
                vector, stats["direct"][vector])
    for vector in (10, 11, 12, 17):
        if stats["exit_vector"][vector]:
            return "INT %d came by its own gate: it has no error code, and the stub counts on " \
                   "one" % vector
    return None
