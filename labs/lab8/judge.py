# SPDX-License-Identifier: MIT
"""What the Guests of lab 8 should have made the Host count, worked out without a Host."""

from engine.abi import number

HALT, CLOCKEVENT = number("HALT"), number("SET_CLOCKEVENT")
STORM = 1000


def powered_off(status):
    return None if status == 0 else "the Guest did not power off: status %d" % status


def books(stats):
    """Each expiry was delivered, or found the bit of one that was."""
    fired, delivered = stats["timer_fired"], stats["irq_delivered"]
    if fired != delivered + stats["irq_coalesced"]:
        return "the clock went off %d times, but %d were delivered and %d coalesced" % (
            fired, delivered, stats["irq_coalesced"])
    return None


def ticks(nonce, output, status, stats):
    """lab8-ticks.asm: so many naps, each with a clock of its own."""
    naps = 20 + nonce % 41
    why = powered_off(status) or books(stats)
    if why:
        return why
    if stats["hypercall_direct"][HALT] != naps or stats["hypercall_direct"][CLOCKEVENT] != naps:
        return "%d HALTs and %d SET_CLOCKEVENTs, expected %d of each" % (
            stats["hypercall_direct"][HALT], stats["hypercall_direct"][CLOCKEVENT], naps)
    if stats["irq_delivered"] != naps or stats["irq_woke"] != naps:
        return "%d interrupts delivered, %d ended a HALT; expected %d of each" % (
            stats["irq_delivered"], stats["irq_woke"], naps)
    if stats["halts"] > naps:
        return "%d naps, but it lay down %d times" % (naps, stats["halts"])
    # Asleep it makes no section.  Awake, each real interrupt ends one, and so does a page
    # that has to be fetched.
    limit = 4 * naps + stats["irq_exits"] + stats["restarts"] + 200
    if stats["sections"] > limit:
        return "%d sections for %d naps, expected %d at most: it does not sleep" % (
            stats["sections"], naps, limit)
    return None


def storm(nonce, output, status, stats):
    """lab8-storm.asm: the clock goes off again and again while masked."""
    arms = STORM + nonce % 100
    why = powered_off(status) or books(stats)
    if why:
        return why
    if stats["timer_armed"] != arms:
        return "the clock was armed %d times, expected %d" % (stats["timer_armed"], arms)
    if stats["irq_delivered"] != 1:
        return "%d interrupts delivered, expected 1" % stats["irq_delivered"]
    if stats["timer_fired"] > arms:
        return "the clock went off %d times, armed %d times" % (stats["timer_fired"], arms)
    return None
