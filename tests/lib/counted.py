# SPDX-License-Identifier: MIT
"""What the Host counts, times and traces, against what is known to have happened."""

import json
import re

from . import inmates as inmates_of
from .machine import Config, batch, log_results, nested_script
from .suites import INMATES, check, elf
from .verdict import ERROR, FAIL, Result


def make_stats(config):
    """--stats tells what really happened: the inmates' own numbers are the oracle."""
    prefix = "stats/%s" % config

    def suite(wanted):
        known = inmates_of.load(INMATES)

        def line(name, arguments=""):
            command = known[name].command(arguments)
            return ("run", name, 60, command.replace(
                "/bin/launcher", "/bin/launcher --stats=/tmp/s.json") + "; cat /tmp/s.json")
        names = ["ring", "syscall", "paging2", "pagingpae", "linear", "interrupts"]
        # Three Guests: two with a heart, one that only burns time.
        three = ("run", "lgtop", 60, "cd /root; "
                 "launcher heartbeat.elf 100000 >/dev/null 2>&1 & a=$!; "
                 "launcher --memory=24 --rings --stats=/tmp/x ./heartbeat.elf 100000 >/dev/null "
                 "2>&1 & b=$!; launcher 32 /root/map.elf 1 >/dev/null 2>&1 & c=$!; sleep 2; "
                 "lgtop 2 | tail -4; echo ids $a $b $c; "
                 "echo pinned $(cat /sys/kernel/debug/lguest/pinned_pages); kill $a $b $c; wait")
        outcome, steps, last = batch(config, [line(n) for n in names] + [three],
                                     [elf(n) for n in names + ["heartbeat", "map"]], 120)
        stats = {}
        for n in names:
            text = steps[n].output
            start = text.find("{")
            try:
                stats[n] = json.loads(text[start:text.rfind("}") + 1])
            except ValueError as error:
                return [Result(prefix, FAIL, "%s: --stats wrote no JSON: %s" % (n, error), text)]
        flat = {n: dict(flatten(s)) for n, s in stats.items()}

        def figure(name, *words):
            for key, value in flat[name].items():
                if all(w.lower() in key.lower() for w in words) and isinstance(value, int):
                    return value
            return None
        expected = [
            ("ring", ("ring_runs",), lambda v: v >= 1000, "at least 1000 runs of the ring"),
            ("paging2", ("fill_dirty",), lambda v: v >= 3, "pages made writable by a first write"),
            ("paging2", ("root_misses",), lambda v: v >= 11, "at least eleven blank roots"),
            ("paging2", ("tables_recycled",), lambda v: v is not None, "a counter"),
            ("paging2", ("fault_protection",), lambda v: v >= 8, "at least eight"),
            ("paging2", ("fault_absent",), lambda v: v >= 200, "two hundred demand faults"),
            ("pagingpae", ("fault_absent",), lambda v: v >= 200, "two hundred demand faults"),
            ("linear", ("in_emulated",), lambda v: v >= 9, "at least nine IN"),
            ("linear", ("out_emulated",), lambda v: v >= 7, "at least seven OUT"),
            ("linear", ("cli_skipped",), lambda v: v == 1, "one CLI"),
            ("linear", ("fill_linear",), lambda v: v >= 10, "linear fills"),
            ("interrupts", ("irq_woke",), lambda v: v >= 50, "fifty HALTs ended"),
            ("interrupts", ("timer_fired",), lambda v: v >= 60, "the clock fired"),
            ("interrupts", ("irq_coalesced",), lambda v: v >= 1, "one coalesced"),
            ("interrupts", ("irq_in_noirq",), lambda v: v >= 1, "one held back by the range"),
            ("interrupts", ("irq_no_gate",), lambda v: v >= 1, "one without a gate"),
        ]
        results = []
        for n, words, good, text in expected:
            value = figure(n, *words)
            results.append(check("%s/%s/%s" % (prefix, n, words[0]),
                                 value is not None and good(value),
                                 "got %s, expected %s" % (value, text)))
        text = steps["lgtop"].output
        rows = [line.split() for line in re.findall(r"^ *\d+(?: +[\d.]+){7}  \S+$", text, re.M)]
        ids = re.findall(r"^ids (\d+) (\d+) (\d+)$", text, re.M)
        pinned = re.search(r"^pinned (\d+)$", text, re.M)
        by = {r[0]: r for r in rows}
        results.append(check(
            prefix + "/lgtop", len(rows) == 3 and ids and sorted(by) == sorted(ids[0])
            and [by[i][8] for i in ids[0]] == ["heartbeat.elf", "heartbeat.elf", "map.elf"]
            and all(int(by[i][4]) > 2 for i in ids[0][:2]) and by[ids[0][2]][4] == "0"
            and [int(r[1]) for r in rows] == sorted([int(r[1]) for r in rows], reverse=True)
            and abs(sum(float(r[6]) for r in rows) - int(pinned.group(1)) / 256) < 0.2,
            "it says: %s" % text, text))
        # int 0x80 through a trap gate from ring 3 never reaches the Host.
        direct = [v for k, v in flat["syscall"].items() if "direct" in k and
                  (k.endswith(".128") or k.endswith("[128]") or k.endswith(".0x80"))]
        results.append(check(prefix + "/syscall/direct",
                             bool(direct) and max(direct) >= 10000,
                             "int 0x80 delivered directly: %s, expected at least 10000" % direct))
        return results
    return suite


def make_worlds(kernel):
    """Whose time was it?  Work whose length is known is counted to the last instruction."""
    prefix = "worlds/%s" % kernel

    def suite(wanted):
        known = inmates_of.load(INMATES)["worlds"]
        plan = [("run", way.strip() + word, 60, known.command(word).replace(
            "/bin/launcher", "/bin/launcher --stats=/tmp/s.json " + way) + "; cat /tmp/s.json")
            for way in ("", "--rings ") for word in ("0", "100", "10", "1")]
        # What does it cost?  The inmate's own stopwatch knows, before, meanwhile and after.
        free = {"before": "", "stats": "--stats=/tmp/s ", "trace": "--trace=/tmp/t ", "after": ""}
        plan += [("run", name, 60, known.command("1000").replace("launcher ", "launcher " + way))
                 for name, way in free.items()]
        outcome, steps, last = batch(Config(kernel, "qemu64", 1), plan, [elf("worlds")], 120,
                                     extra=["--icount"])
        ticks, cost = {}, {}
        for name, step in steps.items():
            if name in free:
                found = re.search(r"^# ticks for a thousand calls: (\d+)$", step.output, re.M)
                cost[name] = int(found.group(1)) if found else 0
                continue
            start = step.output.find("{")
            try:
                stats = json.loads(step.output[start:step.output.rfind("}") + 1])
            except ValueError as error:
                return [Result(prefix, FAIL, "%s: --stats wrote no JSON: %s" % (name, error),
                               step.output)]
            if "not ok" in step.output or stats["launcher_status"]:
                return [Result(prefix, FAIL, "%s: the inmate failed" % name, step.output)]
            ticks[name] = {k[6:]: v for k, v in stats.items() if k.startswith("ticks_")}
        results = []
        # A loop: two instructions, 99,999 times more than without; reading one more digit of
        # the argument takes eight, taking it off one or two.  A call: mov, int, dec, jnz.
        loop = 2 * 99999
        # Without --rings an interrupt may divide ring 3's loop: the rest of it is `user` then.
        for t in ticks.values():
            t["program"] = t["user"] + t["both"]
        for way in ("", "--rings "):
            title = "%s/%s" % (prefix, "rings " if way else "")

            def more(word, world):
                return ticks[way.strip() + word][world] - ticks[way.strip() + "0"][world]
            for word, expected in (("100", {"kernel": loop + 2 * 8 + 2, "program": 0}),
                                   ("10", {"kernel": 8 + 2, "program": loop}),
                                   ("1", {"kernel": 4 * 999 + 1, "program": 0})):
                got = {world: more(word, world) for world in expected}
                results.append(check(title + word, got == expected,
                                     "%s instructions more, expected %s" % (got, expected)))
        # An interrupt makes it a trip more: the shorter one of two runs has none, most likely.
        calls = min(ticks[w + "1"]["switcher"] - ticks[w + "0"]["switcher"]
                    for w in ("", "--rings"))
        results.append(check(prefix + "/switcher", 80 * 999 < calls < 200 * 999,
                             "999 trips take %d instructions" % calls))
        results.append(check(
            prefix + "/free", 0 < cost["before"] == cost["after"] < cost["stats"] < cost["trace"],
            "ticks for a thousand calls: %s" % cost))
        results.append(check(prefix + "/all", all(
            t["host"] > 0 and (t["both"] == 0) == name.startswith("--")
            for name, t in ticks.items()), "the Host's time, or time of both: %s" % ticks))
        return results
    return suite


def flatten(value, prefix=""):
    if isinstance(value, dict):
        for k, v in value.items():
            yield from flatten(v, "%s.%s" % (prefix, k))
    elif isinstance(value, list):
        for k, v in enumerate(value):
            yield from flatten(v, "%s[%d]" % (prefix, k))
    else:
        yield prefix, value


def make_trace(config):
    """The tracepoints tell what the counters tell, event by event."""
    prefix = "trace/%s" % config

    def suite(wanted):
        script = (
            "mount -t tracefs none /sys/kernel/tracing 2>/dev/null\n"
            "t=/sys/kernel/tracing\n"
            "echo 20000 >$t/buffer_size_kb\n"
            "echo 1 >$t/events/lguest/enable || exit 20\n"
            "/bin/launcher --stats=/tmp/s.json syscall.elf >/dev/null 2>&1; "
            "/bin/launcher kill-no-gate.elf >/dev/null 2>&1\n"
            "echo 0 >$t/events/lguest/enable\n"
            "for e in enter exit hypercall page_fault inject kill; do\n"
            "  echo \"event $e $(grep -c lguest_$e: $t/trace)\"\n"
            "done\n"
            "first=$(sed -n 's/^ *launcher-\\([0-9]*\\).*/\\1/p' $t/trace | head -1)\n"
            "echo \"event first-hypercall $(grep launcher-$first $t/trace | grep -c hypercall:)\"\n"
            "echo \"event first-inject $(grep launcher-$first $t/trace | grep -c inject:)\"\n"
            "cat /tmp/s.json\n")
        outcome = nested_script(config, script, [elf("syscall"), elf("kill-no-gate")],
                                patience=150)
        seen = {n: int(v) for n, v in re.findall(r"^event (\S+) (\d+)", outcome.output, re.M)}
        text = outcome.output
        try:
            stats = dict(flatten(json.loads(text[text.find("{"):text.rfind("}") + 1])))
        except ValueError as error:
            return [Result(prefix, ERROR, "no trace and no counters: %s" % error, text)]

        def total(name):
            return sum(v for k, v in stats.items() if ".%s[" % name in k)
        calls = total("hypercall_direct") + total("hypercall_ring")
        given = total("reflected") + sum(v for k, v in stats.items()
                                         if k.endswith(".irq_delivered"))
        return [
            check(prefix + "/hypercalls", seen.get("first-hypercall") == calls > 0,
                  "%s traced, %d counted" % (seen.get("first-hypercall"), calls), text),
            check(prefix + "/injections", seen.get("first-inject") == given > 0,
                  "%s traced, %d counted" % (seen.get("first-inject"), given), text),
            check(prefix + "/kills", seen.get("kill") == 1, "%s traced, one happened"
                  % seen.get("kill"), text),
            check(prefix + "/entries", seen.get("enter", 0) >= seen.get("exit", 1) > 0,
                  "%s entries, %s exits" % (seen.get("enter"), seen.get("exit")), text),
        ] + log_results(prefix, outcome.log)
    return suite
