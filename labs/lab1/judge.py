# SPDX-License-Identifier: MIT
"""What the Guests of lab 1 should have made the Host count."""

from engine import abi

FLUSH_ASYNC, INIT, NEW_PGTABLE, SET_STACK = (abi.number(n) for n in (
    "FLUSH_ASYNC", "LGUEST_INIT", "NEW_PGTABLE", "SET_STACK"))
GP = 13


def asked_nicely(stats):
    """Nothing that a kernel does by itself and a Guest may not: each would be a #GP."""
    if stats["exit_vector"][GP] or stats["cli_skipped"]:
        return "%d #GP exits, %d of them by cli or sti; expected 0: the kernel still does " \
               "something itself" % (stats["exit_vector"][GP], stats["cli_skipped"])
    if stats["hypercall_direct"][INIT] != 1 or stats["hypercall_ring"][INIT]:
        return "%d LGUEST_INITs, expected 1" % stats["hypercall_direct"][INIT]
    return None


def hello(nonce, output, status, stats):
    """echo NONCE: it boots, says the number, and goes in peace."""
    if str(nonce) not in output.split():
        return "it did not say %d" % nonce
    return asked_nicely(stats)


def forks(nonce, output, status, stats):
    """forktest N: so many children, and all that their switching costs goes into lists."""
    from engine.guests import small
    n = small(nonce)
    if "forktest: %d children, %d counted right" % (n, n) not in output:
        return "not all of the %d children counted right" % n
    why = asked_nicely(stats)
    if why:
        return why
    direct, ring = stats["hypercall_direct"], stats["hypercall_ring"]
    # Two come before there are lists: boot.asm's, and the kernel's own tables.  Init's exec, and
    # each child that ends, leave their address space at once: its frames are given away.
    if direct[NEW_PGTABLE] != 3 + n or direct[SET_STACK]:
        return "%d NEW_PGTABLEs and %d SET_STACKs were trips of their own, expected %d and 0" % (
            direct[NEW_PGTABLE], direct[SET_STACK], 3 + n)
    if ring[NEW_PGTABLE] < n or ring[SET_STACK] < n:
        return "%d children, but only %d NEW_PGTABLEs and %d SET_STACKs in the ring" % (
            n, ring[NEW_PGTABLE], ring[SET_STACK])
    if direct[FLUSH_ASYNC] > stats["ring_runs"]:
        return "%d FLUSH_ASYNCs, but the ring had work only %d times" % (
            direct[FLUSH_ASYNC], stats["ring_runs"])
    return None
