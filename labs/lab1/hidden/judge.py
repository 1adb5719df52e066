# SPDX-License-Identifier: MIT
"""What the hidden Guest of lab 1 should have said and made the Host count."""

from engine import abi

NEW_PGTABLE, SET_STACK, FLUSH_ASYNC = (abi.number(n) for n in (
    "NEW_PGTABLE", "SET_STACK", "FLUSH_ASYNC"))


def pipes(nonce, output, status, stats):
    """10 to 29 pipelines of two programs, typed at the shell."""
    rounds = 10 + nonce % 20
    lines = [l.split() for l in output.splitlines()]
    for k in range(1, rounds + 1):
        words = ["1", "2", str(len("%d %d\n" % (k, nonce)))]
        if words not in [l[:3] for l in lines]:
            return "no line says %s: pipeline %d of %d has another result" % (
                " ".join(words), k, rounds)
    if status != 0:
        return "the Guest did not power off: status %d" % status
    direct, ring = stats["hypercall_direct"], stats["hypercall_ring"]
    # Two at boot, one when the shell began; each program begins, and ends.
    if direct[NEW_PGTABLE] != 3 + 4 * rounds or direct[SET_STACK]:
        return "%d NEW_PGTABLEs and %d SET_STACKs were trips of their own, expected %d and 0" % (
            direct[NEW_PGTABLE], direct[SET_STACK], 3 + 4 * rounds)
    if ring[NEW_PGTABLE] < 2 * rounds or ring[SET_STACK] < 2 * rounds:
        return "%d pipelines, but only %d NEW_PGTABLEs and %d SET_STACKs in the ring" % (
            rounds, ring[NEW_PGTABLE], ring[SET_STACK])
    if direct[FLUSH_ASYNC] > stats["ring_runs"]:
        return "%d FLUSH_ASYNCs, but the ring had work only %d times" % (
            direct[FLUSH_ASYNC], stats["ring_runs"])
    return None
