# SPDX-License-Identifier: MIT
"""What the hidden Guest of lab 8 should have made the Host count."""


def mask(nonce, output, status, stats):
    """hidden8-mask.asm.  -> None, or what is wrong."""
    times = 6 + nonce % 7
    if status != 0:
        return "the Guest did not power off: status %d" % status
    for what in ("timer_armed", "timer_fired", "irq_delivered"):
        if stats[what] != times:
            return "%s is %d, expected %d" % (what, stats[what], times)
    return None
