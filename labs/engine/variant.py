# SPDX-License-Identifier: MIT
"""
The course's tree for one seed (parameters.py), for staff: a copy of all that is in this one, below
build/labs/variants.  It is a course's tree like this one; what has to be done with the seed
is done by the copy's own labs/lab.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys

from . import parameters
from .compose import put
from .handout import tracked
from .labs import BUILD, TOP, LabError, read_text

# What does not depend on the seed, or is found by the hash of all that it depends on.
SHARED = ("kernels", "toolchains", "apt", "labs/objects")


def folder(seed):
    name = hashlib.sha256(seed.encode()).hexdigest()[:12]
    return os.path.join(BUILD, "labs", "variants", name)


@contextlib.contextmanager
def locked(place):
    os.makedirs(place, exist_ok=True)
    with open(os.path.join(place, "lock"), "w", encoding="ascii") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        yield


def needed(seed):
    """Does this seed want another tree than the one that we are in?"""
    if parameters.here(TOP) == seed:
        return False
    if parameters.here(TOP):
        raise LabError("this tree is made for seed %s; expected that, not %s"
                       % (parameters.here(TOP), seed))
    return not parameters.plain(seed)


def make(seed):
    """Write the tree, or bring it up to date.  -> its folder; context: locked"""
    place = folder(seed)
    tree = os.path.join(place, "tree")
    p = parameters.Parameters(seed, read_text(os.path.join(TOP, "include", "lguest.h")))
    wanted = {"labs/variant", "labs/seed"}
    for path in tracked(TOP):
        source, to = os.path.join(TOP, path), os.path.join(tree, path)
        if not os.path.lexists(source) or path in ("labs/launcher", "labs/teachos.elf"):
            continue
        wanted.add(path)
        if os.path.islink(source):
            os.makedirs(os.path.dirname(to), exist_ok=True)
            if not os.path.lexists(to):
                os.symlink(os.readlink(source), to)
            continue
        with open(source, "rb") as f:
            data = f.read()
        if path in parameters.FILES or path.startswith(parameters.PROSE):
            try:
                data = p.rewrite(path, data.decode("utf-8")).encode()
            except UnicodeDecodeError:
                pass            # a picture
        put(to, data, os.stat(source).st_mode & 0o777)
    for name in ("variant", "seed"):
        put(os.path.join(tree, "labs", name), ("%s\n" % seed).encode())
    for where, folders, names in os.walk(tree):
        folders[:] = [f for f in folders if f != "__pycache__"]
        for name in names:
            path = os.path.relpath(os.path.join(where, name), tree)
            if path not in wanted and path not in ("labs/launcher", "labs/teachos.elf"):
                os.remove(os.path.join(tree, path))
    build = os.path.join(place, "build")
    for name in SHARED:
        ours, theirs = os.path.join(BUILD, name), os.path.join(build, name)
        os.makedirs(os.path.dirname(theirs), exist_ok=True)
        if name == "labs/objects":
            os.makedirs(ours, exist_ok=True)
        if os.path.exists(ours) and not os.path.lexists(theirs):
            os.symlink(os.path.realpath(ours), theirs)
    return place


def build(place, what):
    """The reference of that tree: what the nested machine is made of."""
    env = dict(os.environ, BUILD=os.path.join(place, "build"))
    for key in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL"):
        env.pop(key, None)
    p = subprocess.run(["make", "-C", os.path.join(place, "tree")] + list(what), env=env,
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if p.returncode:
        raise LabError("the tree of this seed does not build: %s"
                       % p.stdout.decode("utf-8", "replace")[-1500:])


def run(seed, arguments, what=("host", "launcher")):
    """Do `labs/lab arguments` in the tree of that seed.  -> exit status"""
    with locked(folder(seed)):
        place = make(seed)
        build(place, what)
    sys.stdout.flush()
    env = dict(os.environ, BUILD=os.path.join(place, "build"),
               LABS_HIDE=":".join((TOP, BUILD)))        # sandbox.hidden()
    return subprocess.call([sys.executable, os.path.join(place, "tree", "labs", "lab")] +
                           list(arguments), env=env)


def forget(seed):
    shutil.rmtree(folder(seed), ignore_errors=True)
