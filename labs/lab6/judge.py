# SPDX-License-Identifier: MIT
"""What the Guests of lab 6 should have made the Host count, worked out without a Host."""

from engine.abi import number, ring_size

CALLS = 3000
TS, CLOCKEVENT, FLUSH_TLB, FLUSH_ASYNC, SEND_INTERRUPTS = map(
    number, ("TS", "SET_CLOCKEVENT", "FLUSH_TLB", "FLUSH_ASYNC", "SEND_INTERRUPTS"))


def tally(nonce, output, status, stats):
    """lab6-tally.asm, played here.  -> None, or what is wrong."""
    numbers = (TS, CLOCKEVENT, FLUSH_TLB, FLUSH_ASYNC)
    ring, direct = [0] * 20, [0] * 20
    state, left, queued = nonce & 0xffffffff, CALLS, 0
    while left > 0:
        state = (state * 1664525 + 1013904223) & 0xffffffff
        if queued == ring_size():
            direct[FLUSH_ASYNC] += 1
            queued = 0
        else:
            ring[numbers[state >> 16 & 3]] += 1
            queued += 1
            left -= 1
        if state >> 20 & 15 == 0:
            direct[SEND_INTERRUPTS] += 1
            queued = 0
    direct[FLUSH_ASYNC] += 1
    if status != 0:
        return "the Guest did not power off: status %d" % status
    for call in (TS, CLOCKEVENT, FLUSH_TLB, FLUSH_ASYNC, SEND_INTERRUPTS):
        for what, want, got in (("from the ring", ring, stats["hypercall_ring"]),
                                ("directly", direct, stats["hypercall_direct"])):
            # The library makes calls of its own, directly, before main: not these.
            if got[call] != want[call] and not (what == "directly" and call == FLUSH_TLB):
                return "hypercall %d came %d times %s, expected %d" % (
                    call, got[call], what, want[call])
    return None
