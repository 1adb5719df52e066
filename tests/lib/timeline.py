# SPDX-License-Identifier: MIT
"""--trace: is what the file says what happened?"""

import collections
import json
import os
import re
import tarfile
import tempfile

from . import machine
from .machine import BUILD, TOP, log_results, need, nested
from .verdict import ERROR, FAIL, PASS, Result

HYPERCALLS = {0: "FLUSH_ASYNC", 1: "LGUEST_INIT", 2: "SHUTDOWN", 4: "NEW_PGTABLE",
              5: "FLUSH_TLB", 6: "LOAD_IDT_ENTRY", 7: "SET_STACK", 8: "TS",
              9: "SET_CLOCKEVENT", 10: "HALT", 13: "SET_PMD", 14: "SET_PTE", 15: "SET_PGD",
              16: "LOAD_TLS", 17: "NOTIFY", 18: "LOAD_GDT_ENTRY", 19: "SEND_INTERRUPTS"}
KERNEL, USER, HOST = 3, 4, 1
GUESTS = ["syscall", "interrupts", "paging2", "console", "kill-no-gate"]


class Trace:
    def __init__(self, text):
        self.events = json.loads(text)
        self.end = [e["args"] for e in self.events if e["name"] == "lguest_end"]
        self.start = [e["args"] for e in self.events if e["name"] == "lguest"]

    def of(self, category, phase=None):
        return [e for e in self.events if e.get("cat") == category
                and (phase is None or e["ph"] == phase)]


def compare(name, trace, stats):
    """Each figure in the file against the Host's counter.  -> list of complaints"""
    wrong = []

    def same(what, seen, counted):
        if seen != counted:
            wrong.append("%s: %s: %s in the trace, %s counted" % (name, what, seen, counted))

    seen = collections.Counter(
        (e["name"], e["args"]["ring"]) for e in trace.of("hypercall"))
    for number, word in HYPERCALLS.items():
        same(word, seen[word, False], stats["hypercall_direct"][number])
        same(word + " from the ring", seen[word, True], stats["hypercall_ring"][number])
    vectors = collections.Counter(e["args"]["vector"] for e in trace.of("stay"))
    for v in range(256):
        same("exits by vector %d" % v, vectors[v], stats["exit_vector"][v])
    faults = trace.of("fault")
    names = collections.Counter(e["name"] for e in faults)
    same("faults: not present", names["the Guest's: not present"], stats["fault_absent"])
    same("faults: not allowed", names["the Guest's: not allowed"], stats["fault_protection"])
    filled = [e["args"] for e in faults if e["args"]["shadow"] != e["args"]["shadow_was"]]
    same("fills", len(filled),
         sum(stats["fill_" + k] for k in ("linear", "read", "write", "dirty")))
    same("made writable", sum(a["shadow_was"] != "0" and int(a["error"], 16) & 2 != 0
                              and a["cr3"] != "00000000" for a in filled), stats["fill_dirty"])
    same("stack pins", names["stack made present"], stats["stack_pins"])
    same("injections", len(trace.of("inject")), sum(stats["reflected"]) + stats["irq_delivered"])
    same("interrupts raised", len(trace.of("irq")),
         stats["irq_from_launcher"] + stats["timer_fired"])
    same("of them again", sum(e["args"]["again"] for e in trace.of("irq")), stats["irq_coalesced"])
    same("direct traps", sum(e["args"].get("direct", 0) for e in trace.of("stay")),
         sum(stats["direct"]))
    ticks = collections.Counter()
    for e in trace.of("stay") + trace.of("switcher"):
        ticks["switcher" if e["cat"] == "switcher" else e["name"]] += e["args"]["ticks"]
    for name, world in (("user", "user"), ("kernel", "kernel"), ("kernel and user", "both"),
                        ("switcher", "switcher")):
        same("ticks: " + name, ticks[name], stats["ticks_" + world])
    return wrong


def as_printed(trace):
    """What lg_trace.h prints of an event, from our file: (event, fields) in order."""
    regs, rows = {}, []
    for e in trace.events:
        a = e.get("args", {})
        if e.get("cat") == "stay":
            regs.update(a["regs"])
            rows.append(("exit", a["vector"], int(a.get("error", "0"), 16)) + tuple(
                int(regs[r], 16) for r in ("cs", "eip", "esp", "eflags")))
        elif e.get("cat") == "hypercall":
            given = [int(v, 16) for k, v in a.items() if k not in ("n", "number", "ring")]
            rows.append(("hypercall", a["number"], a["ring"], given))
        elif e.get("cat") == "fault":
            rows.append(("page_fault",) + tuple(int(a[k], 16) for k in (
                "gva", "error", "directory", "pte", "shadow_was", "shadow")))
        elif e.get("cat") == "inject":
            rows.append(("inject", a["vector"], int(a["error"], 16),
                         int(a["handler"].split(":")[1], 16)))
        elif e.get("cat") == "irq":
            rows.append(("irq", a["irq"], a["again"]))
    return rows


def from_the_kernel(text):
    """The same, from the lines of /sys/kernel/tracing/trace."""
    rows = []
    for event, rest in re.findall(r"^lguest_(\w+): (.*)$", text, re.M):
        word = rest.split()
        field = {k: int(v, 0) for k, v in zip(word, word[1:]) if re.match(r"^(0x)?[0-9a-f]+$", v)
                 and re.match(r"^[a-z]", k)}
        if event == "exit" and field["trap"] != 0x200:
            rows.append(("exit",) + tuple(field[k] for k in (
                "trap", "error", "cs", "eip", "esp", "eflags")))
        elif event == "hypercall":
            m = re.match(r"(\d+) \((.*)\)(.*)$", rest)
            rows.append(("hypercall", int(m.group(1)), "ring" in m.group(3),
                         [int(v, 0) for v in m.group(2).split(", ")]))
        elif event == "page_fault":
            was, now = re.search(r"shadow (\S+) -> (\S+)", rest).groups()
            rows.append(("page_fault",) + tuple(field[k] for k in (
                "gva", "error", "directory", "pte")) + (int(was, 0), int(now, 0)))
        elif event == "inject":
            rows.append(("inject", field["vector"], field["error"], field["handler"]))
        elif event == "irq":
            rows.append(("irq", field["irq"], "already" in rest))
    return rows


def event_for_event(trace, text):
    """-> a complaint, or None"""
    ours, theirs = as_printed(trace), from_the_kernel(text)
    for k, (a, b) in enumerate(zip(ours, theirs)):
        if a[0] == b[0] == "hypercall":     # we name as many arguments as there are
            b = b[:3] + (b[3][:len(a[3])],)
        if a != b:
            return "event %d: %s in the file, %s printed by the kernel" % (k, a, b)
    if len(ours) != len(theirs) or len(ours) < 200 or len({r[0] for r in ours}) < 4:
        return "%d events in the file, %d printed by the kernel" % (len(ours), len(theirs))
    return None


def well_formed(name, trace):
    """What every such file must be like.  -> list of complaints"""
    wrong = []
    if len(trace.start) != 1 or len(trace.end) != 1:
        wrong.append("%s: %d beginnings, %d ends" % (name, len(trace.start), len(trace.end)))
    last = collections.defaultdict(float)
    for e in sorted(trace.of("stay") + trace.of("host"), key=lambda e: e["ts"]):
        track = "guest" if e["tid"] in (KERNEL, USER) else e["tid"]
        if e["ts"] < last[track] - 0.002:
            wrong.append("%s: slices overlap at %s us" % (name, e["ts"]))
        last[track] = e["ts"] + e["dur"]
    khz = trace.start[0]["tsc_khz"] if trace.start else 1
    for e in trace.of("stay"):
        if abs(e["dur"] - e["args"]["ticks"] * 1000 / khz) > 0.01:
            wrong.append("%s: %s us are not %s ticks" % (name, e["dur"], e["args"]["ticks"]))
    begun = {e["id"] for e in trace.of("arrow", "s")}
    arrived = [e["id"] for e in trace.of("arrow", "f")]
    if not set(arrived) <= begun or len(arrived) != len(set(arrived)):
        wrong.append("%s: arrows that come from nowhere, or twice" % name)
    # An arrow's end has to lie in a slice of its track, or nobody draws it.
    slices = collections.defaultdict(list)
    for e in trace.events:
        if e["ph"] == "X":
            slices[e["tid"]].append((e["ts"], e["ts"] + e["dur"]))
    for e in trace.of("arrow")[:200]:
        if not any(a - 0.002 <= e["ts"] <= b + 0.002 for a, b in slices[e["tid"]]):
            wrong.append("%s: an arrow '%s' hangs in the air at %s" % (name, e["ph"], e["ts"]))
    return wrong


def make_timeline(config, short=False):
    prefix = "timeline/%s" % config

    def suite(wanted):
        names = GUESTS + ["linear", "heartbeat"]
        files = [need(os.path.join(BUILD, "inmates", n + ".elf"), "make inmates") for n in names]
        with tempfile.TemporaryDirectory(prefix="lg-timeline-") as folder:
            tar = os.path.join(folder, "out.tar")
            files.append(os.path.join(TOP, "tests", "nested", "timeline.sh"))
            outcome = nested(
                config, ["sh", "/root/timeline.sh", "short" if short else "all"], files=files,
                collect=[("/tmp/out.tar", tar)], patience=280)
            if not os.path.exists(tar):
                return [Result(prefix, ERROR, "nothing came back: %s"
                               % machine.tail(outcome.output, 3), outcome.output)]
            found = {}
            with tarfile.open(tar) as t:
                for member in t:
                    if member.isfile():
                        found[os.path.basename(member.name)] = \
                            t.extractfile(member).read().decode("utf-8", "replace")
        return judge(prefix, found, outcome.output, short) + log_results(prefix, outcome.log)
    return suite


def judge(prefix, found, output, short):
    results = []
    said = collections.defaultdict(list)
    for key, value in re.findall(r"^([^:\n]+): (.*)$", output, re.M):
        said[key].append(value)

    def add(name, good, why):
        results.append(Result(prefix + "/" + name, PASS) if good
                       else Result(prefix + "/" + name, FAIL, why, output[-3000:]))

    def text(key):
        return " ".join(said.get(key, []))

    traces = {}
    for name in GUESTS:
        try:
            traces[name] = Trace(found[name + ".json"])
            wrong = compare(name, traces[name], json.loads(found[name + ".stats"]))
            wrong += well_formed(name, traces[name])
        except (KeyError, ValueError) as error:
            wrong = ["no trace: %r" % error]
        add("counters/" + name, not wrong, "; ".join(wrong[:5]))
    if "syscall" in traces and traces["syscall"].end:
        end = traces["syscall"].end[0]
        wrong = ["%s: %s in the file, tracefs shows %s" % (e, n, text("tracefs " + e))
                 for e, n in end.items() if e.startswith("lguest_")
                 and str(n) != (text("tracefs " + e) or "0")]
        add("tracefs", not wrong and end["lguest_exit"] > 1000, "; ".join(wrong) or "no exits")
    try:
        wrong = event_for_event(Trace(found["linear.json"]), found["linear.events"])
    except (KeyError, ValueError) as error:
        wrong = "no trace: %r" % error
    add("event for event", not wrong, wrong)
    if "console" in traces:
        kicks = [e for e in traces["console"].of("arrow", "f") if e["name"] == "kick"]
        served = [e for e in traces["console"].of("device") if e["name"].startswith("console")]
        add("kick to interrupt", kicks and served, "%d arrows, %d times served"
            % (len(kicks), len(served)))
    if "paging2" in traces:
        t = traces["paging2"]
        ends = {e["id"]: e["ts"] for e in t.of("arrow", "f") if e["name"] == "fault"}
        starts = {e["id"]: e["ts"] for e in t.of("arrow", "s") if e["name"] == "fault"}
        real = sum(e["name"] != "stack made present" for e in t.of("fault"))
        add("fault to fill", len(ends) == real > 100 and all(starts[i] <= ends[i] for i in ends),
            "%d arrows for %d faults" % (len(ends), real))
        both = {e["name"] for e in t.of("stay")}
        add("rings", both == {"user", "kernel"} and {e["tid"] for e in t.of("stay")
                                                      if e["name"] == "user"} == {USER},
            "with --rings the stays are %s" % both)
        named = [e for e in t.of("stay") if e["args"].get("from_name")]
        add("names of functions", len(named) > 10, "only %d stays have one" % len(named))
    if "kill-no-gate" in traces:
        kills = traces["kill-no-gate"].of("kill")
        add("kill", len(kills) == 1 and kills[0]["name"].startswith("E-TRAP"),
            "expected one kill: %s" % kills)

    if short:
        return results
    try:
        kinds = collections.Counter(e.get("cat") for e in Trace(found["filter.json"]).events
                                    if e.get("cat"))
    except (KeyError, ValueError):
        kinds = {}
    add("filter", kinds.get("hypercall", 0) > 0 and kinds.get("fault", 0) > 0
        and not set(kinds) & {"inject", "irq", "device", "launcher"}, str(dict(kinds)))
    live = found.get("live.txt", "")
    add("live", len(re.findall(r"^\d+\.\d+ us +Host +[A-Z_]+\(", live, re.M)) > 50
        and "gives the Guest: interrupt 0" in live and "goes on at" not in live,
        "got: %s" % live[:300])

    add("instances", text("instances after seven") == "0", text("instances after seven"))
    try:
        one, two = Trace(found["one.json"]), Trace(found["two.json"])
        add("two at once", one.end and two.end and not well_formed("one", one) and
            not well_formed("two", two) and one.of("stay")[0]["pid"] != two.of("stay")[0]["pid"],
            "; ".join(well_formed("one", one) + well_formed("two", two)))
    except (KeyError, ValueError, IndexError) as error:
        add("two at once", False, "no two traces: %r" % error)
    add("one file for two", "another Launcher writes its trace there" in text("same file"),
        text("same file"))
    try:
        killed = Trace(found["killed.json"])
        add("kill -9", len(killed.end) == 1 and len(killed.of("stay")) > 5
            and text("instances after kill -9") == "0", "ends: %s; instances: %s"
            % (killed.end, text("instances after kill -9")))
    except (KeyError, ValueError) as error:
        add("kill -9", False, "the file is not whole: %r" % error)
    add("sweep", text("instances left by two dead") == "1"
        and text("instances after the sweep") == "0", "left: %s, then %s" % (
            text("instances left by two dead"), text("instances after the sweep")))
    full = found.get("full.json", "")
    try:
        lines = json.loads(full.rstrip().rstrip(",") + "]")
    except ValueError as error:
        lines = []
        full = "does not parse: %s ... %r" % (error, full[-80:])
    add("full disk", text("full status") == "0" and len(lines) > 500
        and "No space left on device; the trace ends here" in text("full says"),
        "status %s, %s, %d objects, %s" % (text("full status"), text("full says"), len(lines),
                                           full[-200:]))
    add("unwritable", "cannot write there: No such file" in text("unwritable"), text("unwritable"))
    add("directory", "cannot write there: Is a directory" in text("directory"), text("directory"))
    try:
        lost = Trace(found["lost.json"])
        gaps = sum(e["args"]["lost"] for e in lost.of("lost"))
        add("lost events", gaps == lost.end[0]["lost"] > 0
            and "%d events were lost" % gaps in text("lost says"),
            "%d in gaps, %s at the end, said: %s" % (gaps, lost.end, text("lost says")))
    except (KeyError, ValueError, IndexError) as error:
        add("lost events", False, "no trace: %r" % error)
    add("not root", "expected to be root" in text("not root"), text("not root"))
    add("no tracefs", "expected tracefs to be mounted" in text("no tracefs"), text("no tracefs"))
    return results
