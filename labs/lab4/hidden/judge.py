# SPDX-License-Identifier: MIT
"""What the hidden Guest of lab 4 should find in its arguments."""

import re


def words(nonce, output, status, stats):
    """hidden4-words.asm.  -> None, or what is wrong."""
    total = 0
    for byte in b"%d and %d\0" % (nonce, nonce):
        total = (total * 33 + byte) & 0xffffffff
    m = re.search(r"^# words (0x[0-9a-f]+)", output, re.M)
    if not m or int(m.group(1), 16) != total:
        return "the checksum of its arguments is %s, expected %#x" % (
            m.group(1) if m else "missing", total)
    return None
