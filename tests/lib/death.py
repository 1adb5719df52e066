# SPDX-License-Identifier: MIT
"""What the Launcher says of a Guest that died: is it true?"""

import json
import os
import re
import struct
import subprocess

from . import machine
from .machine import BUILD, batch, log_results, need
from .verdict import ERROR, FAIL, PASS, Result


def bytes_at(path, address, count):
    """What the ELF file has at an address."""
    with open(path, "rb") as f:
        data = f.read()
    at, = struct.unpack_from("<I", data, 28)
    size, number = struct.unpack_from("<HH", data, 42)
    for i in range(number):
        kind, offset, va, _, filesz = struct.unpack_from("<5I", data, at + i * size)
        if kind == 1 and va <= address < va + filesz:
            return data[offset + address - va:offset + address - va + count]
    return b""


def function_at(path, address):
    """The name that nm finds for an address."""
    best = ""
    listing = subprocess.run(["nm", "-n", path], stdout=subprocess.PIPE, check=True).stdout
    for line in listing.decode().splitlines():
        value, kind, name = line.split(maxsplit=2)
        if kind in "tT" and int(value, 16) <= address:
            best = name
    return best


def make_death(config):
    prefix = "death/%s" % config

    def suite(wanted):
        inmates = {n: need(os.path.join(BUILD, "inmates", n + ".elf"), "make inmates")
                   for n in ("kill-no-gate", "kill-pte-pfn", "paging2", "heartbeat")}
        teachos = need(os.path.join(BUILD, "teachos", "teachos.elf"), "make teachos")
        # The console's words go another way than ours: >/dev/null takes them away.
        plan = [("run", n, 30, "launcher /root/%s.elf 2>&1 >/dev/null" % n)
                for n in ("kill-no-gate", "kill-pte-pfn")]
        plan += [("run", "sleeper", 60, "launcher --timeout=6 /root/teachos.elf 2>&1 "
                  ">/dev/null </dev/null"),
                 ("run", "words", 60, "launcher --stats=- /root/paging2.elf 2>&1 >/dev/null"),
                 ("run", "json", 60, "launcher --stats=/tmp/s /root/paging2.elf >/dev/null 2>&1;"
                  " cat /tmp/s"),
                 ("run", "lgtop", 60, "launcher /root/heartbeat.elf 100000 >/dev/null 2>&1 & "
                  "sleep 1; lgtop 2 | tail -1; echo $!; "
                  "cat /sys/kernel/debug/lguest/pinned_pages; kill $!; wait; lgtop 1; "
                  "lgtop x; echo $?")]
        outcome, steps, _ = batch(config, plan, list(inmates.values()) + [teachos], 150)
        results = []

        def add(name, good, why, detail=""):
            results.append(Result("%s/%s" % (prefix, name), PASS) if good
                           else Result("%s/%s" % (prefix, name), FAIL, why, detail[-3000:]))

        if any(p[1] not in steps for p in plan):
            return [Result(prefix, ERROR, "not all was carried out: %s" % list(steps))]
        for name, status in (("kill-no-gate", 4), ("kill-pte-pfn", 4), ("sleeper", 5)):
            add(name + "/status", steps[name].status == status, "%d, expected %d"
                % (steps[name].status, status), steps[name].output)
        for name in ("kill-no-gate", "kill-pte-pfn"):
            text = steps[name].output
            eip = re.search(r"^  eip 61:([0-9a-f]{8}) <(\w+)\+0x", text, re.M)
            code = re.search(r"^  code at eip ((?: [0-9a-f]{2}){16})$", text, re.M)
            want = bytes_at(inmates[name], int(eip.group(1), 16), 16) if eip else b"?"
            add(name + "/code", code and bytes.fromhex(code.group(1).replace(" ", "")) == want,
                "expected the file's bytes %s" % want.hex(" "), text)
        # The walk ends at the very entry that the Host's sentence names.
        text = steps["kill-pte-pfn"].output
        named = re.search(r"bad page table entry 0x([0-9a-f]+):", text)
        cr2 = re.search(r"^  cr2 ([0-9a-f]{8}), in the Guest's own tables:$", text, re.M)
        levels = re.findall(r"^    (\w+) +entry +(\d+) at ([0-9a-f]{8}): ([0-9a-f]+) ", text, re.M)
        good = named and cr2 and [l[0] for l in levels] == ["directory", "table"]
        if good:
            gva = int(cr2.group(1), 16)
            root = int(re.search(r"page tables ([0-9a-f]{8})", text).group(1), 16)
            good = (levels[1][3] == named.group(1).rjust(8, "0")
                    and [int(l[1]) for l in levels] == [gva >> 22, gva >> 12 & 1023]
                    and int(levels[0][2], 16) == root + (gva >> 22) * 4
                    and int(levels[1][2], 16) == (int(levels[0][3], 16) & ~4095)
                    + (gva >> 12 & 1023) * 4)
        add("walk", good and "so it is nowhere" in text and "shadow: nothing there" in text,
            "entry %s, levels %s" % (named and named.group(1), levels), text)
        # TeachOS sleeps in HALT: who called, by nm and by the order of the story.
        text = steps["sleeper"].output
        callers = re.findall(r"^    ([0-9a-f]{8}) <(\w+)\+0x[0-9a-f]+>$", text, re.M)
        wrong = [c for c in callers if function_at(teachos, int(c[0], 16)) != c[1]]
        add("callers", len(callers) >= 2 and not wrong and "schedule" in [c[1] for c in callers],
            "callers %s, of them wrong %s" % (callers, wrong), text)
        # The same Guest twice: what does not depend on time is the same in words and JSON.
        words = {n: int(v) for v, n in re.findall(r"^ +(\d+)  (\w+) ", steps["words"].output, re.M)}
        try:
            counted = json.loads(steps["json"].output)
        except ValueError:
            counted = {}
        names = ["fault_absent", "fault_protection", "root_misses", "set_pte_user", "stack_pins"]
        add("stats in words", all(words.get(n, 0) == counted.get(n) for n in names)
            and counted.get("fault_absent", 0) > 100,
            "%s" % [(n, words.get(n), counted.get(n)) for n in names], steps["words"].output)
        text = steps["lgtop"].output
        m = re.search(r"^ *(\d+) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+) +([0-9.]+) +(\d+)\n"
                      r"(\d+)\n(\d+)$", text, re.M)
        add("lgtop", m and m.group(1) == m.group(9) and int(m.group(2)) > 10
            and int(m.group(5)) > 5 and abs(float(m.group(7)) - int(m.group(10)) / 256) < 0.06
            and "(no Guest)" in text and "lgtop: 'x': expected a number" in text
            and text.rstrip().endswith("2"), "it says: %s" % text, text)
        return results + log_results(prefix, outcome.log)
    return suite
