# SPDX-License-Identifier: MIT
"""
`make hint CODE`: three steps, one each time you ask: a question, a pointer, a sketch.

Codes are the exercises' own (6.1-wrap) or the Host's and Launcher's (E-PT-07), for a Guest
that died.  What was asked is kept in labs/.progress.json, for `make progress` and for nobody
else.
"""

import json
import os
import re

from .labs import STEPS, TOP, LabError, load_all

KEPT = os.path.join(TOP, "labs", ".progress.json")
# host/reasons.h has X(NAME, "code", "sentence"), launcher/reasons.h #define NAME "code: " /* it */
REASON = re.compile(r'^\s*(?:X\(|#define )(\w+),?\s*"(E-[A-Z]+-\d+)(?:",\s*"|: "\s*/\* )(.*?)'
                    r'(?:"\)| \*/)', re.M)


def asked():
    try:
        with open(KEPT, encoding="utf-8") as f:
            return json.load(f)
    except (OSError, ValueError):
        return {}


def keep(known):
    with open(KEPT, "w", encoding="utf-8") as f:
        json.dump(known, f, indent=1, sort_keys=True)
        f.write("\n")


def reasons():
    """{code: (name, sentence, file)}"""
    found = {}
    for path in ("host/reasons.h", "launcher/reasons.h"):
        try:
            with open(os.path.join(TOP, path), encoding="utf-8", errors="replace") as f:
                for name, code, text in REASON.findall(f.read()):
                    found[code] = (name, text, path)
        except OSError:
            pass
    return found


def deciders(name, folder):
    """Where this reason is given: ["host/hypercalls.c:34, lg_read()"]"""
    found = []
    for where, _, names in os.walk(os.path.join(TOP, folder)):
        for file in sorted(names):
            if not file.endswith(".c"):
                continue
            function = ""
            with open(os.path.join(where, file), encoding="utf-8", errors="replace") as f:
                for number, line in enumerate(f, 1):
                    m = re.match(r"^[A-Za-z_].*?(\w+)\([^;]*$", line)
                    if m:
                        function = m.group(1)
                    if re.search(r"\b(LG_)?%s\b" % name, line):
                        found.append("%s:%d, in %s()" % (os.path.relpath(
                            os.path.join(where, file), TOP), number, function))
    return found


def show(code, say=print):
    all_labs = load_all()
    for lab in all_labs:
        if code in lab.hints:
            known = asked()
            step = min(known.get(code, 0), len(STEPS) - 1)
            for k in range(step + 1):
                say("%s, %s: %s" % (code, STEPS[k], lab.hints[code][STEPS[k]]))
            if step + 1 < len(STEPS):
                say("(ask again for the next step: %s)" % STEPS[step + 1])
            known[code] = step + 1
            keep(known)
            return 0
    known = reasons()
    if code.upper() in known:
        name, text, path = known[code.upper()]
        say("%s: %s." % (code.upper(), text[0].upper() + text[1:]))
        for place in deciders(name, path.split("/")[0])[:6]:
            say("  decided in %s" % place)
        say("  The last exits, printed below the sentence, end with the one that did it. What a "
            "Guest\n  may do is in docs/ABI.md.")
        return 0
    for lab in all_labs:
        for e in lab.exercises:
            if code == e.id:
                say("%s, %s%s You write: %s" % (e.id, e.name, "" if e.name[-1] in "?!." else ".",
                                                e.write))
                say("contract: %s" % e.contract)
                say("hints: %s" % ", ".join(sorted(h for h in lab.hints
                                                   if h.startswith(e.id + "-"))))
                return 0
    of = [(e, sorted(h for h in lab.hints if h.startswith(e.id + "-")))
          for lab in all_labs for e in lab.exercises if e.id == code.partition("-")[0]]
    for e, mine in of:
        raise LabError("there is no hint '%s'; those of exercise %s: %s; its contract: make hint %s"
                       % (code, e.id, ", ".join(mine), e.id))
    number = re.fullmatch(r"(\d+)[.,](\d+)(-.*)?", code)
    for lab in all_labs:
        if number and lab.lab == int(number.group(1)):
            ids = [e.id for e in lab.exercises]
            there = number.group(1) + "." + number.group(2) in ids
            raise LabError("there is no exercise '%s'; %s" % (
                code.partition("-")[0],
                "is it %s? It is written with a full stop" % code.replace(",", ".")
                if there else "lab %d has %s to %s" % (lab.lab, ids[0], ids[-1])))
    codes = sorted([h for lab in all_labs for h in lab.hints] + list(known))
    import difflib
    near = difflib.get_close_matches(code, codes, 3, 0.4)
    raise LabError("there is no hint '%s'; expected a code like %s"
                   % (code, " or ".join(near) or "6.1-wrap or E-PT-07"))


def progress(tree, results, say=print):
    """What is begun, what was scored last, which hints were asked for."""
    known = asked()
    total = most = 0
    for lab in load_all():
        last = results(lab)
        # What a handout brings along solved is no exercise of the student's.
        given = {e.id for e in lab.exercises
                 if tree.is_handout and e.id not in tree.index["exercises"]}
        score = "given" if len(given) == len(lab.exercises) else "never graded"
        if last:
            score = "%g of %g points" % (last["score"], lab.points)
            total += last["score"]
        most += 0 if score == "given" else lab.points
        say("lab %-2d  %-38s %s" % (lab.lab, lab.title, score))
        tests = (last or {}).get("tests", [])
        for e in lab.exercises:
            mine = [t for t in tests if t["name"].startswith(e.id + " ")]
            steps = sum(min(v, 3) for k, v in known.items() if k.startswith(e.id + "-"))
            state = "not begun" if tree.untouched(e, tree.mine(e)) else "begun"
            if e.id in given:
                state = "given"
            if mine and state == "begun":
                good = sum(1 for t in mine if t["status"] == "passed")
                state = "done" if good == len(mine) else "%d of %d tests" % (good, len(mine))
            say("   %-5s %-37s %s%s" % (e.id, e.name, state,
                                       "; %d hint%s" % (steps, "" if steps == 1 else "s")
                                       if steps else ""))
    say("\n%g of %g points" % (round(total, 3), round(most, 3)))
