# SPDX-License-Identifier: MIT
"""What the Guests of lab 2 should have said and made the Host count, worked out without one."""

import re

from engine import abi

NEW_PGTABLE, SET_STACK, IDT = (abi.number(n) for n in (
    "NEW_PGTABLE", "SET_STACK", "LOAD_IDT_ENTRY"))
ROUNDS, PF, GP, SYSCALL = 50000, 14, 13, 0x80
FLAGS = 0xcd5


def sum_of(number, rounds=ROUNDS):
    """suffer() of teachos/user/torture.c, without any trap."""
    state, total = number | 1, 0
    for _ in range(rounds):
        for word in range(7):
            state ^= state << 13 & 0xffffffff
            state ^= state >> 17
            state ^= state << 5 & 0xffffffff
            total = (total * 31 + (state & FLAGS if word == 6 else state)) & 0xffffffff
    return total


def torture(nonce, output, status, stats):
    """Both processes' sums, and the traps that they cost."""
    said = dict(re.findall(r"^torture: (\d) is (0x[0-9a-f]{8})\r?$", output, re.M))
    for n in (1, 2):
        expected = "0x%08x" % sum_of(nonce * n & 0xffffffff)
        if said.get(str(n)) != expected:
            return "process %d says %s, expected %s: a register came back from a trap as " \
                   "another" % (n, said.get(str(n), "nothing"), expected)
    if stats["exit_vector"][GP]:
        return "%d #GP exits, expected 0" % stats["exit_vector"][GP]
    if stats["reflected"][PF] + stats["direct"][PF] < 512:
        return "%d page faults were the kernel's, expected at least 512" % stats["reflected"][PF]
    if stats["timer_fired"] < 2:
        return "the clock went off %d times: nobody was preempted" % stats["timer_fired"]
    return None


def ordinary(nonce, output, status, stats):
    """echo NONCE: gates, stacks and tables as they should be."""
    if str(nonce) not in output.split():
        return "it did not say %d" % nonce
    if stats["exit_vector"][GP]:
        return "%d #GP exits, expected 0" % stats["exit_vector"][GP]
    # 0 to 19 without 2 and 15, 32 to 63, 0x80.
    if stats["hypercall_direct"][IDT] != 51:
        return "%d gates, expected 51" % stats["hypercall_direct"][IDT]
    if not stats["direct"][SYSCALL]:
        return "no system call went straight to the kernel: its gate is no trap gate"
    return None


def forks(nonce, output, status, stats):
    """forktest N: so many address spaces come and go, and each change is told in a list."""
    from engine.guests import small
    n = small(nonce)
    if "forktest: %d children, %d counted right, ours is still 1000" % (n, n) not in output:
        return "not all of the %d children counted right" % n
    ring, direct = stats["hypercall_ring"], stats["hypercall_direct"]
    # Outside of it: two at boot, one at init's exec, and one for each child that ends.
    if direct[NEW_PGTABLE] != 3 + n or ring[NEW_PGTABLE] < n or ring[SET_STACK] < n:
        return "%d children, %d NEW_PGTABLEs in the ring and %d outside of it, %d SET_STACKs" % (
            n, ring[NEW_PGTABLE], direct[NEW_PGTABLE], ring[SET_STACK])
    if stats["set_pgd_present"] < n:
        return "%d address spaces went, and the Host was told of %d slots" % (
            n, stats["set_pgd_present"])
    return None
