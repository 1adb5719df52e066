# SPDX-License-Identifier: MIT
"""The command line of labs/lab; labs/Makefile calls it."""

import argparse
import importlib
import json
import os
import sys
import traceback

from . import compose, ending, guests, hints, labs, markers, questions, sandbox, submission, unit
from . import grade as grading
from .labs import BUILD, TOP, LabError
from .tree import Tree


def the_lab(number, hidden=False):
    lab = labs.load(number, hidden=hidden)
    if not lab:
        have = ", ".join(str(l.lab) for l in labs.load_all())
        raise LabError("lab %s has no exercises yet; those that have: %s" % (number, have))
    if hidden:
        from . import redteam
        redteam.Hosts(lab).check()      # before anybody's grade depends on it
    return lab


def staff_only(name):
    """A module that handouts do not have."""
    if not os.path.exists(os.path.join(os.path.dirname(os.path.abspath(__file__)), name + ".py")):
        raise LabError("this is a handout; that is done in the course's own tree")
    return importlib.import_module("engine." + name)


def answers_of(lab, top=TOP):
    try:
        with open(os.path.join(top, "labs", "lab%d" % lab.lab, "answers.txt"),
                  encoding="utf-8", errors="replace") as f:
            return f.read(1 << 16)
    except OSError:
        return ""


def own_regions(lab, tree):
    return {e.id: tree.mine(e) for e in lab.exercises}


def step_of(lab, step):
    """STEP=2 and STEP=6.2 mean the same in lab 6."""
    if not step:
        return None
    ident = step if "." in step else "%d.%s" % (lab.lab, step)
    return lab.exercise(ident).id


def warn_outside(lab, tree):
    for place in tree.changed_outside(lab):
        print("labs: %s: changed outside of the regions. The grader takes only what stands between "
              "the LAB lines; helpers of yours belong there, too" % place)


def do_grade(o):
    numbers = [o.lab] if o.lab is not None else [l.lab for l in labs.load_all()]
    hidden = getattr(o, "hidden", False)
    tree, total, most, status = Tree(), 0, 0, 0
    for number in numbers:
        lab = the_lab(number, hidden)
        units = o.command == "check"
        base = None if units else grading.result_folder(lab)
        report = grading.grade(
            lab, tree, own_regions(lab, tree), seed=o.seed, units_only=units,
            first=step_of(lab, o.step), path=base and base + ".json",
            logs=grading.log_folder(lab), answers=answers_of(lab), stubs=o.stubs, keep=True)
        if base:
            with open(base + ".tap", "w", encoding="utf-8") as f:
                f.write(report.tap())
        grading.screen(report, units)
        warn_outside(lab, tree)
        total, most = total + report.score, most + lab.points
        bad = [l for l in report.lines if l.verdict.word not in ("PASS", "SKIP")]
        status = 1 if bad else status
        if len(numbers) > 1:
            print("-" * 60)
    if len(numbers) > 1:
        print("all labs: %g of %g points" % (round(total, 3), round(most, 3)))
    return status


def do_compose(o):
    tree = Tree()
    if o.lab is not None:
        lab = the_lab(o.lab)
        compose.choose(lab.lab, o.base, step_of(lab, o.step))
    if not tree.is_handout:
        if o.base or o.step:
            print("labs: this tree has all the solutions; BASE and STEP are for handouts")
        return 0
    student, sentence = compose.chosen(tree)
    compose.compose(tree, os.path.join(BUILD, "labs", "tree"),
                    ("module", "launcher", "teachos"), student)
    if o.lab is not None:
        print(sentence)
    return 0


def do_inmates(o):
    """The Guests of a lab that its sheet and its questions want to be run."""
    lab = the_lab(o.lab)
    folder = os.path.join(lab.folder, "inmates")
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        if name.endswith(".asm"):
            guests.inmate(lab, name[:-len(".asm")])
    return 0


def do_submit(o):
    lab, tree = the_lab(o.lab), Tree()
    questions.student_seed(TOP, tree.is_handout)    # or it says what is wrong with it
    report = grading.grade(lab, tree, own_regions(lab, tree), units_only=True, keep=True)
    tried = [l for l in report.lines if not unit.is_guest(l.test.test)]
    good = sum(1 for l in tried if l.verdict.word == "PASS")
    to = os.path.join(TOP, "labs", "lab%d-submission.tar.gz" % lab.lab)
    names = submission.pack(lab, tree, to)
    # Read it again, as the grader will.
    packet = submission.Submission(to)
    again, answers = packet.regions(lab, tree), questions.given(packet.answers(lab))
    for e in lab.exercises:
        if isinstance(again[e.id], Exception):
            raise LabError("%s: %s" % (to, again[e.id]))
        if again[e.id] != tree.mine(e):
            raise LabError("%s: LAB %s came out different than it went in" % (to, e.id))
    not_begun = [e.id for e in lab.exercises if tree.untouched(e, tree.mine(e))]
    print("packed: %s" % ", ".join(names))
    print("%d of %d tests in user space pass%s" % (
        good, len(tried), "; not begun: %s" % ", ".join(not_begun) if not_begun else ""))
    open_ones = [q["id"] for q in (lab.questions or {}).get("ask", []) if not answers.get(q["id"])]
    sheet = "labs/lab%d/answers.txt" % lab.lab
    warn_outside(lab, tree)
    if open_ones:
        print("questions not answered: %s (%s)" % (", ".join(open_ones), sheet if sheet in names
              else "%s is missing: git checkout %s" % (sheet, sheet)))
    near = os.path.relpath(to, os.getcwd())
    print("hand in %s" % (to if near.startswith("..") else near))
    return 0


def do_grade_submission(o):
    """Whatever breaks here is tried once more, and then said in results.json."""
    lab = the_lab(o.lab, hidden=True)
    for attempt in (1, 2):
        try:
            return grade_submission(o, lab)
        except Exception as error:      # noqa: B902  (a grader must not end without a word)
            said = "%s: %s" % (type(error).__name__, error)
            print("labs: %s%s" % (said, "" if isinstance(error, LabError) else
                                  "\n" + traceback.format_exc()), file=sys.stderr)
    if o.results:
        grading.broke(lab, o.results, o.who or "", said[:300])
    return 2


def grade_submission(o, lab):
    tree = Tree()
    if tree.is_handout:
        raise LabError("a submission is graded in the course's own tree")
    seed, said, answers, notes = o.student_seed, None, "", list(o.note)
    if not os.path.lexists(o.path):
        raise LabError("%s: there is no such submission" % o.path)
    if seed and not labs.SEED.match(seed):
        raise LabError("--student-seed %s: expected a word of letters, digits and .@+-_" % seed)
    if o.seeds and not seed:
        if not o.metadata:
            raise LabError("--seeds %s: expected --metadata, too: who handed this in?" % o.seeds)
        staff = staff_only("staff")
        seed = staff.seed_of_users(staff.read_seeds(o.seeds), o.metadata)
    try:
        one = submission.Submission(o.path)
        regions = one.regions(lab, tree)
        answers, said = one.answers(lab), one.seed()
    except LabError as error:       # not the machine's fault: no points, and the reason
        regions = {e.id: error for e in lab.exercises}
        notes += [str(error)] if str(error) not in notes else []
    reasons = [str(r) for r in regions.values()]
    if all(isinstance(r, Exception) for r in regions.values()) and not notes:
        notes.append(reasons[0])
    if not seed and said:
        seed = said
        notes.append("The seed, %s, is the submission's own word." % said)
    elif said and said != seed and not o.note:
        notes.append("The submission says that its seed is %s; graded with %s." % (said, seed))
    variant = staff_only("variant")
    if seed and variant.needed(seed):
        words = ["--results=" + os.path.abspath(o.results) if w == "--results=" + str(o.results)
                 else os.path.abspath(w) if w in (o.path, o.results) else w for w in o.words]
        words = [w for w in words if w != "--"]
        words += [] if o.student_seed else ["--student-seed", seed]
        what = ("host", "launcher") + (("teachos",) if "teachos" in lab.artefacts else ())
        return variant.run(seed, words + ["--note=" + n for n in notes], what)
    report = grading.grade(lab, tree, regions, seed=o.seed, path=o.results, who=o.who or "",
                           answers=answers, student_seed=seed, notes=notes)
    grading.screen(report)
    for note in notes:
        print(note)
    return 0


def do_mutants(o):
    mutants = staff_only("mutants")
    which = [the_lab(o.lab, True)] if o.lab is not None else labs.load_all(hidden=True)
    return mutants.run(which, Tree(), o.seed or 1, not o.no_guests, o.only, o.write)


def do_prove(o):
    prove, tree = staff_only("prove"), Tree()
    if o.runs < 1 or o.load < 0:
        raise LabError("--runs %d --load %d: expected at least one run, and no less than no load"
                       % (o.runs, o.load))
    which = [the_lab(o.lab, True)] if o.lab is not None else labs.load_all(hidden=True)
    return prove.run(which, tree, o.runs, o.load)


def do_handout(o):
    handout = staff_only("handout")
    seed = o.seed or "1"
    if not labs.SEED.match(seed):
        raise LabError("SEED=%s: expected a word of letters, digits and .@+-_" % seed)
    if o.first not in labs.NUMBERS:
        raise LabError("FROM=%d: expected the first lab to be solved, %d to %d"
                       % (o.first, labs.NUMBERS[0], labs.NUMBERS[-1]))
    variant = staff_only("variant")
    if variant.needed(seed):
        words = [os.path.abspath(w) if w == o.dest else w for w in o.words]
        return variant.run(seed, words, ())
    status = handout.make(Tree(), o.dest, o.first, seed, not o.no_proof, hosts=not o.no_hosts)
    if not status:
        print("the handout is in %s, with seed %s" % (o.dest, seed))
    return status


def do_with_seed(o):
    """What `labs/lab WORDS` does, in the course's tree of that seed."""
    variant = staff_only("variant")
    if not labs.SEED.match(o.word):
        raise LabError("%s: expected a seed, a word of letters, digits and .@+-_" % o.word)
    if not o.words_there:
        raise LabError("with-seed %s: expected what to do there, like: grade 6 --hidden" % o.word)
    if not variant.needed(o.word):
        return main(o.words_there)
    return variant.run(o.word, o.words_there, ("host", "launcher", "teachos"))


def do_autograder(o):
    staff = staff_only("staff")
    lab = the_lab(o.lab, hidden=True)       # or it says what is wrong with HIDDEN, now
    to = o.to or os.path.join(BUILD, "labs", "autograder-lab%d.zip" % lab.lab)
    os.makedirs(os.path.dirname(os.path.abspath(to)), exist_ok=True)
    size = staff.autograder(lab, to, o.seed, o.seeds)
    print("%s, %d KiB" % (to, size // 1024))
    return 0


def do_grade_all(o):
    staff, tree = staff_only("staff"), Tree()
    if tree.is_handout:
        raise LabError("submissions are graded in the course's own tree")
    seeds = staff.read_seeds(o.seeds) if o.seeds else None
    place = o.out or os.path.join(BUILD, "labs", "grades")
    if o.lab is not None:
        lab = the_lab(o.lab, hidden=True)
        return staff.grade_all(lab, tree, o.dir, o.jobs, o.out or os.path.join(
            place, "lab%d" % lab.lab), o.seed, seeds)
    status = 0
    found, others = staff.by_lab(o.dir)
    for number, names in sorted(found.items()):
        status |= staff.grade_all(the_lab(number, True), tree, o.dir, o.jobs, os.path.join(
            place, "lab%d" % number), o.seed, seeds, names)
    for name, why in sorted(others.items()):
        print("%-30s not graded: %s" % (name, why))
    return 1 if others else status


def do_fight(o):
    """Red team, to practise: your Guest against the bad Hosts that are here."""
    from . import redteam
    tree = Tree()
    e = next(e for e in tree.exercises.values()
             if any(redteam.is_redteam(t.test) for t in e.tests))
    known = redteam.Hosts(e.lab).names()
    for name in o.hosts:
        if name not in known:
            raise LabError("there is no Host '%s' here; expected one of %s"
                           % (name, ", ".join(known)))
    elf = os.path.join(TOP, "labs", "evil.elf")
    why = redteam.runs_of(tree.mine(e))[1] or redteam.build_guest(tree.mine(e), elf)
    if why:
        raise LabError(why)
    print("labs/evil.elf is built: ./launcher 16 evil.elf [ARGUMENTS]")
    found = redteam.try_evil(e, tree.mine(e), [redteam.PREFIX + n for n in o.hosts or known])
    for t in e.tests:
        v = found.get(t.test)
        if v:
            print("%s %-14s %s" % (grading.paint("32" if v.word == "PASS" else "2", {
                "PASS": "beaten ", "FAIL": "stands "}.get(v.word, v.word)),
                t.test[len(redteam.PREFIX):], v.why))
            if v.word == "FAIL":
                print("        %-14s rumour has it: %s" % ("", t.expect.split(": ")[-1]))
    print("%d of %d Hosts beaten; %d lines" % (
        sum(1 for v in found.values() if v.word == "PASS"), len(found),
        redteam.lines_of(tree.mine(e))))
    return 0 if all(v.word != "ERROR" for v in found.values()) else 1


def do_judge(o):
    from . import projects
    return projects.run(o)


def do_progress(o):
    def last(lab):
        try:
            with open(grading.result_folder(lab) + ".json", encoding="utf-8") as f:
                return json.load(f)
        except (OSError, ValueError):
            return None
    hints.progress(Tree(), last)
    return 0


def do_has(o):
    """For make: does this lab have exercises?"""
    return 0 if labs.load(o.lab) else 1


def do_markers(o):
    """All markers and manifests are in order."""
    tree = Tree()
    for ident in tree.regions:
        e = tree.exercises[ident]
        e.stub()
        if not tree.is_handout:
            from .tree import declaration
            for name in e.functions:
                declaration(e.file, tree.mine(e), name)
                if e.file.endswith(".asm"):
                    declaration(e.file, e.stub(), name)
            for m in e.mutants:
                e.mutant_text(m, tree.mine(e))
    if not tree.is_handout:
        from . import redteam
        for lab in labs.load_all(hidden=True):
            redteam.Hosts(lab).check()
    print("%d exercises in %d labs, 0 problems" % (len(tree.exercises), len(labs.load_all())))
    return 0


def a_lab(text):
    """For argparse: the number of a lab."""
    if not text.isdecimal() or len(text) > 4:
        raise argparse.ArgumentTypeError("'%s'; expected the number of a lab, %d to %d" % (
            text, labs.NUMBERS[0], labs.NUMBERS[-1]))
    return int(text)


def dice(text):
    """For argparse: where the tests' random numbers begin."""
    if not text.isdecimal() or len(text) > 10:
        raise argparse.ArgumentTypeError("'%s'; expected a number, for the tests' dice (which "
                                         "handout is whose says a list, SEEDS)" % text)
    return int(text)


def main(arguments):
    parser = argparse.ArgumentParser(prog="labs/lab", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name, run, text, lab=None, seed=False):
        p = commands.add_parser(name, help=text)
        p.set_defaults(run=run)
        if lab == "optional":
            p.add_argument("lab", type=a_lab, nargs="?")
        elif lab == "option":
            p.add_argument("--lab", type=a_lab, required=True)
        elif lab:
            p.add_argument("lab", type=a_lab)
        if seed:
            p.add_argument("--seed", type=dice)
        return p

    for name, text in (("check", "the tests in user space, in seconds"),
                       ("grade", "all tests, and the points")):
        p = command(name, do_grade, text, "optional", True)
        p.add_argument("--step", metavar="N.M", help="begin here: earlier ones are the reference's")
        p.add_argument("--stubs", action="store_true", help="run what is not begun, too")
        p.add_argument("--hidden", action="store_true", help="staff: with the hidden tests")
    p = command("compose", do_compose, "put the sources together (a handout needs it)")
    p.add_argument("--lab", type=a_lab)
    p.add_argument("--base")
    p.add_argument("--step")
    p = command("hint", lambda o: hints.show(o.code), "what a code means, one step at a time")
    p.add_argument("code")
    command("progress", do_progress, "how far you are")
    p = command("fight", do_fight, "lab 11: your evil Guest against the bad Hosts")
    p.add_argument("hosts", nargs="*", metavar="HOST", help="only these")
    p = command("judge", do_judge, "lab 11: what a project of your own is worth")
    p.add_argument("project", help="snapshot, faults or linux")
    p.add_argument("--module", metavar="FILE", help="this lg.ko, not the built one")
    p.add_argument("--launcher", metavar="FILE", help="this Launcher")
    p.add_argument("--kernel", metavar="FILE", help="this bzImage")
    command("submit", do_submit, "pack a lab, and check the packet", True)
    command("inmates", do_inmates, "builds the lab's own Guests", True)
    command("has", do_has, "status 0 if a lab has exercises", True)
    command("markers", do_markers, "are all markers and manifests in order?")
    command("sandbox", lambda o: print("%s: %s" % (sandbox.level(), sandbox.describe())) or 0,
            "what protects this machine from submissions")
    p = command("grade-submission", do_grade_submission, "staff: one submission", "option", True)
    p.add_argument("path")
    p.add_argument("--results", metavar="FILE", help="Gradescope's results.json")
    p.add_argument("--who")
    p.add_argument("--student-seed", help="the seed of the student's handout, from your list")
    p.add_argument("--seeds", metavar="FILE", help="that list, lines of name,seed")
    p.add_argument("--metadata", metavar="FILE", help="Gradescope's: who handed this in")
    p.add_argument("--note", action="append", default=[], help=argparse.SUPPRESS)
    p = command("grade-all", do_grade_all, "staff: a folder of submissions", None, True)
    p.add_argument("dir")
    p.add_argument("--lab", type=a_lab, help="without it: what each submission says it is")
    p.add_argument("--seeds", metavar="FILE", help="lines of name,seed: who got which handout")
    p.add_argument("-j", "--jobs", type=int, default=1)
    p.add_argument("--out", metavar="FOLDER")
    p = command("mutants", do_mutants, "staff: the kill matrix", "optional", True)
    p.add_argument("--only", metavar="N.M[-NAME]", help="one exercise, or one mutant")
    p.add_argument("--no-guests", action="store_true", help="without the nested machine")
    p.add_argument("--write", action="store_true", help="write labs/KILLS.md")
    p = command("prove", do_prove, "staff: the reference gets all points, every time", "optional")
    p.add_argument("--runs", type=int, default=20)
    p.add_argument("--load", type=int, default=0, metavar="N", help="beside N busy processes")
    p = command("handout", do_handout, "staff: a student's tree")
    p.add_argument("dest")
    p.add_argument("--from", dest="first", type=int, default=0,
                   help="labs below this one keep their solutions")
    p.add_argument("--seed")
    p.add_argument("--no-proof", action="store_true", help="do not build it and run its stubs")
    p.add_argument("--no-hosts", action="store_true", help="without the bad Hosts of lab 11")
    p = command("with-seed", do_with_seed, "staff: do the rest of the line in the tree of a seed")
    p.add_argument("word", metavar="SEED")
    p.add_argument("words_there", metavar="...", nargs=argparse.REMAINDER,
                   help="for example: grade 6 --hidden")
    p = command("autograder", do_autograder, "staff: the zip for Gradescope", True)
    p.add_argument("--to")
    p.add_argument("--seeds", metavar="FILE", help="lines of name,seed: who got which handout")
    p.add_argument("--seed", type=dice)
    o = parser.parse_args(arguments)
    o.words = list(arguments)
    ending.prepare()
    try:
        return o.run(o)
    except (LabError, markers.MarkerError, guests.Broken) as error:
        print("labs: %s" % error, file=sys.stderr)
        return 2
    except BrokenPipeError:             # `make hint 6.1 | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    except OSError as error:            # no room, no right, a folder in the way
        if not error.filename:
            raise
        print("labs: %s: %s" % (error.filename, error.strerror), file=sys.stderr)
        return 2
