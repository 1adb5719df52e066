# SPDX-License-Identifier: MIT
"""Which way the Guest of lab 10 went, by the counters of Host and Switcher."""

from engine.abi import number

UD, SYSCALL = 6, 0x80


def crossings(nonce, output, status, stats):
    """lab10-crossings.asm: so many faults, system calls and hypercalls, and by which door."""
    faults, calls, flushes = 300 + nonce % 37, 2000 + nonce % 301, 500 + nonce % 101
    if status != 0:
        return "the Guest did not power off: status %d" % status
    if stats["direct"][UD] != faults:
        return "%d of %d faults were delivered by the Switcher alone" % (stats["direct"][UD], faults)
    if stats["exit_vector"][UD]:
        return "%d faults went to the Host, expected none" % stats["exit_vector"][UD]
    # A stack page that is missing sends one of them to the Host.
    direct, home = stats["direct"][SYSCALL], stats["exit_vector"][SYSCALL]
    if direct + home != calls or home > 2 or home != stats["fixups"]:
        return "%d system calls: %d by the short cut, %d by the Host, %d for a missing page" % (
            calls, direct, home, stats["fixups"])
    if stats["hypercall_direct"][number("FLUSH_ASYNC")] != flushes:
        return "%d hypercalls arrived, expected %d" % (
            stats["hypercall_direct"][number("FLUSH_ASYNC")], flushes)
    if stats["entry_aborts"] > stats["nmi_switcher"]:
        return "%d entries were given up for %d NMIs" % (stats["entry_aborts"], stats["nmi_switcher"])
    return None
