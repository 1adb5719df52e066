# SPDX-License-Identifier: MIT
"""Which way the traps of lab 11's hidden Guest should have gone."""

SYSCALL, UNDEFINED, ROUNDS = 0x80, 6, 24


def fickle(nonce, output, status, stats):
    """hidden11-fickle.asm, played here.  -> None, or what is wrong"""
    if status != 0:
        return "the Guest did not power off: status %d" % status
    want = {SYSCALL: [0, 0], UNDEFINED: [0, 0]}      # by interrupt gates, by trap gates
    for k in range(ROUNDS):
        calls = 4 * k + 8
        want[SYSCALL][nonce >> k & 1] += calls
        want[UNDEFINED][nonce >> k + 1 & 1] += calls // 4
    for vector, what in ((SYSCALL, "system calls"), (UNDEFINED, "undefined instructions")):
        home, direct = want[vector]
        if stats["direct"][vector] != direct:
            return "%d %s were direct, expected %d: those through trap gates" % (
                stats["direct"][vector], what, direct)
        # A page of the stack that is not there yet sends one home.
        if not home <= stats["exit_vector"][vector] <= home + 2:
            return "%d exits for %s, expected %d: those through interrupt gates" % (
                stats["exit_vector"][vector], what, home)
    return None
