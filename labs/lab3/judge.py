# SPDX-License-Identifier: MIT
"""What TeachOS's drivers should have brought to and fro, worked out without any of them."""

import hashlib
import re

CHUNK = 8192            # cksum reads so much at a time
LINE = 255              # the terminal prints so much at a time


def image(nonce):
    """The disk: `yes lab3-NONCE`, cut to whole sectors."""
    size, line = 512 * (200 + nonce % 300), b"lab3-%d\n" % nonce
    return (line * (size // len(line) + 1))[:size]


def cksum(data):
    """POSIX's, and a table of our own."""
    table = []
    for i in range(256):
        word = i << 24
        for _ in range(8):
            word = (word << 1 ^ (0x04c11db7 if word >> 31 else 0)) & 0xffffffff
        table.append(word)
    total, length = 0, len(data)
    rest = b""
    while length:
        rest += bytes([length & 255])
        length >>= 8
    for byte in data + rest:
        total = (total << 8 & 0xffffffff) ^ table[total >> 24 ^ byte]
    return ~total & 0xffffffff


def ceil(n, by):
    return -(-n // by)


def devices(stats, kind):
    return [d for d in stats["devices"] if d["kind"] == kind]


def trouble(status, stats):
    """What is wrong in any case, or None."""
    if status != 0:
        return "the Guest did not power off: status %d" % status
    for d in stats["devices"]:
        if d["broken"] or d["failures"]:
            return "the %s broke %d times, and its driver gave it up %d times" % (
                d["kind"], d["broken"], d["failures"])
    return None


def orders(stats):
    return sum(d[k] for d in devices(stats, "block")
               for k in ("reads", "writes", "flushes", "ids", "unsupported"))


def kicks(stats, typed=0):
    """One for each order; one for the buffers of the keyboard, and one each time it was used."""
    most = orders(stats) + 1 + typed
    if stats["notify_eventfd"] > most:
        return "%d orders for disks, but %d kicks; %d are enough" % (
            orders(stats), stats["notify_eventfd"], most)
    return None


def disk(nonce, output, status, stats):
    """cksum of a disk."""
    data = image(nonce)
    why = trouble(status, stats)
    if why:
        return why
    if "%d %d /dev/vda" % (cksum(data), len(data)) not in output:
        return "the disk's sum is %d, TeachOS says: %s" % (cksum(data), last(output))
    reads = devices(stats, "block")[0]["reads"]
    if not ceil(len(data), CHUNK) <= reads <= ceil(len(data), CHUNK) + 1:
        return "%d reads for %d bytes, expected one for each %d" % (reads, len(data), CHUNK)
    return kicks(stats)


def writes(nonce, output, status, stats):
    """One disk copied to another."""
    data = image(nonce)
    why = trouble(status, stats)
    if why:
        return why
    if "copy " + hashlib.sha256(data).hexdigest() not in output:
        return "the copy is not the same as the disk"
    if not devices(stats, "block")[1]["flushes"]:
        return "the copy was never flushed"
    return kicks(stats)


def prints(nonce, output, status, stats):
    """A long text: each line is the number after the one before."""
    first = 1000000000 + nonce % 1000000000
    text = "".join("%d\n" % n for n in range(first, first + 8000))[:81920]
    why = trouble(status, stats)
    if why:
        return why
    if text not in output.replace("\r", ""):
        return "81920 bytes were to be printed, and they did not come out as they are"
    out = devices(stats, "console")[0]["bytes_out"]
    # Besides the pages: two kicks for each device when it starts, and short lines at boot.
    most = ceil(out, LINE) + 2 * len(stats["devices"]) + 40
    if stats["notify_launcher"] > most:
        return "%d bytes were printed with %d kicks, %d are enough" % (
            out, stats["notify_launcher"], most)
    return kicks(stats)


def many(nonce, output, status, stats):
    """Three programs read one disk at the same time; all that was typed."""
    data = image(nonce)
    why = trouble(status, stats)
    if why:
        return why
    sums = re.findall(r"(\d+) %d /dev/vda" % len(data), output)
    if sums != [str(cksum(data))] * 3:
        return "the disk's sum is %d; three programs that read it at the same time say %s" % (
            cksum(data), ", ".join(sums) or "nothing")
    typed = b"%d\n" % nonce
    if "%d %d standard input" % (cksum(typed), len(typed)) not in output:
        return "what was typed did not arrive: %s" % last(output)
    given = devices(stats, "console")[0]["bytes_in"]
    return kicks(stats, given)


def last(output):
    lines = [l.strip() for l in output.splitlines() if l.strip()]
    return lines[-1] if lines else "nothing"
