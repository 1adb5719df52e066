# SPDX-License-Identifier: MIT
"""What the hidden Guest of lab 3 should have brought to and fro."""

import hashlib


def image(nonce):
    """What lies on the first disk: `yes`, cut to whole sectors."""
    size, line = 512 * (100 + nonce % 200), b"hidden %d\n" % nonce
    return (line * (size // len(line) + 1))[:size]


def round_trip(nonce, output, status, stats):
    """Copied there, and what was copied is printed by another program, at the same time twice."""
    if status != 0:
        return "the Guest did not power off: status %d" % status
    disks = [d for d in stats["devices"] if d["kind"] == "block"]
    for d in stats["devices"]:
        if d["broken"] or d["failures"]:
            return "the %s broke %d times, and its driver gave it up %d times" % (
                d["kind"], d["broken"], d["failures"])
    data = image(nonce)
    if "copy " + hashlib.sha256(data).hexdigest() not in output:
        return "the copy is not the same as the disk"
    lines = data.count(b"\n")
    words = [l.split()[:3] for l in output.splitlines()]
    want = [str(lines), str(len(data.split())), str(len(data))]
    if words.count(want) != 2:
        return "two programs that read the copy at the same time should say %s, each" % (
            " ".join(want))
    if not disks[1]["flushes"]:
        return "the copy was never flushed"
    orders = sum(d[k] for d in disks for k in ("reads", "writes", "flushes", "ids",
                                               "unsupported"))
    consoles = [d["bytes_in"] for d in stats["devices"] if d["kind"] == "console"]
    if stats["notify_eventfd"] > orders + 1 + sum(consoles):
        return "%d orders for disks, but %d kicks" % (orders, stats["notify_eventfd"])
    return None
