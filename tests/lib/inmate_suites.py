# SPDX-License-Identifier: MIT
"""All inmates, each judged by its own opinion, and the reasons that they die of."""

import os
import re
import tempfile

from . import inmates as inmates_of
from .machine import TOP, batch, counter_result, log_results, need
from .suites import INMATES, check, elf
from .verdict import ERROR, FAIL, SKIP, Result


def make_inmates(config, most=1000, beats=150):
    """
    All inmates in one boot: the good ones alone, the others with a heartbeat beside.
    most: how many runs an inmate gets that wants many (the first of them, and the last).
    """
    prefix = "inmates/%s" % config

    def suite(wanted):
        known = inmates_of.load(INMATES)
        chosen = [n for n in known if wanted(prefix + "/" + n)]
        good = [n for n in chosen if not known[n].expect and known[n].status != {0, 3, 4, 5}]
        bad = [n for n in chosen if n not in good and n != "heartbeat"]
        good = [n for n in good if n != "heartbeat"]
        plan, runs = [], []

        def add(name):
            inmate = known[name]
            for k, arguments in enumerate(thin(inmate.runs, most)):
                ident = "%s.%d" % (name, k)
                runs.append((ident, name, arguments))
                plan.append(("exec", ident, inmate.patience + 10, inmate.command(arguments)))

        for name in good:
            add(name)
        files = [elf(n) for n in chosen]
        if bad:
            heart = known["heartbeat"]
            if "heartbeat" not in chosen:
                files.append(elf("heartbeat"))
            plan.append(("start", "heartbeat.0", heart.patience + 10,
                         heart.command(str(beats))))
        for name in bad:
            add(name)
        if bad:
            plan.append(("join", "heartbeat.0"))
            runs.append(("heartbeat.0", "heartbeat", str(beats)))
        elif "heartbeat" in chosen:
            add("heartbeat")
        if not plan:
            return []

        results = []
        with tempfile.TemporaryDirectory(prefix="lg-disks-") as folder:
            disks = {n: os.path.join(folder, n + ".img") for n in chosen if known[n].disk}
            for name, path in disks.items():
                with open(path, "wb") as f:
                    f.write(known[name].disk_before())
            # All of them are expected to be quick: the sum of the patiences would be an hour.
            outcome, steps, last = batch(
                config, plan, files + list(disks.values()), 300,
                collect=[("/root/%s.img" % n, p) for n, p in disks.items()])
            for name, path in disks.items():
                with open(path, "rb") as f:
                    why = known[name].judge_disk(f.read())
                results.append(check("%s/%s/disk" % (prefix, name), why is None, why))
        for name in good + bad + (["heartbeat"] if any(r[1] == "heartbeat" for r in runs) else []):
            mine = [(a, i) for i, n, a in runs if n == name]
            missing = [i for _, i in mine if i not in steps]
            if missing:
                results.append(Result("%s/%s" % (prefix, name), ERROR,
                                      "%s was not carried out" % missing[0]))
                continue
            results.append(known[name].result(
                prefix, [(a, steps[i].output, steps[i].status) for a, i in mine]))
        # After each Guest but those beside the heartbeat nothing may be left.
        for name in good:
            held = [s for i, s in steps.items() if i.startswith(name + ".")
                    and (s.guests, s.pinned, s.tables) != ("0", "0", "0")]
            if held:
                results.append(Result("%s/%s/counters" % (prefix, name), FAIL,
                                      "after it the Host held %s guests, %s pinned pages, %s tables"
                                      % (held[0].guests, held[0].pinned, held[0].tables)))
        results.append(counter_result(prefix, last))
        return results + log_results(prefix, outcome.log)

    suite.parts = lambda: [prefix + "/" + n for n in inmates_of.load(INMATES)]
    return suite


def thin(runs, most):
    """At most so many runs of each kind (the fuzzer's modes are kinds)."""
    kinds = {}
    for arguments in runs:
        kinds.setdefault(" ".join(arguments.split()[:-1]), []).append(arguments)
    return [a for kind in kinds.values() for a in (kind if len(kind) <= most
                                                   else kind[:most - 1] + kind[-1:])]


# Reasons that no Guest can be made to die of, and why.
UNREACHABLE = {
    "E-HOST-01": "a bug of the Host",
}


# ... and the one that takes a Launcher of another kind: the suite device.
ELSEWHERE = {"E-MEM-04"}


def make_reasons(config):
    """Every reason code of the Host has an inmate that dies of it."""
    def suite(wanted):
        table = need(os.path.join(TOP, "host", "reasons.h"), "part of the repository")
        with open(table, encoding="utf-8") as f:
            codes = re.findall(r'X\(\w+,\s*"(E-[A-Z]+-\d+)"', f.read())
        if not codes:
            return [Result("reasons", ERROR, "host/reasons.h: no codes found")]
        known = inmates_of.load(INMATES)
        plan = [("exec", "%s.%d" % (n, k), i.patience + 10, i.command(a))
                for n, i in known.items() if i.expect for k, a in enumerate(i.runs)]
        # A Host without memory for tables is one that was told to have none.
        limit = "/sys/module/lg/parameters/table_limit"
        plan.append(("run", "no-tables", 30, "echo 1 >%s; %s; echo 2047 >%s" % (
            limit, known["hello"].command(""), limit)))
        files = [elf(n) for n, i in known.items() if i.expect] + [elf("hello")]
        outcome, steps, last = batch(config, plan, files, 200)
        seen = set()
        for step in steps.values():
            seen.update(inmates_of.CODE.findall(step.output))
        return [Result("reasons/" + code, SKIP, UNREACHABLE[code])
                if code in UNREACHABLE and code not in seen
                else check("reasons/" + code, code in seen, "no inmate dies of it")
                for code in codes if code not in ELSEWHERE]
    return suite
