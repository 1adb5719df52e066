# SPDX-License-Identifier: MIT
"""Reads what an inmate says about itself, and judges what it did."""

import os
import re

from .verdict import FAIL, PASS, TIMEOUT, Result

# Guest's last words or the Host's: what a random Guest may end with.  Never 1 (internal
# error) and never a signal.
ANY_STATUS = {0, 3, 4, 5}
# Seconds that a Guest gets if its source names none.  A hang detector, not a measurement:
# the emulator is slow, and the machine may be busy.
PATIENCE = 20

CODE = re.compile(r"\bE-[A-Z]+-\d+\b")


class Inmate:
    """The `; key: value` lines at the top of a source file (` * key: value` in C)."""

    KEYS = {"expect", "status", "output", "forbidden", "repeated", "run", "memory", "timeout",
            "options", "disk", "wrote"}

    def __init__(self, path):
        self.name = os.path.splitext(os.path.basename(path))[0]
        values = {key: [] for key in self.KEYS}
        with open(path, encoding="utf-8") as f:
            for line in f:
                m = re.match(r"^(?:;| \*) ([a-z]+):(?: (.*))?$", line.rstrip("\n"))
                if m and m.group(1) in values:
                    values[m.group(1)].append((m.group(2) or "").strip())
        self.expect = values["expect"][0] if values["expect"] else None
        self.memory = int(values["memory"][0]) if values["memory"] else 16
        self.patience = int(values["timeout"][0]) if values["timeout"] else PATIENCE
        # A disk of so many sectors, at /root/NAME.img in the machine, and what the inmate
        # writes to it: rows of sector, sectors, first word, and how much each next one grows.
        self.disk = int(values["disk"][0]) if values["disk"] else 0
        self.wrote = [[int(n, 0) for n in row.split()] for row in values["wrote"]]
        self.options = "".join(o + " " for o in values["options"])
        self.output = values["output"]
        self.forbidden = values["forbidden"]
        self.repeated = [r.split(" ", 1) for r in values["repeated"]]
        if values["status"] == ["any"]:
            self.status = ANY_STATUS
        elif values["status"]:
            self.status = {int(s) for s in values["status"][0].split()}
        else:
            self.status = {4} if self.expect else {0}
        self.runs = []
        for text in values["run"] or [""]:
            m = re.match(r"^(.*)\{(\d+)\.\.(\d+)\}$", text)
            if m:
                first, last = int(m.group(2)), int(m.group(3))
                self.runs += ["%s%d" % (m.group(1), n) for n in range(first, last + 1)]
            else:
                self.runs.append(text)

    def command(self, arguments):
        """The Launcher's command line inside the machine."""
        return "/bin/launcher --timeout=%d %s%d /root/%s.elf %s" % (
            self.patience, self.options, self.memory, self.name, arguments)

    def disk_before(self):
        """A pattern in which each sector differs from the others."""
        return b"".join((b"%s, sector %d; " % (self.name.encode(), n) * 32)[:512]
                        for n in range(self.disk))

    def judge_disk(self, after):
        """None if the disk holds what the inmate wrote and nothing else, else why not."""
        expected = bytearray(self.disk_before())
        for sector, sectors, word, grows in self.wrote:
            for i in range(sectors * 128):
                expected[sector * 512 + i * 4:sector * 512 + i * 4 + 4] = (
                    (word + i * grows) & 0xffffffff).to_bytes(4, "little")
        if len(after) != len(expected):
            return "the disk has %d bytes, expected %d" % (len(after), len(expected))
        bad = [n for n in range(self.disk)
               if after[n * 512:n * 512 + 512] != expected[n * 512:n * 512 + 512]]
        return "sector %d of the disk is not what it should be" % bad[0] if bad else None

    def judge(self, arguments, output, status):
        """None if all is well, else the reason why not."""
        lines = output.splitlines()
        bad = [l for l in lines if l.startswith("not ok")]
        if self.status is ANY_STATUS:
            # A Guest that runs noise may well trap where it did not mean to.
            bad = [l for l in bad if not l.startswith("not ok unexpected trap")]
        if bad:
            return bad[0]
        if "E-HOST-" in output:
            return "a bug of the Host: %s" % next(l for l in lines if "E-HOST-" in l)
        if status in (137, 5) and status not in self.status:
            return "TIMEOUT after %d s" % self.patience
        if status not in self.status:
            return "exit status %d, expected %s: %s" % (
                status, " or ".join(str(s) for s in sorted(self.status)),
                next((l for l in lines if CODE.search(l)), last_line(lines)))
        if self.expect:
            if self.expect != "*" and self.expect.lower() not in output.lower():
                return "killed, but not for '%s': %s" % (self.expect, last_line(lines))
            if status == 4 and not CODE.search(output):
                return "killed without a reason code: %s" % last_line(lines)
        elif 0 in self.status and status == 0:
            checks = sum(1 for l in lines if l.startswith("ok "))
            plans = [l for l in lines if re.match(r"^1\.\.\d+$", l)]
            if plans != ["1..%d" % checks] or checks == 0:
                return "%d checks passed, but the plan says %s" % (checks, plans or "nothing")
        for text in self.output:
            if text not in output:
                return "'%s' is missing in the output" % text
        for text in self.forbidden:
            if text in output:
                return "'%s' must not be in the output" % text
        for count, text in self.repeated:
            if output.count(text) < int(count):
                return "'%s' comes %d times, expected at least %s" % (
                    text, output.count(text), count)
        return None

    def result(self, prefix, outcomes):
        """One Result for all the runs: [(arguments, output, status)]."""
        name = "%s/%s" % (prefix, self.name)
        checks = 0
        for arguments, output, status in outcomes:
            why = self.judge(arguments, output, status)
            if why:
                word = TIMEOUT if why.startswith("TIMEOUT") else FAIL
                return Result(name, word, "%s%s" % ("(%s) " % arguments if arguments else "",
                                                    why), output)
            checks += sum(1 for l in output.splitlines() if l.startswith("ok "))
        if checks:
            return Result(name, PASS, "%d checks" % checks)
        return Result(name, PASS, "%d runs" % len(outcomes) if len(outcomes) > 1 else "")


def last_line(lines):
    spoken = [l for l in lines if l.strip()]
    return spoken[-1].strip() if spoken else "(no output)"


def load(folder):
    """All inmates of a folder, by name."""
    found = {}
    for name in sorted(os.listdir(folder)):
        base, suffix = os.path.splitext(name)
        if suffix in (".asm", ".c") and base != "glue":
            found[base] = Inmate(os.path.join(folder, name))
    return found
