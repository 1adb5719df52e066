# SPDX-License-Identifier: MIT
"""A seed of one's own: other numbers everywhere, and the shortest ring."""

import os
import re
import subprocess
import sys

from .labs_suites import PATIENCE
from .machine import TOP
from .suites import check

sys.path.insert(0, os.path.join(TOP, "labs"))

# Run in the tree of a seed: the reference of 6.6, and the same with 64 for a name.
IN_A_VARIANT = """
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1] + "/labs")
from engine import sandbox, unit
from engine.tree import Tree
tree = Tree()
e = tree.exercises["6.6"]
print(sandbox.level())
tests = [t for t in e.tests if t.test == "host/ring/full_ring"]
for text in (tree.mine(e), tree.mine(e).replace("LHCALL_RING_SIZE", "64")):
    print(unit.try_exercise(e, tree, text, 1, tests)[tests[0].test].word)
"""

# Slots of the ring, and calls by number.  Others have 64 of something, too.
RING_OF_64 = re.compile(
    r"\b(?:slots?|ring|queued?|calls)\W+(?:\w+\W+){0,3}6[34]\b(?!-| bit)|"
    r"\b6[34] +(?:\w+ +){0,2}(?:slots?|queued?|calls)\b|[&%] *6[34]\b(?= *[;)])|"
    r"\b(?:hyper)?calls? (?:number )?\d+\b", re.I)
NOT_OF_IT = ("64 requests in a ring of 64 descriptors", "system call")


def fixed_numbers(tree):
    """What students read: places that have the ring's 64 slots, or a call by its number."""
    found = []
    places = ["labs/lab%d" % n for n in range(12)] + ["teachos/arch/lguest", "include"]
    for place in places + ["host/hypercalls.c"]:
        full = os.path.join(tree, place)
        for where, _, names in os.walk(full) if os.path.isdir(full) else [(tree, [], [place])]:
            for name in names:
                path = os.path.relpath(os.path.join(where, name), tree)
                with open(os.path.join(tree, path), encoding="utf-8", errors="replace") as f:
                    found += ["%s:%d: %s" % (path, n, line.strip()[:80])
                              for n, line in enumerate(f, 1) if RING_OF_64.search(line)
                              and not any(other in line for other in NOT_OF_IT)]
    return found


def answers_alike():
    """(question, how many of all pairs of seeds have one answer): what a friend's is worth."""
    from engine import labs, questions
    seeds = ["seed%d" % k for k in range(60)]
    for lab in labs.load_all():
        module, found = questions.maker(lab), {}
        for asked in [module.ask(s) for s in seeds] if module else []:
            for ident, _, answer in asked:
                found.setdefault(ident, []).append(str(answer))
        for ident, answers in found.items():
            pairs = sum(answers.count(a) - 1 for a in answers)
            yield ident, pairs / (len(seeds) * (len(seeds) - 1))


def labs_seeds(wanted):
    """A seed changes the numbers everywhere; the seed 1 changes nothing; who copies, fails."""
    from engine import labs, parameters, sandbox, variant
    results, prefix, seen = [], "labs/seeds", []
    results += [check("%s/the answers of two, %s" % (prefix, ident), alike < 0.25, "in %d of 100 "
                      "pairs of seeds they are the same; expected less than 25" % (100 * alike))
                for ident, alike in answers_alike()]
    results.append(check(prefix + "/none is the ABI", not variant.needed("1") and
                         not variant.needed(None) and variant.needed("anna"),
                         "the seed 1 wants another tree"))
    names = {v: k for k, v in parameters.INMATES.items()}
    for seed in ("of-the-tests", "another"):
        with variant.locked(variant.folder(seed)):
            tree = os.path.join(variant.make(seed), "tree")

        def numbers(path, pattern, tree=tree):
            with open(os.path.join(tree, path), encoding="utf-8") as f:
                return {names.get(n, n): int(k) for n, k in
                        (sorted(m, key=str.isdigit) for m in re.findall(pattern, f.read(), re.M))}
        header = numbers("include/lguest.h", r"^#define LHCALL_(?!COUNT|RING)(\w+)\s+(\d+)\s")
        found = {"docs/ABI.md": numbers("docs/ABI.md", r"^\| (\d+) \| ([A-Z_]{2,}) \|"),
                 "tests/inmates/lib.inc": numbers("tests/inmates/lib.inc",
                                                  r"^HC_(\w+)\s+equ (\d+)$")}
        for path, there in found.items():
            results.append(check("%s/%s, %s" % (prefix, seed, path), there == header and
                                 len(header) == 17, "%s, but lguest.h %s" % (there, header)))
        p = subprocess.run(["gcc", "-fsyntax-only", "-x", "c", "-I", os.path.join(tree, "include"),
                            "-include", "lguest.h", "/dev/null"], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT)
        results.append(check("%s/%s, the layout" % (prefix, seed), p.returncode == 0,
                             p.stdout.decode()[-300:]))
        found = fixed_numbers(tree)
        results.append(check("%s/%s, no text has a number of 2011" % (prefix, seed), not found,
                             "; ".join(found[:5])))
        seen.append(header)
    results.append(check(prefix + "/two are different", seen[0] != seen[1], str(seen[0])))
    p = subprocess.run([sys.executable, "-c", IN_A_VARIANT, tree], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=PATIENCE, env=dict(
                           os.environ, BUILD=os.path.abspath(os.path.join(tree, "..", "build")),
                           LABS_HIDE="%s:%s" % (labs.TOP, labs.BUILD)))
    said = p.stdout.decode().split()
    results.append(check(prefix + "/as well protected as without", said[:1] == [sandbox.level()],
                         "%s, here %s" % (said[:1], sandbox.level())))
    results.append(check(prefix + "/names pass, somebody's numbers do not",
                         said[1:] == ["PASS", "FAIL"], p.stdout.decode()[-300:]))
    for seed in ("of-the-tests", "another"):
        variant.forget(seed)
    return results


BOOTS = """
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1] + "/labs")
from engine import abi, guests, labs
from engine.tree import Tree
print("ring of", abi.ring_size())
tree = Tree()
for number, names in (1, ["forks"]), (2, ["forks"]), (6, ["first-words", "tally", "ring",
                      "hidden-words", "farewell"]):
    lab = labs.load(number, hidden=True)
    found = guests.try_guests(lab, tree, {}, ["guest/" + n for n in names], control=False)
    for name, v in found.items():
        print("%d %s: %s %s" % (number, name, v.word, v.why))
"""


def labs_narrow(wanted):
    """The Guests that a short ring changes, with a seed that has the shortest: 24 slots."""
    from engine import variant
    prefix, seed = "labs/narrow", "narrow"
    with variant.locked(variant.folder(seed)):
        place = variant.make(seed)
        variant.build(place, ("host", "launcher", "teachos"))
    tree = os.path.join(place, "tree")
    p = subprocess.run([sys.executable, "-c", BOOTS, tree], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=PATIENCE, env=dict(
                           os.environ, BUILD=os.path.join(place, "build"), NO_COLOR="1"))
    text = p.stdout.decode("utf-8", "replace")
    results = [check("%s/lab %s" % (prefix, lab), word == "PASS", why, text)
               for lab, word, why in re.findall(r"^(\d+ \S+): (\S+) ?(.*)$", text, re.M)]
    results.append(check(prefix + "/all of them", len(results) == 7 and "ring of 24" in text,
                         "%d verdicts, expected 7: %s" % (len(results), text[-300:])))
    variant.forget(seed)
    return results
