# SPDX-License-Identifier: MIT
"""
The reference as objects, for a handout: see tree.py.  Made by staff, from the sources.

For each exercise one object of each flavour: the exercise's functions are global, every
other name is local, and what a debugger would like is taken out.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile

from . import markers, switcher
from .compose import put
from .guests import kernel_folder
from .labs import TOP, LabError
from .tree import FLAVOURS, declaration, make_global
from .unit import COMMON, Program, in_program


def run(words, cwd=TOP):
    p = subprocess.run(words, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT)
    if p.returncode:
        raise LabError("%s: %s" % (" ".join(words[:4]), p.stdout.decode("utf-8",
                                                                        "replace")[-1500:]))


def narrow(whole, to, functions, shared=False):
    """
    An object with only these names global, and nothing for a debugger.  shared: what else
    is global in the file stays so, but gives way to the file that is linked.
    """
    words = ["objcopy", "--strip-debug", "--discard-all"]
    for name in functions if not shared else ():
        words += ["--keep-global-symbol", name]
    if shared:
        # TeachOS's list of self-tests: those of this file come with the file.
        words += ["--remove-section=.selftests"]
        p = subprocess.run(["nm", "--extern-only", "--defined-only", "--format=posix", whole],
                           stdout=subprocess.PIPE, check=True)
        for line in p.stdout.decode().splitlines():
            if line.split()[0] not in functions:
                words += ["--weaken-symbol", line.split()[0]]
    run(words + [whole, to])


def make(tree, exercises, folder):
    """Objects and index.json of these exercises in `folder`."""
    os.makedirs(folder)
    index = {"exercises": {}, "release": ""}
    with tempfile.TemporaryDirectory(prefix="lg-reference-") as place:
        open_ones = {e.id for e in exercises}
        variants = {e.id: variant(tree, e, open_ones) for e in exercises
                    if not switcher.owns(e.file)}
        modules = kernel_objects(exercises, variants, place, index)
        kernels = teachos_objects(exercises, variants, place)
        frames = frames_of(tree)
        for e in exercises:
            if switcher.owns(e.file):
                index["exercises"][e.id] = {"declaration": switcher.as_bytes(tree, e),
                                            "objects": {}}
                continue
            entry = {"declaration": prototypes(tree, e), "objects": {}}
            found = flavours(e, frames.get(e.file), variants[e.id], place, modules)
            found.update(kernels.get(e.id, {}))
            for flavour, path in found.items():
                name = "%s-%s.o" % (e.id, flavour)
                narrow(path, os.path.join(folder, name), e.functions,
                       e.file.startswith("teachos/"))
                entry["objects"][flavour] = name
            index["exercises"][e.id] = entry
    with open(os.path.join(folder, "index.json"), "w", encoding="utf-8") as f:
        json.dump(index, f, indent=1, sort_keys=True)
        f.write("\n")


def prototypes(tree, exercise):
    return "\n".join(declaration(exercise.file, tree.regions[exercise.id].text, f)
                     for f in exercise.functions)


def variant(tree, exercise, open_ones):
    """
    The whole file with only this exercise's functions in it, global; those of the other
    open exercises are declared.  So they call whoever is linked: the student's, perhaps.
    Those that are solved in the handout stay: there they may well be static.
    """
    regions = markers.parse(tree.text(exercise.file), exercise.file)
    new = {r.exercise: prototypes(tree, tree.exercises[r.exercise]) for r in regions
           if r.exercise in open_ones}
    text = tree.regions[exercise.id].text
    if not exercise.file.endswith(".asm"):
        text = prototypes(tree, exercise) + "\n" + make_global(text, exercise.functions)
    new[exercise.id] = text
    return markers.splice(tree.text(exercise.file), exercise.file, new)


def frames_of(tree):
    """{file: the frame of the programs that need it}"""
    keys = {(e.lab.lab, t.test.rsplit("/", 1)[0]): e.lab for e in tree.exercises.values()
            for t in e.tests if in_program(t.test)}
    programs = [Program(lab, key) for (_, key), lab in keys.items()]
    return {path: p.frame for p in programs if not p.inside for path in p.paths}


def flavours(e, frame, text, place, modules):
    """{flavour: object of the variant}"""
    kind = e.file.split("/")[0]
    found, wanted = {}, {}
    if frame:
        wanted["unit"] = COMMON + frame["flags"]
    if kind == "launcher":
        wanted["launcher"] = ["-std=gnu11", "-D_GNU_SOURCE", "-O2", "-pthread", "-Ilauncher"]
    for flavour, flags in wanted.items():
        to = os.path.join(place, "%s.%s" % (e.id, flavour))
        put(to + ".c", text.encode())
        run(["gcc"] + [x for x in flags if x not in ("-Wall", "-Wextra", "-g")] +
            ["-w", "-c", "-o", to, to + ".c"])
        found[flavour] = to
    if kind == "host":
        found["module"] = modules[e.id]
    return found


def kernel_objects(exercises, variants, place, index):
    """{exercise id: its object as the kernel's build system makes it}"""
    mine = [e for e in exercises if e.file.startswith("host/")]
    kdir = kernel_folder()
    with open(os.path.join(kdir, "include", "generated", "utsrelease.h"), encoding="utf-8") as f:
        index["release"] = re.search(r'"(.*)"', f.read()).group(1)
    if not mine:
        return {}
    out = os.path.join(place, "kernel")
    shutil.copytree(os.path.join(TOP, "host"), out)
    names = {e.id: "%sexercise_%s" % (e.file[len("host/"):e.file.rindex("/") + 1],
                                      e.id.replace(".", "_")) for e in mine}
    for e in mine:
        put(os.path.join(out, names[e.id] + ".c"), variants[e.id].encode())
    put(os.path.join(out, "Kbuild"), ("obj-m := %s\nccflags-y := -I$(src) -I%s/include -w\n" % (
        " ".join(n + ".o" for n in names.values()), TOP)).encode())
    os.remove(os.path.join(out, "Makefile"))
    run(["make", "-j2", "-C", kdir, "M=" + out] + [n + ".o" for n in names.values()])
    return {i: os.path.join(out, n + ".o") for i, n in names.items()}


def teachos_objects(exercises, variants, place):
    """{exercise id: {flavour: object}} as TeachOS's own Makefile makes them"""
    mine = [e for e in exercises if e.file.startswith("teachos/")]
    if not mine:
        return {}
    for folder in ("teachos", "include"):
        shutil.copytree(os.path.join(TOP, folder), os.path.join(place, folder))
    out, found, targets = os.path.join(place, "build", "teachos"), {}, []
    for e in mine:
        name = "exercise/%s%s" % (e.id, ".asm" if e.file.endswith(".asm") else ".c")
        put(os.path.join(place, "teachos", name), variants[e.id].encode())
        found[e.id] = {f: os.path.join(out, f, name + ".o") for f in FLAVOURS["teachos"]}
        targets += found[e.id].values()
    run(["make", "-j2", "-C", os.path.join(place, "teachos"),
         "BUILD=" + os.path.join(place, "build")] + targets)
    return found


def solution_lines(tree, exercises):
    """
    Lines that only a solution has: long enough to mean something, and nowhere else in the
    sources, nor in a stub.  {line: exercise id}
    """
    outside = []
    for where, folders, names in os.walk(tree.top):
        folders[:] = [f for f in folders if f not in ("build", ".git", "mutants")]
        for name in names:
            path = os.path.relpath(os.path.join(where, name), tree.top)
            if staff_only(path) or path.endswith("lab.json"):
                continue
            try:
                with open(os.path.join(where, name), encoding="utf-8") as f:
                    text = f.read()
            except (UnicodeDecodeError, OSError):
                continue
            if markers.may_have(path):
                text = markers.splice(text, path, {e.id: "" for e in exercises})
            outside.append(text)
    outside, found = "\n".join(outside), {}
    for e in exercises:
        for line in tree.regions[e.id].text.splitlines():
            line = line.strip()
            if len(line) >= 24 and line not in outside:
                found[line] = e.id
    return found


STAFF = ("labs/STAFF.md", "labs/KILLS.md", "labs/engine/mutants.py", "labs/engine/handout.py",
         "labs/engine/reference.py", "labs/engine/staff.py", "labs/engine/parameters.py",
         "labs/engine/prove.py",
         "labs/engine/variant.py", "labs/variant", "labs/templates/",
         "tests/mutants", "tests/labs/")


def staff_only(path):
    """Files that no student gets."""
    parts = path.split("/")
    if path.startswith(STAFF):
        return True
    return (len(parts) > 2 and parts[0] == "labs" and parts[1].startswith("lab")
            and (parts[2] in ("mutants", "hidden", "questions.py", "staff.md")))
