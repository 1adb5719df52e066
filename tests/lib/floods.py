# SPDX-License-Identifier: MIT
"""Whoever says too much in the nested machine, or beside it, does not fill our memory."""

import contextlib
import io
import os
import sys
import tempfile

from . import machine
from .verdict import FAIL, PASS, Result

sys.path.insert(0, os.path.join(machine.TOP, "tools"))
from nestedlib.kept import MIB, Kept  # noqa: E402  (the path has to be set first)
from nestedlib.machine import Machine, Request  # noqa: E402

PIECE = b"0123456789abcde\n" * 4096


def in_there():
    """The same with a machine: a step that floods, and one after it."""
    plan = [("run", "flood", 60, "echo first words; yes %s | head -c 1500000; echo; echo last words"
             % ("x" * 999)), ("run", "quiet", 60, "echo not lost")]
    config = machine.Config("6.1", "qemu64", 1)
    outcome, steps, last = machine.batch(config, plan, (), 200,
                                         extra=["--no-module", "--collect-most", "1"])
    texts = [steps[i].output if i in steps else "" for i in ("flood", "quiet")]
    good = texts[0].startswith("first words\n") and texts[0].strip().endswith("last words") and \
        "bytes are left out here" in texts[0] and "not lost" in texts[1] and last is not None
    said = "/root/results has 15" in outcome.output and len(texts[0]) < 2 * MIB
    return [Result("floods/a step of a batch", PASS) if good and said else Result(
        "floods/a step of a batch", FAIL, "%d and %d characters; %s" % (
            len(texts[0]), len(texts[1]), outcome.output[-200:]))]


def floods(wanted):
    results = []

    def check(name, good, why):
        results.append(Result("floods/" + name, PASS) if good else
                       Result("floods/" + name, FAIL, str(why)[:300]))

    kept = Kept(1000)
    for n in range(100000):
        kept.add(b"%d " % n)
    text = bytes(kept)
    check("both ends", text.startswith(b"0 1 2 ") and text.endswith(b" 99998 99999 ") and
          b"left out here" in text and len(text) < 1100 and len(kept.last) <= 1000,
          "%d bytes: %r ... %r" % (len(text), text[:20], text[-20:]))
    kept = Kept(1000)
    kept.add(b"x" * 1000)
    check("just as much as may be", bytes(kept) == b"x" * 1000, bytes(kept)[-100:])

    with tempfile.TemporaryDirectory(prefix="lg-flood-") as folder:
        here, said = os.path.join(folder, "results"), io.StringIO()
        request = Request()
        request.collect, request.collect_most = (("/root/results", here),), 2 * MIB
        one = Machine(request)
        most, size = 0, 64 * MIB
        with contextlib.redirect_stderr(said):
            one.hear(b"LG %s file 0 %d\nfirst words\n" % (one.nonce.encode(), size))
            left = size - len(b"first words\n") - len(b"last words\n")
            while left:
                one.hear(PIECE[:left])
                left -= min(left, len(PIECE))
                most = max(most, len(one.control) + len(one.wanted[2].first) +
                           len(one.wanted[2].last))
            one.hear(b"last words\nLG %s status 7\n" % one.nonce.encode())
        with open(here, "rb") as f:
            text = f.read()
        check("a collected file", text.startswith(b"first words\n") and
              text.endswith(b"last words\n") and len(text) < 2 * MIB + 500 and one.status == 7,
              "%d bytes, status %s" % (len(text), one.status))
        check("and it is said", "/root/results has %d bytes; only the first and the last %d are "
              "kept" % (size, MIB + 100) in said.getvalue(), said.getvalue())
        check("no more of it in memory", most < 4 * MIB, "%d bytes" % most)
    for n in range(1000):
        one.hear(PIECE.replace(b"\n", b"-"))
        one.console.add(PIECE)
    one.console.add(b"Kernel panic - last words")
    text = bytes(one.console)
    check("a line of control without an end", len(one.control) < MIB, len(one.control))
    one.hear(b"\nLG %s end\n" % one.nonce.encode())
    check("and the next one is heard", one.ended, "it was not")
    check("the kernel's messages", len(text) < 9 * MIB and text.endswith(b"last words"),
          "%d bytes, %r" % (len(text), text[-30:]))

    results += in_there()
    for name, script, end in (
            ("a program's output", "yes %s | head -c 60000000; echo; echo last words" % ("x" * 999),
             "last words\n"),
            ("a line that never ends", "tr '\\0' x </dev/zero | head -c 60000000", "xxx")):
        longest = [0]
        status, text = machine.run(["sh", "-c", script], 120,
                                   lambda line: longest.append(max(longest.pop(), len(line))))
        check(name, status == 0 and text.endswith(end) and "are left out here" in text and
              len(text) < machine.OUTPUT_MOST + 200 and longest[0] <= machine.LINE_MOST,
              "status %d, %d characters, the longest line %d: %r" % (
                  status, len(text), longest[0], text[-30:]))
    return results
