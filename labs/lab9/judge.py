# SPDX-License-Identifier: MIT
"""What shadow paging cost the Guests of lab 9, for the leaderboard."""

import re

FILLS = ("fill_read", "fill_write", "fill_dirty")


def fills(nonce, output, status, stats):
    """lab9-fork.asm: -> how many entries were filled for one fork"""
    said = re.search(r"^# forks (\d+)$", output, re.M)
    if not said:
        return None         # another Guest
    faults, forks = stats["fault_protection"], int(said.group(1))
    if faults != forks * 80:
        return "%d faults were the Guest's own, expected %d: 64 of the parent, 16 of the child" % (
            faults, forks * 80)
    return {"fills_per_fork": round(sum(stats[k] for k in FILLS) / forks, 1)}
