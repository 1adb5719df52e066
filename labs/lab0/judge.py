# SPDX-License-Identifier: MIT
"""What the Guest of lab 0 should have made the Host count."""

from engine.abi import number


def counts(digits):
    """The six counts that are in a number."""
    return [(digits >> 4 * k & 15) + 3 for k in range(6)]


def day(nonce, output, status, stats):
    """lab0-day.asm.  -> None, or what is wrong."""
    ts, queued, bad, ports, trap, interrupt = counts(nonce)
    for what, got, want in (
            ("direct calls of TS", stats["hypercall_direct"][number("TS")], ts),
            ("queued calls of SET_CLOCKEVENT", stats["hypercall_ring"][number("SET_CLOCKEVENT")], queued),
            ("#UD reflected", stats["reflected"][6], bad),
            ("IN finished by the Host", stats["in_emulated"], ports),
            ("int 0x80 delivered directly", stats["direct"][0x80], trap),
            ("exits with vector 0x80", stats["exit_vector"][0x80], interrupt)):
        if got != want:
            return "%s: %d, expected %d" % (what, got, want)
    return None
