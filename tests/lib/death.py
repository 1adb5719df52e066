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


def line_at(path, address):
    """file:line as binutils has it; None: it knows none.  It wants more than TeachOS's own
    file has (teachos/Makefile)."""
    if os.path.exists(path[:-4] + ".debug"):
        path = path[:-4] + ".debug"
    text = subprocess.run(["addr2line", "-e", path, hex(address)], stdout=subprocess.PIPE,
                          check=True).stdout.decode().split(" (")[0].strip()
    return None if text.endswith(("?", ":0")) else text


def same_line(said, found):
    """Ours is as the compiler was told, theirs has the folder before it."""
    return said == found or bool(said and found and found.endswith("/" + said))


def decider(code):
    """The function of the Host's source that says lg_kill(lg, LG_...) for a code."""
    folder = os.path.join(machine.TOP, "host")
    with open(os.path.join(folder, "reasons.h"), encoding="utf-8") as f:
        reason = re.search(r'X\((\w+),\s*"%s"' % code, f.read()).group(1)
    for name in sorted(os.listdir(folder)):
        function = None
        if not name.endswith(".c"):
            continue
        with open(os.path.join(folder, name), encoding="utf-8") as f:
            for line in f:
                m = re.match(r"[a-z].*?(\w+)\([^;]*$", line)
                function = m.group(1) if m else function
                if "LG_" + reason in line:
                    return function
    return None


def json_against_text(json_text, text, path):
    """What is wrong with --death's file, if the obituary printed by the same run, and the
    ELF, are right?  -> a list of words."""
    d = json.loads(json_text)
    wrong = []

    def same(name, got, want):
        if got != want:
            wrong.append("%s: %r, expected %r" % (name, got, want))

    def same_place(name, place, back=0):
        eip = int(place["eip"], 16)
        same("%s %#x" % (name, eip), place["symbol"].split("+")[0], function_at(path, eip))
        if not same_line(place["line"], line_at(path, eip - back)):
            wrong.append("%s %#x: %s, expected %s" % (name, eip, place["line"],
                                                      line_at(path, eip - back)))

    first = re.search(r"killed the Guest: (\S+): (.*)", text)
    same("code", (d["code"], d["text"]), first.groups())
    same("status", d["status"], 4)
    same("decided_by", d["decided_by"], re.search(r"decided by (\w+)\(\)", text).group(1))
    same("decided_by, by the source", d["decided_by"], decider(d["code"]))
    r = d["registers"]
    for name, value in re.findall(r"\b(e[a-ds][xip]|ebp) +((?:[0-9a-f]{2}:)?[0-9a-f]{8})\b",
                                  text[:text.index("changed since")]):
        same(name, r[name], "0x" + value[-8:])
    same("eflags", r["eflags"], "0x" + re.search(r"eflags (\w+)", text).group(1))
    same("registers", len(r), 16)
    same("eip", (d["cs"], d["eip"]), (r["cs"], r["eip"]))
    same_place("eip", d)
    same("line", d["line"] in text, True)
    for e in d["exits"]:
        same_place("exit", e)
    for c in d["callers"]:
        same_place("caller", c, 1)
    same("instruction", bytes.fromhex(d["instruction"]), bytes_at(path, int(d["eip"], 16), 16))
    same("cr2", d["cr2"], "0x" + re.search(r"  cr2 (\w+)", text).group(1))
    walk = [(l["name"], str(l["index"]), l["at"][2:], l["entry"][2:], l["bits"])
            for l in d["walk"]["levels"]] if "walk" in d else []
    same("walk", walk, re.findall(r"^    (\w+) +entry +(\d+) at (\w+): (\w+)  (.*)$", text, re.M))
    if walk:
        same("physical", d["walk"]["physical"], None if "so it is nowhere" in text else "?")
        same("shadow", d["walk"]["shadow"]["bits"],
             re.search(r"shadow: (.*)", text[text.index("  cr2 "):]).group(1))
    same("callers", [(c["eip"][2:], c["symbol"], c["line"]) for c in d["callers"]],
         re.findall(r"^    ([0-9a-f]{8}) <(\S+)> (\S+)$", text, re.M))
    printed = re.findall(r"^ +\+(\d+)  (\S+)(?: (\d+) (\w+))?.*? +at (\w\w):(\w{8}) <(\S+)> (\S+)$",
                         text, re.M)
    same("exits", [(str(e["ticks"]), e["name"].split()[0], str(e.get("number", "")),
                    e.get("hypercall", ""), e["cs"][2:], e["eip"][2:], e["symbol"], e["line"])
                   for e in d["exits"]],
         [p if p[1] == "hypercall" else p[:2] + ("", "") + p[4:] for p in printed])
    same("exits", len(d["exits"]) >= 3, True)
    same("exits_of", [str(v) for v in d["exits_of"].values()],
         list(re.search(r"of these: (\d+) \D+(\d+) \D+(\d+) \D+(\d+)", text).groups()))
    same("hint", d["hint"] in text, True)
    same("rule", (d["rule"], text.rstrip().splitlines()[-2]),
         ("make hint " + d["code"], "  what the rule is: make hint " + d["code"]))
    return wrong


def undelivered_against(json_text, text, vector, stack, entries):
    """A PC's triple fault: which trap, and where its frame had no place.  stack: the address
    below which it should have gone, or None for no gate; entries: of its page-table walk."""
    d = json.loads(json_text)
    got = d.get("undelivered") or {}
    wrong = [] if got.get("vector") == vector else ["vector %r, expected %d" % (got, vector)]
    where = got.get("stack")
    if stack is None:
        if where or "it has set no gate for vector %d, or not said" % vector not in text:
            wrong.append("expected no gate: %s" % where)
    elif not where or not stack - 24 <= int(where["address"], 16) < stack:
        wrong.append("stack %s, expected below %#x" % (where, stack))
    elif [int(l["entry"], 16) & 3 for l in where["levels"]] != entries:
        wrong.append("walk %s" % where["levels"])
    elif "onto the stack at %s:%08x\n" % (
            d["registers"]["ss"][2:] if d["cs"] == "0x61" else "69", stack) not in text:
        wrong.append("the text names another stack than %#x" % stack)
    if "a triple fault\n" not in text:
        wrong.append("no word of a triple fault")
    return wrong


# Where TeachOS trips when it is told to: by the source.
def panic_line(word):
    path = os.path.join(machine.TOP, "teachos", "kernel", "main.c")
    with open(path, encoding="utf-8") as f:
        return next("kernel/main.c:%d" % n for n, line in enumerate(f, 1) if word in line)


def panic_against(json_text, text, console, path):
    """TeachOS's panic, and what the Launcher adds to it."""
    d = json.loads(json_text)
    wrong = []
    place = panic_line("*(volatile u32 *)0 = 1")
    said = d.get("said") or {}
    if said.get("line") != place or "  %s is in %s\n" % (said.get("place"), place) not in text:
        wrong.append("said %s, expected %s" % (said, place))
    eip = int(re.search(r"^eip ([0-9a-f]{8})", console, re.M).group(1), 16)
    if not same_line(place, line_at(path, eip)):
        wrong.append("it tripped at %#x" % eip)
    if "panic_trap" not in [c["symbol"].split("+")[0] for c in d["callers"]]:
        wrong.append("callers %s" % d["callers"])
    for c in d["callers"]:
        if not same_line(c["line"], line_at(path, int(c["eip"], 16) - 1)):
            wrong.append("caller %s" % c)
    walk = [(l["name"], l["index"]) for l in d["walk"]["levels"]]
    if d["walk"]["address"] != "0x00000000" or walk[-1][1] or \
            int(d["walk"]["levels"][-1]["entry"], 16) & 1:
        wrong.append("walk %s" % d["walk"])
    told = re.findall(r"^  (\w+) entry (\d+) at 0x([0-9a-f]{8}): 0x([0-9a-f]+),", console, re.M)
    if told != [(l["name"], str(l["index"]), l["at"][2:], l["entry"][-8:])
                for l in d["walk"]["levels"]]:
        wrong.append("the Guest's own walk: %s" % told)
    return wrong


def make_death(config):
    prefix = "death/%s" % config

    def suite(wanted):
        inmates = {n: need(os.path.join(BUILD, "inmates", n + ".elf"), "make inmates")
                   for n in ("kill-no-gate", "kill-pte-pfn", "paging2",
                             "heartbeat")}
        teachos, pae = (need(os.path.join(BUILD, "teachos", n + ".elf"), "make teachos")
                        for n in ("teachos", "teachos-pae"))
        # The console's words go another way than ours: >/dev/null takes them away.
        plan = [("run", n, 30, "launcher --death=/tmp/%s /root/%s.elf 2>&1 >/dev/null" % (n, n))
                for n in ("kill-no-gate", "kill-pte-pfn")]
        plan += [("run", "plain", 30, "launcher /root/kill-pte-pfn.elf 2>&1 >/dev/null")]
        plan += [("run", "hlt", 30, "launcher --death=/tmp/hlt /root/kill-no-gate.elf 13 2>&1 "
                  ">/dev/null")]
        plan += [("run", n, 30, "launcher --death=/tmp/%s /root/teachos%s.elf %s 2>&1 >/tmp/out"
                  "; cp /tmp/out /tmp/out.%s" % (n, pae, words, n))
                 for n, pae, words in (("panic", "", "panic"), ("panic-pae", "-pae", "panic"),
                                       ("no-stack", "", "panic stack"))]
        plan += [("run", n + ".json", 10, "cat /tmp/" + n)
                 for n in ("kill-no-gate", "kill-pte-pfn", "panic", "panic-pae", "no-stack",
                           "hlt")]
        plan += [("run", n + ".out", 10, "cat /tmp/out." + n) for n in ("panic", "panic-pae")]
        # A longer file from before, a disk that is full, a folder that is none.
        plan += [("run", "ends", 60, "cd /tmp; seq 9999 >old; L=launcher; "
                  "K=/root/kill-no-gate.elf; $L --death=old /root/paging2.elf >/dev/null 2>&1; "
                  "tr '\\n' ' ' <old; "
                  "$L --death=/dev/full $K 2>&1 | grep death=; "
                  "$L --death=/none/x $K 2>&1; echo $?")]
        plan += [("run", "sleeper", 60, "launcher --timeout=6 /root/teachos.elf 2>&1 "
                  ">/dev/null </dev/null"),
                 ("run", "words", 60, "launcher --stats=- /root/paging2.elf 2>&1 >/dev/null"),
                 ("run", "json", 60, "launcher --stats=/tmp/s /root/paging2.elf >/dev/null 2>&1;"
                  " cat /tmp/s"),
                 ("run", "lgtop", 60, "launcher /root/heartbeat.elf 100000 >/dev/null 2>&1 & "
                  "sleep 1; lgtop 2 | tail -1; echo $!; "
                  "cat /sys/kernel/debug/lguest/pinned_pages; kill $!; wait; lgtop 1; "
                  "lgtop x; echo $?")]
        outcome, steps, _ = batch(config, plan, list(inmates.values()) + [teachos, pae], 150)
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
            eip = re.search(r"^  at eip 61:([0-9a-f]{8}) <(\w+)\+0x", text, re.M)
            code = re.search(r"^  instruction ((?: [0-9a-f]{2}){16})$", text, re.M)
            want = bytes_at(inmates[name], int(eip.group(1), 16), 16) if eip else b"?"
            add(name + "/code", code and bytes.fromhex(code.group(1).replace(" ", "")) == want,
                "expected the file's bytes %s" % want.hex(" "), text)
            try:
                wrong = json_against_text(steps[name + ".json"].output, text, inmates[name])
            except (ValueError, KeyError, AttributeError) as error:
                wrong = ["not as expected: %r" % error]
            add(name + "/json", not wrong, "; ".join(wrong), steps[name + ".json"].output + text)
        def against(name, function, *more):
            try:
                wrong = function(steps[name.split()[0] + ".json"].output,
                                 steps[name.split()[0]].output, *more)
            except (ValueError, KeyError, AttributeError, TypeError, StopIteration) as error:
                wrong = ["not as expected: %r" % error]
            add(name, not wrong, "; ".join(wrong), steps[name.split()[0]].output)

        against("kill-no-gate undelivered", undelivered_against, 6, None, [])
        against("no-stack undelivered", undelivered_against, 14, 0x1000, [0])
        against("hlt", lambda json_text, text: [] if re.search(
            r"^  instruction  f4 .*\n    that is hlt; a Guest says HALT$", text, re.M)
            and json.loads(json_text)["forbidden"] == "hlt; a Guest says HALT"
            and "forbidden" not in steps["kill-no-gate.json"].output else ["no word of hlt"])
        against("panic", panic_against, steps["panic.out"].output, teachos)
        against("panic-pae", panic_against, steps["panic-pae.out"].output, pae)
        text = steps["ends"].output
        add("json of other ends", re.fullmatch(
            r'\{"status": 0, "meaning": "the Guest powered off, [^}]*"decided_by": ""\} *'
            "launcher: --death=/dev/full: could not be written: No space left on device\n"
            "launcher: --death=/none/x: cannot write there: No such file or directory\n2\n*", text),
            "it says: %s" % text, text)
        # Entered again at the fault before: a mov from there on, which changes eip alone.
        try:
            d = json.loads(steps["kill-pte-pfn.json"].output)
        except ValueError:
            d = {}
        add("changed registers", d.get("changed")
            == {"eip": [e["eip"] for e in d["exits"][-2:]]} and
            "changed since the last entry, from  eip %s\n" % d["exits"][-2]["eip"][2:]
            in steps["kill-pte-pfn"].output, str(d.get("changed")), steps["kill-pte-pfn"].output)
        said = [re.findall("^  changed since .*", steps[n].output, re.M)
                for n in ("plain", "kill-pte-pfn")]
        add("changed, without --death", len(said[0]) == 1 and said[0] == said[1],
            "it says %s; with it %s" % tuple(said), steps["plain"].output)
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
        callers = re.findall(r"^    ([0-9a-f]{8}) <(\w+)\+0x[0-9a-f]+> (\S+)$", text, re.M)
        wrong = [c for c in callers if function_at(teachos, int(c[0], 16)) != c[1]
                 or not same_line(c[2], line_at(teachos, int(c[0], 16) - 1))]
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
        m = re.search(r"^ *(\d+) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+) +([0-9.]+) +(\d+)"
                      r"  heartbeat.elf\n(\d+)\n(\d+)$", text, re.M)
        add("lgtop", m and m.group(1) == m.group(9) and int(m.group(2)) > 10
            and int(m.group(5)) > 5 and abs(float(m.group(7)) - int(m.group(10)) / 256) < 0.06
            and "(no Guest)" in text and "lgtop: 'x': expected a number" in text
            and text.rstrip().endswith("2"), "it says: %s" % text, text)
        return results + log_results(prefix, outcome.log)
    return suite
