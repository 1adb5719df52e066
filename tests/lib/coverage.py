# SPDX-License-Identifier: MIT
"""What the Host counted while everything ran: a table, and its empty cells."""

import json
import os
import re
import shutil
import tempfile

from . import inmates as inmates_of
from . import inmate_suites, machine, suites, teachos_suites
from .machine import TOP, Broken, Config, batch

# ---- What must not be empty, or why it may be ---------------------------------------

VECTORS = [
    (0, "#DE"), (1, "#DB"), (3, "#BP"), (4, "#OF"), (5, "#BR"), (6, "#UD"), (7, "#NM"),
    (9, "coprocessor overrun"), (10, "#TS"), (11, "#NP"), (12, "#SS"), (13, "#GP"), (14, "#PF"),
    (16, "#MF"), (17, "#AC"), (19, "#XF"), (0x80, "system call"),
]
COLUMNS = ["direct", "reflected", "handled", "fatal"]

HOST_ONLY = "the Host must see it first (ABI.md section 5.2)"
NOTHING = "nothing in it for the Host to finish"
NO_GATE = "`int n` without a gate is #GP, so the Guest dies of 13"
EMULATOR = "QEMU's TCG never raises it"
EXEMPT = {
    (7, "direct"): HOST_ONLY, (13, "direct"): HOST_ONLY, (14, "direct"): HOST_ONLY,
    (3, "fatal"): NO_GATE, (4, "fatal"): NO_GATE, (0x80, "fatal"): NO_GATE,
    (9, "fatal"): "since the 486 only `int 9` raises it, and that is #GP without a gate",
    (10, "fatal"): "64-bit mode has no task switch that could raise it; `int 10` is #GP",
    (10, "direct"): "64-bit mode has no task switch that could raise it; the Host finishes "
                    "`int 10` (H:230)",
    (17, "fatal"): EMULATOR, (17, "direct"): EMULATOR, (19, "fatal"): EMULATOR,
}
HANDLED = {13: ("in_emulated", "out_emulated", "cli_skipped"),
           14: ("fill_linear", "fill_read", "fill_write", "fill_dirty")}
HOST_GROUPS = [
    ("Interrupts", ["irq_at_once", "irq_delivered", "irq_waited", "irq_blocked", "irq_in_noirq",
                    "irq_no_gate", "irq_woke", "irq_coalesced", "irq_from_launcher",
                    "timer_armed", "timer_fired", "nudges", "halts", "irq_exits", "nmi_exits",
                    "nmi_switcher", "entry_aborts"]),
    ("Page tables", ["fill_linear", "fill_read", "fill_write", "fill_user", "fill_kernel",
                     "fill_dirty", "fault_absent", "fault_protection", "smap_heals",
                     "smep_heals", "set_pte_kernel", "set_pte_user", "set_pte_absent",
                     "set_pgd_present", "set_pgd_absent", "root_hits", "root_misses",
                     "root_evictions", "flush_user", "flush_all", "stack_pins", "tables_live",
                     "tables_recycled", "pinned_pages"]),
    ("The rest", ["switches", "sections", "fixups", "restarts", "in_emulated", "out_emulated",
                  "cli_skipped", "nm_reflected", "notify_launcher", "notify_eventfd",
                  "ring_runs"]),
]
DEATHS_EXEMPT = {"E-HOST-01": "that one would be a bug of ours"}


def read(*path):
    with open(os.path.join(TOP, *path), encoding="utf-8") as f:
        return f.read()


def hypercalls():
    """{number: name}, as include/lguest.h has them."""
    found = re.findall(r"^#define LHCALL_(\w+)\s+(\d+)\s", read("include", "lguest.h"), re.M)
    return {int(n): name for name, n in found if name not in ("COUNT", "RING_SIZE", "RING_FREE")}


def scalars():
    """{name: what it counts}: the Host's table, and one that is a difference."""
    text = read("include", "lguest_user.h")
    table = dict(re.findall(r'X\((\w+),\s*"([^"]*)"\)', text))
    table["fill_kernel"] = "shadow entries made or changed, for ring 1"
    return table


def deaths():
    return dict(re.findall(r'X\(\w+,\s*"(E-[A-Z]+-\d+)", "([^"]*)"', read("host", "reasons.h")))


# ---- Collecting ------------------------------------------------------------------------

class Counts:
    """The sum of many --stats files."""

    def __init__(self):
        self.number = {}
        self.array = {}
        self.deaths = {}
        self.devices = {}
        self.guests = 0

    def add(self, stats):
        self.guests += 1
        for key, value in stats.items():
            if key == "devices":
                for counters in value:
                    mine = self.devices.setdefault(counters.pop("kind"), {})
                    for c, n in counters.items():
                        mine[c] = mine.get(c, 0) + n
            elif isinstance(value, list):
                mine = self.array.setdefault(key, [0] * len(value))
                for i, n in enumerate(value):
                    mine[i] += n
            elif isinstance(value, int):
                self.number[key] = self.number.get(key, 0) + value
        code = stats.get("launcher_code")
        if code:
            self.deaths[code] = self.deaths.get(code, 0) + 1

    def finish(self):
        n = self.number
        n["fill_kernel"] = (n["fill_read"] + n["fill_write"] + n["fill_dirty"] +
                            n["fill_linear"] - n["fill_user"])


STATS = "/bin/launcher --stats=/tmp/c/%s.json"


def collect_from(steps, counts):
    for part in steps["json"].output.split("\n== ")[1:]:
        name, text = part.split("\n", 1)
        try:
            counts.add(json.loads(text))
        except ValueError as error:
            raise Broken("%s: --stats wrote no JSON: %s" % (name.strip(), error))


def main_run(config, counts):
    """TeachOS's self-test, twice, and all the inmates."""
    known = inmates_of.load(suites.INMATES)
    limit = "/sys/module/lg/parameters/table_limit"
    plan = [("run", "folder", 5, "mkdir -p /tmp/c")]
    plan += [("run", n, 200, "%s --timeout=150 %s 64 /root/%s.elf selftest" % (
        STATS % n, teachos_suites.SELFTEST_DEVICES, n)) for n in suites.TEACHOS]
    for n, inmate in known.items():
        runs = ["20"] if n == "heartbeat" else inmate_suites.thin(inmate.runs, 12)
        for k, arguments in enumerate(runs):
            ident = "%s.%d" % (n, k)
            plan.append(("run", ident, inmate.patience + 10, inmate.command(arguments).replace(
                "/bin/launcher", STATS % ident)))
    # What is typed, and a disk on which there is no room.
    plan.append(("run", "typed", 30, "echo typed | %s %s" % (
        STATS % "typed", known["echo"].command("6").split(" ", 1)[1])))
    plan.append(("run", "full", 30, "mkdir /small; mount -t tmpfs -o size=64k none /small; "
                 "truncate -s 1M /small/full.img; dd if=/dev/zero of=/small/rest 2>/dev/null; "
                 "%s --block=/small/full.img 16 /root/block.elf" % (STATS % "full")))
    # A Host without memory for tables is one that was told to have none.
    plan.append(("run", "no-tables", 30, "echo 1 >%s; %s /root/hello.elf; echo 2047 >%s" % (
        limit, STATS % "no-tables", limit)))
    plan.append(("run", "device", 60, "/root/device"))
    plan.append(("run", "json", 30, 'for f in /tmp/c/*.json; do echo; echo "== $f"; cat $f; done'))
    files = ["%s:/root/%s.elf" % (p, n) for n, p in suites.TEACHOS.items()]
    files += [suites.elf(n) for n in known] + teachos_suites.selftest_files()
    files.append(suites.built("device", "device") + ":/root/device")
    folder = tempfile.mkdtemp(prefix="lg-disks-")
    for n, inmate in known.items():
        if inmate.disk:
            files.append(os.path.join(folder, n + ".img"))
            with open(files[-1], "wb") as f:
                f.write(inmate.disk_before())
    try:
        outcome, steps, last = batch(config, plan, files, 600, extra=["--load", "veth"])
    finally:
        shutil.rmtree(folder)
    for n in suites.TEACHOS:
        if steps[n].status != 0:
            raise Broken("%s selftest: status %d: %s" % (
                n, steps[n].status, machine.tail(steps[n].output, 3)))
    # This death takes a Launcher of another kind; it compares the Host's own word.
    if re.search(r"^ok .*a hole in the memory", steps["device"].output, re.M):
        counts.deaths["E-MEM-04"] = counts.deaths.get("E-MEM-04", 0) + 1
    collect_from(steps, counts)


def nmi_run(config, counts):
    """NMIs into Guests that are busy: without them three counters can't move."""
    known = inmates_of.load(suites.INMATES)
    names = ["registers", "syscall", "ring"]
    plan = [("run", "folder", 5, "mkdir -p /tmp/c"), ("say", "nmi-start")]
    plan += [("run", n, 120, known[n].command(known[n].runs[0]).replace(
        "/bin/launcher", STATS % n)) for n in names]
    plan += [("say", "nmi-stop"),
             ("run", "json", 30, 'for f in /tmp/c/*.json; do echo; echo "== $f"; cat $f; done')]
    with machine.NmiRain() as rain:
        outcome, steps, last = batch(config, plan, [suites.elf(n) for n in names], 300,
                                     rain.on_line, rain.extra)
    collect_from(steps, counts)


def collect(say):
    counts = Counts()
    for config in (Config("6.1", "qemu64", 2), Config("6.1", "max", 1)):
        say("# %s" % config)
        main_run(config, counts)
    # Rain falls where it likes: some of it must hit a dozen instructions of the way in.
    for attempt in range(6):
        say("# NMIs, run %d" % (attempt + 1))
        nmi_run(Config("6.1", "qemu64", 2, "loglevel=0"), counts)
        if all(counts.number.get(n) for n in ("nmi_exits", "nmi_switcher", "entry_aborts")):
            break
    counts.finish()
    return counts


# ---- The table --------------------------------------------------------------------------

class Table:
    """Lines of Markdown, and what is empty in them."""

    def __init__(self):
        self.lines = []
        self.empty = []
        self.notes = []
        self.cells = 0

    def title(self, text, head):
        self.lines += ["", "## " + text, "", "| " + " | ".join(head) + " |",
                       "|" + "---|" * len(head)]

    def cell(self, name, value, why_not=None):
        """The text of one cell.  why_not: it need not be filled, and why."""
        self.cells += 1
        if value:
            return str(value)
        if why_not is None:
            self.empty.append(name)
            return "**EMPTY**"
        if why_not not in self.notes:
            self.notes.append(why_not)
        return "— (%d)" % (self.notes.index(why_not) + 1)

    def row(self, *cells):
        self.lines.append("| " + " | ".join(cells) + " |")


def hypercall_table(t, counts):
    names = hypercalls()
    t.title("Hypercalls", ["call", "direct", "from the ring"])
    for n in range(20):
        name = names.get(n, "unassigned")
        t.row("%d %s" % (n, name), *[
            t.cell("hypercall %d %s, %s" % (n, name, kind),
                   counts.array["hypercall_" + kind][n],
                   "one call that does not exist is like another"
                   if n not in names and kind == "ring" else None)
            for kind in ("direct", "ring")])


def trap_table(t, counts):
    t.title("Traps", ["vector"] + COLUMNS)
    for vector, name in VECTORS:
        handled = sum(counts.number.get(k, 0) for k in HANDLED.get(vector, ()))
        values = {"direct": counts.array["direct"][vector],
                  "reflected": counts.array["reflected"][vector],
                  "handled": handled, "fatal": counts.array["fatal"][vector]}
        t.row("%d %s" % (vector, name), *[
            t.cell("vector %d %s, %s" % (vector, name, c), values[c],
                   NOTHING if c == "handled" and vector not in HANDLED
                   else EXEMPT.get((vector, c))) for c in COLUMNS])


def counter_tables(t, counts):
    meaning = scalars()
    known = [n for _, names in HOST_GROUPS for n in names]
    forgotten = sorted(set(meaning) - set(known)) + sorted(set(known) - set(meaning))
    if forgotten:
        raise Broken("tests/lib/coverage.py and include/lguest_user.h disagree about: %s"
                     % ", ".join(forgotten))
    for title, names in HOST_GROUPS:
        t.title(title, ["path", "counter", "times"])
        for n in names:
            t.row(meaning[n], n, t.cell(n, counts.number.get(n, 0)))


def death_table(t, counts):
    t.title("Deaths", ["code", "of what", "Guests"])
    for code, meaning in deaths().items():
        t.row(code, meaning, t.cell(code, counts.deaths.get(code, 0), DEATHS_EXEMPT.get(code)))


def device_table(t, counts):
    t.title("Devices", ["device", "path", "times"])
    for device, counters in sorted(counts.devices.items()):
        for name, n in counters.items():
            t.row(device, name.replace("_", " "), t.cell("%s, %s" % (device, name), n))


def table(counts):
    t = Table()
    t.lines = [
        "<!-- SPDX-License-Identifier: MIT -->",
        "# What is exercised, by the Host's own count",
        "",
        "Made by `make coverage ARGS=--write`.  TeachOS's self-test (2-level and PAE) and all "
        "inmates ran on two kinds of CPU, some of them in a rain of NMIs; the Host and the "
        "Launcher counted what they did, %d Guests in all.  An empty cell fails the command."
        % counts.guests,
    ]
    hypercall_table(t, counts)
    trap_table(t, counts)
    counter_tables(t, counts)
    device_table(t, counts)
    death_table(t, counts)
    if t.notes:
        t.lines += ["", "## Why some cells are not filled", ""]
        t.lines += ["%d. %s" % (i + 1, note) for i, note in enumerate(t.notes)]
    return t


def names():
    """All that the table must speak of."""
    return ([name for name in hypercalls().values()] + list(scalars()) + list(deaths()) +
            [name for _, name in VECTORS])


def docs(wanted):
    """docs/COVERAGE.md is about this Host: every counter, call, vector and death is in it."""
    text = read("docs", "COVERAGE.md")
    lost = [n for n in names() if not re.search(r"\b%s\b" % re.escape(n.lstrip("#")), text)]
    return [
        suites.check("coverage/docs/complete", not lost, "docs/COVERAGE.md has no word of %s: "
                     "make coverage ARGS=--write" % ", ".join(lost)),
        suites.check("coverage/docs/filled", "EMPTY" not in text, "a cell of it is empty"),
    ]
