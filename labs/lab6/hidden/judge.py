# SPDX-License-Identifier: MIT
"""What the hidden Guest of lab 6 should have made the Host count."""

from engine.abi import number


def words(nonce, output, status, stats):
    """hidden6-words.asm.  -> None, or what is wrong."""
    rounds = 30 + nonce % 50
    if status != 0:
        return "the Guest did not power off: status %d" % status
    for what, where, want in (("TS", "ring", 2 * rounds), ("NOTIFY", "ring", 2 * rounds),
                              ("SET_CLOCKEVENT", "ring", rounds),
                              ("SEND_INTERRUPTS", "direct", rounds)):
        got = stats["hypercall_" + where][number(what)]
        if got != want:
            return "%d calls of %s (%s), expected %d" % (got, what, where, want)
    return None
