# SPDX-License-Identifier: MIT
"""
A tree that can be built: some regions the student's, all others the reference's.

In the course's own tree that is a copy.  In a handout the regions that are not the
student's become declarations, and objects of the reference join the build.
"""

import json
import os
import re

from .labs import BUILD, LabError

KIND = {"host": "module", "launcher": "launcher", "teachos": "teachos", "switcher": "module"}
NEEDS = {"module": ("host", "include", "switcher"), "launcher": ("launcher", "include"),
         "teachos": ("teachos", "include")}


# How an object joins lg.ko: by a rule of ours, since modpost wants to see a command for it.
KBUILD = """
lg-y += %s
quiet_cmd_reference = COPY    $@
      cmd_reference = cp $< $@
$(obj)/reference_%%.o: $(src)/reference_%%.o.bin FORCE
	$(call if_changed,reference)
targets += %s
"""


def same_bytes(path, data):
    try:
        with open(path, "rb") as f:
            return f.read() == data
    except OSError:
        return False


def put(path, data, mode=None):
    """Write it only if it is different: make looks at the time."""
    if same_bytes(path, data):
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)
    if mode is not None:
        os.chmod(path, mode)


def compose(tree, place, kinds, student):
    """Write the tree.  student: {exercise id: text} for the regions that are the student's."""
    folders = sorted({f for k in kinds for f in NEEDS[k]})
    texts, objects = {}, {k: [] for k in kinds}
    for path in sorted({e.file for e in tree.exercises.values()}):
        kind = KIND.get(path.split("/")[0])
        if kind in kinds:
            text, more = tree.with_reference(path, student, kind)
            texts[path] = text
            objects[kind] += more
    for kind in kinds:
        texts.update(with_objects(tree, kind, objects[kind]))
    wanted = set()
    for folder in folders:
        for where, sub, names in os.walk(os.path.join(tree.top, folder)):
            sub[:] = [s for s in sub if s != "__pycache__"]
            for name in names:
                path = os.path.relpath(os.path.join(where, name), tree.top)
                source, to = os.path.join(tree.top, path), os.path.join(place, path)
                wanted.add(path)
                if os.path.islink(source):
                    os.makedirs(os.path.dirname(to), exist_ok=True)
                    if not os.path.lexists(to):
                        os.symlink(os.readlink(source), to)
                elif path in texts:
                    put(to, texts[path].encode(), os.stat(source).st_mode & 0o777)
                else:
                    with open(source, "rb") as f:
                        put(to, f.read(), os.stat(source).st_mode & 0o777)
    for kind in kinds:
        for name, path in zip(object_names(kind, objects[kind]), objects[kind]):
            wanted.add(name)
            with open(path, "rb") as f:
                put(os.path.join(place, name), f.read())
    for folder in folders:      # what is gone in the tree goes here as well
        for where, _, names in os.walk(os.path.join(place, folder)):
            for name in names:
                path = os.path.relpath(os.path.join(where, name), place)
                if path not in wanted:
                    os.remove(os.path.join(place, path))
    return place


def object_names(kind, objects):
    if kind == "teachos":       # 1.1-pae.o: which kernel it is for is in the name
        return ["teachos/reference/%s/%s.o" % tuple(reversed(os.path.basename(o)[:-2].split(
            "-", 1))) for o in objects]
    folder = {"module": "host"}.get(kind, kind)
    end = ".bin" if kind == "module" else ""
    # The name of the exercise is in it, or make could mistake an old one for a new one.
    return ["%s/reference_%s%s" % (folder, os.path.basename(o).replace("-", "_").replace(
        ".", "_", 1), end) for o in objects]


def with_objects(tree, kind, objects):
    """{path: text} of the makefiles that take the objects in."""
    if not objects or kind == "teachos":
        return {}
    names = [os.path.basename(n).replace(".bin", "") for n in object_names(kind, objects)]
    if kind == "module":
        check_release(tree)
        return {"host/Kbuild": tree.text("host/Kbuild") + KBUILD % ((" ".join(names),) * 2),
                "host/Makefile": tree.text("host/Makefile").replace(
                    "$(wildcard x86_64/*.[ch])", "$(wildcard x86_64/*.[ch] *.bin)")}
    path = kind + "/Makefile"
    return {path: re.sub(r"^(OBJS\s*:=.*)$", lambda m: m.group(1) + " " + " ".join(names),
                         tree.text(path), flags=re.M)}


def check_release(tree):
    """The reference's objects belong to one kernel."""
    from .guests import kernel_folder
    utsrelease = os.path.join(kernel_folder(), "include", "generated", "utsrelease.h")
    with open(utsrelease, encoding="utf-8") as f:
        release = re.search(r'"(.*)"', f.read()).group(1)
    if release != tree.index["release"]:
        raise LabError("the reference in labs/reference is for Linux %s, and this is %s; "
                       "a handout for another kernel is made with HOST_KERNEL=..."
                       % (tree.index["release"], release))


# ---- What `make labN` chose, until the next one -------------------------------------

def choice_file():
    return os.path.join(BUILD, "labs", "choice.json")


def choose(lab, base, step):
    if base not in (None, "reference", "student", "stubs"):
        raise LabError("BASE=%s: expected reference or student" % base)
    os.makedirs(os.path.dirname(choice_file()), exist_ok=True)
    with open(choice_file(), "w", encoding="utf-8") as f:
        json.dump({"lab": lab, "base": base or "reference", "step": step}, f)


def chosen(tree):
    """-> ({exercise id: text} of the student's regions, a sentence about it)"""
    from .grade import before
    try:
        with open(choice_file(), encoding="utf-8") as f:
            choice = json.load(f)
    except OSError:
        choice = {"lab": None, "base": None, "step": None}
    if os.environ.get("BASE") == "none":
        choice = {"lab": None, "base": "reference", "step": None}
    elif os.environ.get("BASE") in ("reference", "student", "stubs"):
        choice["base"] = os.environ["BASE"]
    student = {}
    for e in tree.exercises.values():
        text = tree.mine(e)
        mine = e.lab.lab == choice["lab"]
        if choice["lab"] is None and choice["base"] not in ("student", "stubs"):
            use = choice["base"] is None and not tree.untouched(e, text)
        else:
            # What is not begun would be a hole that nobody gets across: a stub of TeachOS's
            # takes the Guest along, one of the Switcher's Linux.  BASE=stubs is for those who
            # make a handout: does all of it compile?
            use = choice["base"] == "stubs" or (choice["base"] == "student" or mine) and \
                not tree.untouched(e, text)
        if mine and choice["step"] and before(e.id, choice["step"]):
            use = False
        if use:
            student[e.id] = text
    rest = len(tree.exercises) - len(student)
    return student, "yours: %s; the reference's: %d exercise%s" % (
        ", ".join(sorted(student, key=lambda i: [int(x) for x in i.split(".")])) or "nothing yet",
        rest, "" if rest == 1 else "s")
