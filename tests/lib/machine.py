# SPDX-License-Identifier: MIT
"""Runs things in the nested machine, by way of tools/nested, and reads its log."""

import os
import socket
import shutil
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time

from .verdict import FAIL, PASS, Broken, Overdue, Result

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tools"))
from nestedlib import kernels  # noqa: E402  (the path has to be set first)
from nestedlib.kept import MIB, Kept  # noqa: E402
BUILD = os.environ.get("BUILD", os.path.join(TOP, "build"))
NESTED = os.path.join(TOP, "tools", "nested")
BATCH = os.path.join(TOP, "tests", "nested", "batch.sh")

# What must not be in the log of a kernel that is well.
TROUBLE = re.compile(
    r"\bBUG\b|Oops|WARNING|Call Trace|stack segment|general protection|"
    r"double fault|Kernel panic|rcu.*(stall|kthread starved)|lockdep|possible circular|"
    r"soft lockup|hard LOCKUP|hung_task|blocked for more than|scheduling while atomic|"
    r"sleeping function called|Bad page|bad page state|refcount_t|UBSAN|KASAN|KFENCE|"
    r"kmemleak|unchecked MSR|Unable to handle|E-HOST-01|segfault|NMI watchdog: Watchdog|"
    r"list_(add|del) corruption|use-after-free|trap invalid opcode|dazed and confused")

# Lines of a healthy boot that look like trouble.  Each with its reason.
HARMLESS = [
    # The speculation mitigations of the emulated CPU: says so on every boot.
    re.compile(r"(Spectre|MDS|RETBleed|TAA|MMIO|SRBDS|GDS|L1TF|Meltdown).*WARNING|"
               r"WARNING: (Spectre|MDS|.*microcode)", re.I),
    # Prints its configuration: "NMI watchdog: Enabled", "lockdep" in a list of options.
    re.compile(r"NMI watchdog: (Enabled|Perf)"),
    # How patient RCU is, since we say so on the command line.
    re.compile(r"RCU CPU stall warnings timeout set to"),
    # Kernel command line and the list of it, which may name anything.
    re.compile(r"Command line:|Kernel command line:"),
]

# The kernel wonders who sent the NMIs that a test injects by hand.
NMI_SURPRISE = re.compile(r"Uhhuh\. NMI received|Dazed and confused, but trying to continue|"
                          r"INFO: NMI handler .* took too long|perf: interrupt took too long", re.I)

# A Guest or a program that says more than that: the first half is kept, and the last.  A line
# that is longer comes in pieces.
OUTPUT_MOST = 16 * MIB
LINE_MOST = 65536

RUNNING = set()


def there(kernel):
    """Tests ask for Debian's old and new kernel; where these are not, `own` stands for both."""
    tested = kernels.tested_names() or ["own"]
    return kernel if kernel not in ("6.1", "6.12") or kernel in tested else tested[-1]


class Config:
    """A kernel, a CPU model, a number of CPUs."""

    env = None          # of tools/nested, if not ours
    loud = True         # shows how a machine ended that should not have

    def __init__(self, kernel, cpu, smp, append=""):
        self.kernel = there(kernel)
        self.cpu = cpu
        self.smp = smp
        self.append = append

    def __str__(self):
        return "%s-%s-%d" % (self.kernel, self.cpu, self.smp)

    def options(self):
        words = ["--kernel", self.kernel, "--cpu", self.cpu, "--smp", str(self.smp)]
        # LG_MODULE: another lg.ko, for instance one that was broken on purpose.
        if os.environ.get("LG_MODULE"):
            words += ["--module", os.environ["LG_MODULE"]]
        return words + (["--append", self.append] if self.append else [])


def need(path, how):
    """A file that has to be there; its absence fails the test, it doesn't skip it."""
    if not os.path.exists(path):
        raise Broken("%s is missing: %s" % (os.path.relpath(path, TOP), how))
    return path


def stop(process):
    """End a process group that we started, all of it."""
    try:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            pass
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def stop_all():
    for process in list(RUNNING):
        stop(process)


class Outcome:
    def __init__(self, status, output, log):
        self.status = status
        self.output = output
        self.log = log


def run(words, patience, on_line=None, cwd=None, env=None, stdin=subprocess.DEVNULL):
    """Run a command to its end.  on_line gets each line as it comes.  -> (status, output)"""
    process = subprocess.Popen(
        words, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True, cwd=cwd or TOP, env=env)
    RUNNING.add(process)
    overdue = threading.Event()

    def give_up():
        overdue.set()
        stop(process)

    timer = threading.Timer(patience, give_up)
    timer.start()
    said = Kept(OUTPUT_MOST)
    try:
        for raw in iter(lambda: process.stdout.readline(LINE_MOST), b""):
            line = raw.decode("utf-8", "replace")
            said.add(raw)
            if on_line:
                on_line(line.rstrip("\r\n"))
        status = process.wait()
    finally:
        timer.cancel()
        if process.poll() is None:
            stop(process)
        RUNNING.discard(process)
    if overdue.is_set():
        raise Overdue("still running after %d s: %s" % (patience, " ".join(words[:6])))
    return status, bytes(said).decode("utf-8", "replace")


def nested(config, command, files=(), collect=(), patience=120, on_line=None, extra=()):
    """tools/nested exec.  -> Outcome.  Raises Broken if the machine itself failed."""
    with tempfile.NamedTemporaryFile(prefix="lg-log-", suffix=".txt") as log:
        words = [NESTED, "exec"] + config.options()
        words += ["--timeout", str(patience), "--log", log.name]
        for f in files:
            words += ["--file", f]
        for there, here in collect:
            words += ["--collect", "%s:%s" % (there, here)]
        words += list(extra) + ["--"] + list(command)
        status, output = run(words, patience + 30, on_line, env=config.env)
        text = log.read().decode("utf-8", "replace")
    if status in (124, 125) or check_log(text):
        keep_log(config, text, output)
    if status == 124:
        said = explanation(output)
        raise Overdue("the nested machine was stopped after %d s: %s"
                      % (patience, said.partition("\n")[0] or tail(output, 3)), said)
    if status == 125:
        trouble = check_log(text)
        if trouble:
            raise Overdue("the nested kernel died: %s" % (
                explanation(output).partition("\n")[0] or trouble[0]), explanation(output))
        raise Broken("the nested machine failed: %s" % tail(output, 3))
    return Outcome(status, output, text)


def nested_script(config, text, files=(), **more):
    """The same for a shell script of ours, the text of it."""
    with tempfile.NamedTemporaryFile("w", prefix="lg-script-", suffix=".sh") as f:
        f.write(text)
        f.flush()
        return nested(config, ["sh", "/root/script.sh"],
                      files=[f.name + ":/root/script.sh"] + list(files), **more)


def keep_log(config, log, output):
    """Whatever goes wrong in there, the evidence stays: build/tests/logs/CONFIG-TIME.log, and
    its end next to the verdict, since nobody can fetch a file from where CI runs."""
    folder = os.path.join(BUILD, "tests", "logs")
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "%s-%s.log" % (config, time.strftime("%H%M%S")))
    with open(path, "w", encoding="utf-8") as f:
        f.write(log + "\n---- output ----\n" + output)
    said = ["# the log is kept: %s" % os.path.relpath(path, TOP)]
    ends = (("the kernel's log", log, 25), ("the output", output, 15)) if config.loud else ()
    for title, text, count in ends:
        lines = [l for l in text.splitlines() if l.strip()][-count:]
        said += ["# the end of %s:" % title if lines else "# %s is empty" % title]
        said += ["#   " + visible(l)[:296] for l in lines]
    print("\n".join(said), flush=True)


def visible(line):
    """A line without what could move a terminal's cursor."""
    return "".join(c if c.isprintable() else " " for c in line.replace("\t", "    "))


def explanation(output):
    """What tools/nested says of a kernel that crashed, or that was in a loop or elsewhere when
    it was stopped (tools/nestedlib/oops.py, stuck.py): a sentence, and then, indented, where; ""
    if it says nothing."""
    found = re.search(r"^nested: ((?:the (?:Host|nested kernel) (?:crashed|does not come back)|"
                      r"where it was, ).*\n(?:  [^|].*\n)*)", output, re.M)
    return found.group(1).rstrip() if found else ""


def tail(text, count):
    return " / ".join(l.strip() for l in text.strip().splitlines()[-count:])


def check_log(text, also_harmless=()):
    """The lines of a kernel log that mean trouble."""
    harmless = list(HARMLESS) + list(also_harmless)
    return [line.strip() for line in text.splitlines()
            if TROUBLE.search(line) and not any(h.search(line) for h in harmless)]


def log_results(prefix, log, rmmod=True, also_harmless=()):
    """Two Results about a nested kernel's log: it is clean, and the module went away."""
    trouble = check_log(log, also_harmless)
    if not log.strip():
        results = [Result(prefix + "/log", FAIL, "there is no log")]
    elif trouble:
        results = [Result(prefix + "/log", FAIL, trouble[0], "\n".join(trouble[:40]))]
    else:
        results = [Result(prefix + "/log", PASS)]
    if rmmod:
        if "nested: rmmod lg: ok" in log:
            results.append(Result(prefix + "/rmmod", PASS))
        else:
            said = [l for l in log.splitlines() if "rmmod" in l]
            results.append(Result(prefix + "/rmmod", FAIL,
                                  said[-1] if said else "the module was not removed"))
    return results


class Step:
    """What batch.sh reported about one step of a plan."""

    def __init__(self, output, fields):
        self.output = output
        self.status = int(fields["status"])
        self.seconds = float(fields["ended"]) - float(fields["started"])
        self.guests = fields["guests"]
        self.pinned = fields["pinned"]
        self.tables = fields["tables"]


def batch(config, plan, files, patience, on_line=None, extra=(), collect=()):
    """Carry out a plan in one boot.  -> (Outcome, {id: Step}, last counters)"""
    mark = "mark-" + secrets.token_hex(8)
    with tempfile.TemporaryDirectory(prefix="lg-batch-") as folder:
        plan_file = os.path.join(folder, "plan")
        results = os.path.join(folder, "results")
        with open(plan_file, "w", encoding="utf-8") as f:
            f.write(mark + "\n")
            for step in plan:
                f.write("\t".join(str(s) for s in step) + "\n")
        outcome = nested(
            config, ["sh", "/root/batch.sh", "/root/plan", "/root/results"],
            files=[BATCH, plan_file] + list(files),
            collect=[("/root/results", results)] + list(collect), patience=patience,
            on_line=on_line, extra=["--collect-most", "4"] + list(extra))
        try:
            with open(results, encoding="utf-8", errors="replace") as f:
                text = f.read()
        except OSError:
            raise Broken("the machine returned no results: %s" % tail(outcome.output, 3))
    steps, current, lines, last = {}, None, [], None
    for line in text.splitlines(keepends=True):
        if line.startswith(mark + " begin "):
            current, lines = line.split()[2], []
        elif line.startswith(mark + " end "):
            words = line.split()
            steps[words[2]] = Step("".join(lines), dict(w.split("=", 1) for w in words[3:]))
            current = None
        elif line.startswith(mark + " done "):
            last = dict(w.split("=", 1) for w in line.split()[2:])
        elif line.startswith(mark + " error"):
            raise Broken(line.split(" ", 1)[1].strip())
        elif current:
            lines.append(line)
    return outcome, steps, last


def counter_result(prefix, last):
    """A Result: the Host holds nothing when no Guest runs."""
    name = prefix + "/counters"
    if last is None:
        return Result(name, FAIL, "the batch did not reach its end")
    if last != {"guests": "0", "pinned": "0", "tables": "0"}:
        return Result(name, FAIL, "expected 0 guests, pinned pages and tables at the end, "
                      "got %(guests)s, %(pinned)s and %(tables)s" % last)
    return Result(name, PASS)


class NmiRain:
    """NMIs from QEMU's monitor, from the line `nmi-start` of a batch to `nmi-stop`."""

    def __init__(self, seconds_between=0.004):
        self.folder = tempfile.mkdtemp(prefix="lg-nmi-")
        self.path = os.path.join(self.folder, "monitor")
        self.extra = ["--monitor", self.path]
        self.sent = 0
        self._between = seconds_between
        self._stopped = threading.Event()
        self._threads = []

    def _inject(self):
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(self.path)
                s.settimeout(0.2)
                while not self._stopped.is_set():
                    s.sendall(b"nmi\n")
                    self.sent += 1
                    time.sleep(self._between)
                    try:
                        s.recv(65536)
                    except socket.timeout:
                        pass
        except OSError:
            pass

    def on_line(self, line):
        if line.strip() == "nmi-start":
            t = threading.Thread(target=self._inject)
            t.start()
            self._threads.append(t)
        elif line.strip() == "nmi-stop":
            self._stopped.set()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self._stopped.set()
        for t in self._threads:
            t.join()
        shutil.rmtree(self.folder, ignore_errors=True)
