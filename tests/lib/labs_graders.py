# SPDX-License-Identifier: MIT
"""Where others grade: archives as they come, Gradescope's zip, GitHub's workflow."""

import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile

from .machine import TOP
from .suites import check

sys.path.insert(0, os.path.join(TOP, "labs"))


def damaged_archives(folder, text):
    """Submissions as they come: {name: (path, does it hold the text?)}."""
    import io
    import tarfile
    import zipfile
    path, made = "host/hypercalls.c", {}

    def said(info):
        """A header with a size that tarfile would not write."""
        size, info.size = info.size, 0
        head = bytearray(info.tobuf(tarfile.GNU_FORMAT))
        head[124:136] = size.to_bytes(12, "big", signed=True)
        head[124] |= 0x80
        head[148:156] = b" " * 8
        head[148:156] = b"%06o\0 " % sum(head)
        return bytes(head)

    def tar(name, members, good):
        to = os.path.join(folder, name)
        with tarfile.open(to, "w:gz", compresslevel=1) as t:
            for member, data in members:
                info = tarfile.TarInfo(member)
                if member == "././@LongLink":
                    info.type = tarfile.GNUTYPE_LONGNAME
                if isinstance(data, tuple):
                    info.type, info.linkname = data
                    t.addfile(info)
                elif isinstance(data, int):
                    info.size = data
                    if data < 0 or data > 1 << 40:      # it is said, and that is all
                        t.fileobj.write(said(info))
                        continue
                    with open("/dev/zero", "rb") as zeroes:
                        t.addfile(info, zeroes)
                else:
                    info.size = len(data)
                    t.addfile(info, io.BytesIO(data))
        made[name] = (to, good)
        return to
    data = text.encode()
    whole = tar("good.tar.gz", [(path, data)], True)
    with open(whole, "rb") as f:
        start = f.read()[:400]
    for name, packets in (("in a folder", 1), ("two in a folder", 2), ("a link in a folder", 0)):
        made[name] = (os.path.join(folder, name), packets == 1)
        os.makedirs(os.path.join(folder, name, "deeper"))
        for k in range(packets):
            shutil.copy(whole, os.path.join(folder, name, "deeper", "lab%d-submission.tar.gz" % k))
        if not packets:
            os.symlink(whole, os.path.join(folder, name, "lab6-submission.tar.gz"))
    tar("crlf.tar.gz", [(path, data.replace(b"\n", b"\r\n"))], True)
    tar("latin1.tar.gz", [(path, b"/* m\xe9l\xe9 */\n" + data)], True)
    tar("bom.tar.gz", [(path, b"\xef\xbb\xbf" + data)], True)
    tar("outside.tar.gz", [("../../../../" + path, data)], True)
    tar("twice.tar.gz", [(path, b"nothing"), (path, data)], True)
    tar("utf16.tar.gz", [(path, text.encode("utf-16"))], False)
    tar("symlink.tar.gz", [(path, (tarfile.SYMTYPE, "/etc/passwd"))], False)
    tar("hardlink.tar.gz", [(path, (tarfile.LNKTYPE, os.path.join(TOP, path)))], False)
    tar("large.tar.gz", [(path, data + b" " * (2 << 20))], False)
    tar("bomb.tar.gz", [("zeroes", 300 << 20), (path, data)], False)
    tar("round and round.tar.gz", [("x", 0), ("x", -512), (path, data)], False)
    tar("long name.tar.gz", [("x", b""), ("././@LongLink", 1 << 62), (path, data)], False)
    tar("longest name.tar.gz", [("x", b""), ("././@LongLink", 1 << 80), (path, data)], False)
    for name, content in (("cut.tar.gz", start), ("empty.zip", b""), ("noise.zip", b"PK\3\4" * 99)):
        made[name] = (os.path.join(folder, name), False)
        with open(made[name][0], "wb") as f:
            f.write(content)
    with zipfile.ZipFile(os.path.join(folder, "deep.zip"), "w") as z:
        z.writestr("my lab/work/" + path, data)
    made["deep.zip"] = (os.path.join(folder, "deep.zip"), True)
    for name, kind, method, content in (
            ("symlink.zip", stat.S_IFLNK, zipfile.ZIP_STORED, os.path.join(TOP, path)),
            ("bzip2.zip", stat.S_IFREG, zipfile.ZIP_BZIP2, data)):
        made[name] = (os.path.join(folder, name), False)
        info = zipfile.ZipInfo(path)
        info.external_attr, info.compress_type = (kind | 0o644) << 16, method
        with zipfile.ZipFile(made[name][0], "w") as z:
            z.writestr(info, content)
    return made


def labs_archives(wanted):
    """Whatever is handed in: it is read, or there is one line that says why not."""
    from engine import labs, staff, submission
    from engine.labs import LabError
    from engine.tree import Tree
    tree, lab, prefix, results = Tree(), labs.load(6), "labs/archives", []
    with tempfile.TemporaryDirectory(prefix="lg-archives-") as folder:
        for name, (path, good) in damaged_archives(folder, tree.text("host/hypercalls.c")).items():
            try:
                got = submission.Submission(path).regions(lab, tree)["6.1"]
            except LabError as error:
                got = error
            mine = tree.mine(tree.exercises["6.1"])
            results.append(check("%s/%s" % (prefix, name), got == mine if good else
                                 isinstance(got, LabError) and "\n" not in str(got),
                                 repr(got)[:200]))
        names = staff.find(folder)
        results.append(check(prefix + "/names", names.get("good", "").endswith("good.tar.gz") and
                             len(names) == len(os.listdir(folder)), str(names)[:200]))
        others = os.path.join(folder, "others")
        os.mkdir(others)
        # \xe4 twice: where a name is cut it may have half a letter.
        for name in ("b.zip", "b.tar.gz", "b.tar.gz.zip", "=1+1.zip", "\xe4" * 125 + ".zip",
                     "x" * 251 + ".zip", "x" * 250 + ".tar", "a\nb   9 of 9.zip",
                     "a?b   9 of 9.zip", "j\udcf6rg.zip"):
            open(os.path.join(others, name), "wb").close()
        names = staff.find(others)
        results.append(check(prefix + "/strange names", len(names) == 10 and all(
            len(n.encode()) < 230 and "\n" not in n and n[0] != "=" for n in names), str(names)))
        shutil.rmtree(others)
        for name, said in (("six", '{"lab": 6}'), ("true", '{"lab": true}'), ("many", '{"lab": 99}')):
            os.mkdir(os.path.join(folder, name))
            with open(os.path.join(folder, name, "submission.json"), "w", encoding="utf-8") as f:
                f.write(said)
        with open(os.path.join(folder, "torn.zip"), "wb") as f:
            f.write(b"PK\3\4 torn")
        found, others = staff.by_lab(folder)
        results.append(check(prefix + "/whose lab", found == {6: ["six"]} and
                             "torn.zip is no archive" in others["torn"] and
                             all("which lab" in others[n] for n in ("true", "many")),
                             "%s %s" % (found, others)))
        listing = os.path.join(folder, "seeds.csv")
        with open(listing, "w", encoding="utf-8") as f:
            f.write("name,seed\nanna,x1\nanna.b,x2\n")
        seeds = staff.read_seeds(listing)
        found = [staff.seed_for(seeds, n)
                 for n in ("Anna_lab6_late.zip", "anna.b.tar.gz", "annabel", "bert")]
        results.append(check(prefix + "/seeds", found == ["x1", "x2", None, None], str(found)))
        wrong = ":1: '%s'; expected a name, a comma and a seed"
        for line, said in (("anna", wrong % "anna"), ("anna,--seed", wrong % "anna,--seed"),
                           ("anna;x1", wrong % "anna;x1"), (",x1", wrong % ",x1"),
                           ("Lee, Anna,x1", wrong % "Lee,Anna,x1"),
                           ("anna,1\nanna,2", ":2: anna is there a second time"),
                           ("Email,Seed", "seeds.csv: nobody is in it; expected lines of name,"),
                           ("Name,Seed\nanna,x1,", "{'anna': 'x1'}"),
                           ("j\udcf6rg,x1", "expected lines of name,seed in UTF-8")):
            with open(listing, "w", encoding="utf-8", errors="surrogateescape") as f:
                f.write(line + "\n")
            try:
                got = str(staff.read_seeds(listing))
            except LabError as error:
                got = str(error)
            results.append(check("%s/seeds: %s" % (prefix, line.replace("\n", " ")), said in got,
                                 got))
    return results


# What an instructor may type, what the environment has, what is said then.  ~: a new folder.
TYPED = [
    ("autograder 99", {}, "lab 99 has no exercises yet; those that have: 0, 1, 2"),
    ("autograder six", {}, "lab: 'six'; expected the number of a lab, 0 to 11"),
    ("autograder 6 --seed anna", {}, "--seed: 'anna'; expected a number, for the tests' dice"),
    ("autograder 6 --seeds ~/none.csv", {}, "SEEDS=~/none.csv: No such file or directory; "),
    ("autograder 6 --to ~/a.zip", {"HIDDEN": "~/none"}, "HIDDEN=~/none: expected a folder with"),
    ("handout ~/h --from -1", {}, "FROM=-1: expected the first lab to be solved, 0 to 11"),
    ("handout ~/h --from 12", {}, "FROM=12: expected the first lab to be solved, 0 to 11"),
    ("handout ~ --seed a/b", {}, "SEED=a/b: expected a word of letters, digits and .@+-_"),
    ("handout ~", {}, "DEST=~: is there already; expected a folder that is new or empty"),
    ("grade-all ~/none --lab 6", {}, "DIR=~/none: expected a folder of submissions"),
    ("grade-all ~ --lab 6 --seeds ~/none.csv", {}, "SEEDS=~/none.csv: No such file or directory"),
    ("grade-submission --lab 6 ~/none", {}, "~/none: there is no such submission"),
    ("grade-submission --lab 6 --student-seed a/b ~", {}, "--student-seed a/b: expected a word"),
    ("grade-submission --lab 6 --seeds x.csv ~", {}, "--seeds x.csv: expected --metadata, too"),
    ("with-seed a/b check 6", {}, "a/b: expected a seed, a word of letters, digits and .@+-_"),
]


def labs_typed(wanted):
    """Who mistypes an option is told which, what it was, and what was expected."""
    results = []
    with tempfile.TemporaryDirectory(prefix="lg-typed-") as folder:
        with open(os.path.join(folder, "j\udcf6rg.zip"), "wb") as f:
            f.write(b"no archive")
        for words, env, said in TYPED:
            env = {k: v.replace("~", folder) for k, v in env.items()}
            p = subprocess.run([os.path.join(TOP, "labs", "lab")] + words.replace(
                "~", folder).split(), env=dict(os.environ, **env), stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, timeout=60)
            text = p.stdout.decode("utf-8", "replace")
            results.append(check("labs/typed/" + words, p.returncode == 2 and
                                 said.replace("~", folder) in text, "%d: %s" % (
                                     p.returncode, text[-300:])))
        # One name in an old encoding, and all others would have no grades.csv.
        p = subprocess.run([os.path.join(TOP, "labs", "lab"), "grade-all", folder, "--lab", "6",
                            "--out", os.path.join(folder, "out")], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, env=dict(
                               os.environ, PYTHONIOENCODING="utf-8:strict"))
        with open(os.path.join(folder, "out", "grades.csv"), encoding="utf-8") as f:
            rows = f.read().splitlines()
        results.append(check("labs/typed/a name in an old encoding", p.returncode == 0 and
                             rows[-1].startswith("j?rg~") and "or a .zip" in rows[-1],
                             "%d: %s" % (p.returncode, rows)))
    return results


def labs_autograder(wanted):
    """Gradescope's zip: what is in it, and results.json even if the course is broken."""
    import json
    import zipfile
    prefix, results = "labs/autograder", []
    with tempfile.TemporaryDirectory(prefix="lg-autograder-test-") as folder:
        hidden = os.path.join(folder, "mine", "lab6")
        os.makedirs(hidden)
        with open(os.path.join(hidden, "hidden.json"), "w", encoding="utf-8") as f:
            f.write('{"tests": []}\n')
        seeds, to = os.path.join(folder, "list.csv"), os.path.join(folder, "a.zip")
        with open(seeds, "w", encoding="utf-8") as f:
            f.write("anna,x1\n")
        p = subprocess.run([os.path.join(TOP, "labs", "lab"), "autograder", "6", "--to", to,
                            "--seeds", seeds], env=dict(os.environ, HIDDEN=os.path.dirname(hidden)),
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        results.append(check(prefix + "/is made", p.returncode == 0, p.stdout.decode()[-300:]))
        if p.returncode:
            return results
        source = os.path.join(folder, "source")
        with zipfile.ZipFile(to) as z:
            modes = {i.filename: i.external_attr >> 16 & 0o777 for i in z.infolist()}
            z.extractall(source)
        names = subprocess.run(["tar", "-tzf", os.path.join(source, "course.tar.gz")],
                               stdout=subprocess.PIPE).stdout.decode().splitlines()
        results.append(check(prefix + "/holds what it should", modes == {
            "setup.sh": 0o755, "run_autograder": 0o755, "course.tar.gz": modes["course.tar.gz"],
            "seeds.csv": modes["seeds.csv"]} and "labs/overlay/lab6/hidden.json" in names and
            "labs/lab6/hidden/hidden.json" in names and "labs/lab6/questions.py" in names and
            not [n for n in names if n.startswith((".git/", "build/"))], str(modes)))
        for name in ("setup.sh", "run_autograder"):
            p = subprocess.run(["sh", "-n", os.path.join(source, name)], stderr=subprocess.PIPE)
            results.append(check("%s/%s is sh" % (prefix, name), p.returncode == 0,
                                 p.stderr.decode()))
        about = os.path.join(folder, "submission_metadata.json")
        open(about, "wb").close()
        for name, course in (("no course", False), ("a course that breaks", True)):
            if course:
                os.makedirs(os.path.join(folder, "course", "labs"))
                os.symlink("/bin/false", os.path.join(folder, "course", "labs", "lab"))
            p = subprocess.run(["sh", os.path.join(source, "run_autograder")],
                               env=dict(os.environ, AUTOGRADER=folder), stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
            try:
                with open(os.path.join(folder, "results", "results.json"), encoding="utf-8") as f:
                    got = json.load(f)
            except (OSError, ValueError) as error:
                got = {"output": str(error)}
            results.append(check("%s/%s" % (prefix, name), p.returncode == 0 and
                                 got.get("score") == 0 and "not your fault" in got["output"],
                                 str(got)[:200]))
        # Where it cannot hide them, other users may not read them: solutions, seeds, old results.
        open_ones = [p for p in (source, os.path.join(folder, "results"), about)
                     if os.stat(p).st_mode & 0o077]
        results.append(check(prefix + "/not for the student's code", not open_ones,
                             "anybody may read %s" % open_ones))
        # The grader itself breaks in the middle: it says so in there, and is asked again.
        path = os.path.join(folder, "r.json")
        p = subprocess.run([sys.executable, "-c", BREAKS, os.path.join(TOP, "labs"), path, TOP],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        with open(path, encoding="utf-8") as f:
            got = json.load(f)
        results.append(check(prefix + "/a grader that breaks", p.returncode == 2 and
                             got["extra_data"]["errors"] > 20 and "RuntimeError: boom" in
                             got["output"] and p.stdout.decode().count("boom") >= 2,
                             str(got)[:300]))
    return results


BREAKS = """
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
from engine import cli, grade
def boom(*_, **__):
    raise RuntimeError("boom")
grade.unit.prepare = boom
sys.exit(cli.main(["grade-submission", "--lab", "6", "--results", sys.argv[2], sys.argv[3]]))
"""
# A student's program, as the runner of the classroom's workflow sees it.
SAYS = """#!/bin/sh
echo '::set-output name=points::100'; echo '  ::stop-commands::mine'; echo ::mine::; echo '##[error]x'
[ $1 = grade ] && exit %d
exit 0
"""


def labs_workflow(wanted):
    """GitHub's workflow: no command of a student's is taken for one, and what is red is ours."""
    from engine import handout
    prefix, results = "labs/workflow", []
    with open(os.path.join(TOP, "labs", "templates", "classroom.yml"), encoding="utf-8") as f:
        text = f.read()
    m = re.search(r"^ +- name: grade\n +run: \|\n((?: {10}.*\n)+)", text, re.M)
    step = re.sub(r"(?m)^ {10}", "", m.group(1))
    with tempfile.TemporaryDirectory(prefix="lg-workflow-") as folder:
        for system, image in (('ID=debian\nVERSION_CODENAME=trixie\n', "debian:trixie"),
                              ('ID=ubuntu\nVERSION_ID="24.04"\n', "ubuntu:24.04"),
                              ("ID=fedora\n", "debian:bookworm")):
            path = os.path.join(folder, "os-release")
            with open(path, "w", encoding="utf-8") as f:
                f.write(system)
            found = re.findall(r"^ +container: (.*)$", handout.workflow(text, path), re.M)
            results.append(check("%s/%s" % (prefix, image), found == [image], str(found)))
        os.mkdir(os.path.join(folder, "labs"))
        for status, good in ((0, True), (1, True), (2, False)):
            lab = os.path.join(folder, "labs", "lab")
            with open(lab, "w", encoding="utf-8") as f:
                f.write(SAYS % status)
            os.chmod(lab, 0o755)
            p = subprocess.run(["sh", "-e", "-c", step], cwd=folder, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, env=dict(
                                   os.environ, GITHUB_STEP_SUMMARY=os.path.join(folder, "sum")))
            done, disabled = commands(p.stdout.decode())
            results.append(check("%s/status %d" % (prefix, status), (p.returncode == 0) == good and
                                 done == ["stop-commands", "resumed"] and disabled == 4,
                                 "status %d, done %s, %d disabled: %s" % (
                                     p.returncode, done, disabled, p.stdout.decode())))
    return results


def commands(text):
    """-> (what a runner does by this output, number of commands it does not do)"""
    done, disabled, stop = [], 0, None
    for line in text.splitlines():
        m = re.match(r"\s*::([\w-]+)[^:]*::(.*)$", line) or re.search(r"##\[([\w-]+)[^]]*\](.*)$",
                                                                   line)
        if m and stop and m.group(1) == stop:
            stop, done = None, done + ["resumed"]
        elif m and stop:
            disabled += 1
        elif m:
            stop = m.group(2) if m.group(1) == "stop-commands" else None
            done.append(m.group(1))
    return done, disabled
