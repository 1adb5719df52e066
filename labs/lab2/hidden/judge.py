# SPDX-License-Identifier: MIT
"""What the hidden Guest of lab 2 should have made the Host count."""

DIVIDE, UNDEFINED, PF = 0, 6, 14


def mishaps(nonce, output, status, stats):
    """So many programs that divide by zero, do what no processor does, read what is not theirs."""
    if status != 0:
        return "the Guest did not power off: status %d" % status
    if "left %d" % nonce not in output:
        return "the shell did not say %d in the end" % nonce
    for vector, most, base, what in ((DIVIDE, 5, 2, "divisions by zero"),
                                     (UNDEFINED, 7, 3, "undefined instructions")):
        want = base + nonce % most
        got = stats["reflected"][vector] + stats["direct"][vector]
        if got != want:
            return "%d %s were the kernel's, expected %d" % (got, what, want)
    if stats["reflected"][PF] + stats["direct"][PF] < 8:
        return "hardly a page fault"
    return None
