# SPDX-License-Identifier: MIT
"""NMIs out of nowhere, starts in a row, many at a time, `kill -9` in the middle."""

import os
import re
import signal
import subprocess
import tempfile
import time

from . import inmates as inmates_of
from . import machine
from .machine import Config, batch, counter_result, log_results, nested_script
from .suites import INMATES, check, descendants, elf, module_of
from .verdict import ERROR, FAIL, PASS, Broken, Result


def make_nmi(config, seconds_between=0.004):
    """Non-maskable interrupts from outside, as many as the monitor takes, into everything."""
    prefix = "nmi/%s" % config

    def suite(wanted):
        known = inmates_of.load(INMATES)
        names = ["registers", "syscall", "ring", "paging2", "fpu", "traps"]
        count = "grep NMI: /proc/interrupts"
        plan = [("run", "before", 5, count), ("say", "nmi-start")]
        # Each one now gets an extra load; give it time.
        for n in names:
            command = known[n].command(known[n].runs[0])
            plan.append(("run", n, 120, command.replace(
                "/bin/launcher", "/bin/launcher --stats=/tmp/%s.json" % n)))
        plan += [("say", "nmi-stop"), ("run", "after", 5, count),
                 ("run", "json", 5, "cat /tmp/*.json")]
        with machine.NmiRain(seconds_between) as rain:
            outcome, steps, last = batch(
                Config(config.kernel, config.cpu, config.smp, "loglevel=0"), plan,
                [elf(n) for n in names], 300, rain.on_line, rain.extra)
        results = []
        for n in names:
            if n not in steps:
                results.append(Result("%s/%s" % (prefix, n), ERROR, "was not carried out"))
            else:
                results.append(known[n].result(prefix, [
                    (known[n].runs[0], steps[n].output, steps[n].status)]))

        def total(step):
            return sum(int(w) for w in step.output.split() if w.isdigit())
        got = total(steps["after"]) - total(steps["before"])
        # Some fall together while one is being handled; most must arrive.
        results.append(check(prefix + "/counted", rain.sent >= 100 and got >= rain.sent // 3,
                             "%d sent, the nested kernel counted %d" % (rain.sent, got)))
        hits = {k: sum(int(v) for v in re.findall(r'"%s":\s*(\d+)' % k, steps["json"].output))
                for k in ("nmi_exits", "nmi_switcher", "entry_aborts")}
        results.append(check(prefix + "/hits", hits["nmi_exits"] > 0,
                             "no NMI hit a Guest: %s" % hits))
        if results[-1].word == PASS:
            results[-1].why = "%d NMIs: %s" % (got, ", ".join("%s %d" % h for h in hits.items()))
        results.append(counter_result(prefix, last))
        return results + log_results(prefix, outcome.log, also_harmless=[machine.NMI_SURPRISE])
    return suite


def make_module(config, rounds=10):
    """insmod, run, rmmod, again and again; and rmmod while a Guest runs is refused."""
    prefix = "module/%s" % config

    def suite(wanted):
        script = (
            "set -e\n"
            "cat /proc/modules >/dev/null\n"
            "for i in $(seq %d); do\n"
            "  insmod /root/lg.ko\n"
            "  /bin/launcher 32 hello.elf one two three >/tmp/out 2>&1 ||\n"
            "    { cat /tmp/out; exit 21; }\n"
            "  grep -q '^1[.][.]' /tmp/out || { cat /tmp/out; exit 22; }\n"
            "  rmmod lg\n"
            "  [ ! -e /dev/lguest ] || { echo '/dev/lguest is still there'; exit 23; }\n"
            "done\n"
            "insmod /root/lg.ko\n"
            "/bin/launcher --timeout=30 16 silent.elf >/dev/null 2>&1 &\n"
            "pid=$!\n"
            "sleep 1\n"
            "if rmmod lg 2>/dev/null; then echo 'rmmod worked under a running Guest'; exit 24; fi\n"
            "kill $pid; wait $pid || true\n"
            "echo survived\n" % rounds)
        outcome = nested_script(
            config, script, [module_of(config.kernel) + ":/root/lg.ko", elf("hello"),
                             elf("silent")], patience=120, extra=["--no-module"])
        ok = outcome.status == 0 and "survived" in outcome.output
        return [check("%s/insmod-run-rmmod" % prefix, ok, "status %d: %s" % (
            outcome.status, machine.tail(outcome.output, 3)), outcome.output)] + \
            log_results(prefix, outcome.log)
    return suite


def make_starts(config, count):
    """Guest starts in a row: nothing may be lost on the way."""
    prefix = "starts/%s" % config

    def suite(wanted):
        script = (
            "free() { awk '/^MemAvailable/ { print $2 }' /proc/meminfo; }\n"
            "run() {\n"
            "  /bin/launcher 4 unaligned.elf >/tmp/out 2>&1 || { cat /tmp/out; exit 21; }\n"
            "}\n"
            "i=0; while [ $i -lt 20 ]; do run; i=$((i+1)); done\n"
            "sync; echo 3 >/proc/sys/vm/drop_caches; echo before $(free)\n"
            "i=0; while [ $i -lt %d ]; do run; i=$((i+1)); done\n"
            "sync; echo 3 >/proc/sys/vm/drop_caches; sleep 1; echo after $(free) done $i\n"
            "cd /sys/kernel/debug/lguest; echo held $(cat guests pinned_pages tables)\n" % count)
        outcome = nested_script(config, script, [elf("unaligned")], patience=60 + count // 2)
        text = outcome.output
        m = re.search(r"before (\d+)\s+after (\d+) done (\d+)\s+held (.*)", text)
        if not m or outcome.status != 0:
            return [Result(prefix + "/all", FAIL, "status %d: %s" % (
                outcome.status, machine.tail(text, 3)), text)]
        lost = int(m.group(1)) - int(m.group(2))
        # A page lost per start would be 4 KiB * count; the kernel's own caches move, too.
        limit = max(1024, 2 * count)
        return [check(prefix + "/all", int(m.group(3)) == count, "only %s" % m.group(3)),
                check(prefix + "/memory", lost < limit,
                      "%d KiB less after %d starts, allowed are %d" % (lost, count, limit)),
                check(prefix + "/counters", m.group(4).split() == ["0", "0", "0"],
                      "the Host holds %s (guests, pages, tables)" % m.group(4))] + \
            log_results(prefix, outcome.log)
    return suite


def make_pairs(config):
    """Two Guests at once: separate consoles, separate FPUs, separate memory."""
    prefix = "pairs/%s" % config

    def suite(wanted):
        known = inmates_of.load(INMATES)
        pairs = [("fpu", "1", "fpu", "77777"), ("registers", "1", "registers", "5"),
                 ("paging2", "", "pagingpae", ""), ("hello", "one two  three", "linear", ""),
                 ("syscall", "", "interrupts", "")]
        plan, who = [], []
        for k, (a, aa, b, ba) in enumerate(pairs):
            plan.append(("start", "%s.%d.a" % (a, k), 200, known[a].command(aa)))
            plan.append(("run", "%s.%d.b" % (b, k), 200, known[b].command(ba)))
            plan.append(("join", "%s.%d.a" % (a, k)))
            who += [("%s.%d.a" % (a, k), a, aa), ("%s.%d.b" % (b, k), b, ba)]
        # And four at once.
        four = [("fpu", "3"), ("fpu", "4"), ("traps", ""), ("ring", "")]
        for k, (n, a) in enumerate(four):
            plan.append(("start", "%s.four.%d" % (n, k), 200, known[n].command(a)))
            who.append(("%s.four.%d" % (n, k), n, a))
        plan += [("join", "%s.four.%d" % (n, k)) for k, (n, a) in enumerate(four)]
        outcome, steps, last = batch(config, plan, [elf(n) for n in {w[1] for w in who}], 300)
        results = []
        for ident, name, arguments in who:
            if ident not in steps:
                results.append(Result("%s/%s" % (prefix, ident), ERROR, "was not carried out"))
                continue
            why = known[name].judge(arguments, steps[ident].output, steps[ident].status)
            results.append(check("%s/%s" % (prefix, ident), why is None, why,
                                 steps[ident].output))
        results.append(counter_result(prefix, last))
        return results + log_results(prefix, outcome.log)
    return suite


def make_killed(config):
    """kill -9 for Launchers in the middle: at every age, in every state."""
    prefix = "killed/%s" % config

    def suite(wanted):
        script = (
            "held() { echo $(cat /sys/kernel/debug/lguest/guests "
            "/sys/kernel/debug/lguest/pinned_pages /sys/kernel/debug/lguest/tables); }\n"
            "for guest in silent heartbeat registers paging2 fpu; do\n"
            "  for delay in 0 0.01 0.03 0.1 0.3; do\n"
            "    /bin/launcher 16 $guest.elf 1000 >/dev/null 2>&1 &\n"
            "    pid=$!\n"
            "    sleep $delay\n"
            "    kill -9 $pid 2>/dev/null\n"
            "    wait $pid 2>/dev/null\n"
            "    n=0\n"
            "    while [ \"$(held)\" != '0 0 0' ] && [ $n -lt 50 ]; do\n"
            "      sleep 0.1; n=$((n+1))\n"
            "    done\n"
            "    echo \"$guest $delay: $(held)\"\n"
            "  done\n"
            "done\n"
            # The others go on: one of two is killed.
            "/bin/launcher 16 heartbeat.elf 60 >/tmp/one 2>&1 &\n"
            "one=$!\n"
            "/bin/launcher 16 silent.elf >/dev/null 2>&1 &\n"
            "two=$!\n"
            "sleep 0.5; kill -9 $two; wait $two; wait $one; echo \"other $?\"; echo last $(held)\n"
            # Polite signals: the Launcher ends with 128 + n.
            "timeout -s INT 1 /bin/launcher 16 silent.elf >/dev/null 2>&1; echo \"signal INT $?\"\n"
            "for s in TERM HUP; do\n"
            "  /bin/launcher 16 silent.elf >/dev/null 2>&1 & pid=$!\n"
            "  sleep 0.3; kill -$s $pid; wait $pid; echo \"signal $s $?\"\n"
            "done\n"
            "echo end $(held)\n")
        names = ["silent", "heartbeat", "registers", "paging2", "fpu"]
        outcome = nested_script(config, script, [elf(n) for n in names], patience=120)
        text = outcome.output
        results = []
        for n in names:
            mine = re.findall(r"^%s [\d.]+: (.*)$" % n, text, re.M)
            results.append(check("%s/%s" % (prefix, n),
                                 len(mine) == 5 and all(m.strip() == "0 0 0" for m in mine),
                                 "the Host held (guests, pages, tables): %s" % mine))
        results.append(check(prefix + "/neighbour", "other 0" in text and "last 0 0 0" in text,
                             machine.tail(text, 5)))
        for name, number in (("INT", 130), ("TERM", 143), ("HUP", 129)):
            got = re.search(r"^signal %s (\d+)" % name, text, re.M)
            results.append(check("%s/SIG%s" % (prefix, name), bool(got)
                                 and int(got.group(1)) == number,
                                 "exit status %s, expected %d" % (
                                     got.group(1) if got else "none", number)))
        results.append(check(prefix + "/end", "end 0 0 0" in text, machine.tail(text, 2)))
        return results + log_results(prefix, outcome.log)
    return suite


def qemu_killed(wanted):
    """kill -9 for QEMU in the middle: one clear message, its own status, nothing left."""
    prefix = "qemu-killed"
    config = Config("6.1", "qemu64", 1)
    with tempfile.TemporaryDirectory(prefix="lg-tmp-") as folder:
        env = dict(os.environ, TMPDIR=folder)
        process = subprocess.Popen(
            [machine.NESTED, "exec"] + config.options() + ["--timeout", "60", "--file",
             elf("heartbeat"), "--", "/bin/launcher", "16", "heartbeat.elf", "2000"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True, env=env)
        machine.RUNNING.add(process)
        try:
            qemu, deadline = None, time.time() + 30
            while qemu is None and time.time() < deadline and process.poll() is None:
                time.sleep(0.2)
                for pid in descendants(process.pid):
                    try:
                        with open("/proc/%d/cmdline" % pid, "rb") as f:
                            if b"qemu-system" in f.read().split(b"\0")[0]:
                                qemu = pid
                    except OSError:
                        pass
            if qemu is None:
                raise Broken("no QEMU was started: %s" % process.stdout.read()[-300:])
            time.sleep(4)
            os.kill(qemu, signal.SIGKILL)
            try:
                output = process.communicate(timeout=20)[0].decode("utf-8", "replace")
            except subprocess.TimeoutExpired:
                return [Result(prefix, FAIL, "tools/nested did not notice within 20 s")]
            left = os.listdir(folder)
            return [check(prefix + "/status", process.returncode == 125,
                          "exit status %d, expected 125" % process.returncode, output),
                    check(prefix + "/message", bool(output.strip()), "it said nothing"),
                    check(prefix + "/nothing left", not left and not descendants(process.pid),
                          "left in TMPDIR: %s" % left)]
        finally:
            machine.stop(process)
            machine.RUNNING.discard(process)
