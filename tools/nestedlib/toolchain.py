# SPDX-License-Identifier: MIT
#P:380 A compiler from the future
#
# A module has to be compiled by a compiler that understands the flags of the kernel's
# own build, and Debian sid's kernel is built by a gcc that your machine, being a
# sober one, doesn't have yet.  So for such a kernel we fetch the compiler as well, and
# as with the kernel nothing is installed: its packages, with their libraries down to
# libc, are unpacked under build/toolchains/.
#
# They can't simply be run, as they need a newer libc than yours.  A chroot would do,
# but that takes root.  It's enough to call each program through *its own* dynamic
# linker, with its own libraries:
#
#     root/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 --library-path ... gcc-16 ...
#
# and small scripts in build/toolchains/NAME/bin do that.  gcc starts other programs
# itself (cc1, as); its option -wrapper makes it start them in the same way.
#
# `make run HOST_KERNEL=sid` and `make test-sid` need nothing else.
#:*
"""Fetch a newer compiler than the machine's, for kernels that want one."""

import os
import re
import shutil
import subprocess

from .common import NestedError, build_dir, say

LIBRARIES = "usr/lib/x86_64-linux-gnu"
LOADER = LIBRARIES + "/ld-linux-x86-64.so.2"
SCRIPT = """#!/bin/sh
here=$(cd "$(dirname "$0")" && pwd -P) || exit 127
root=$here/{root}
set -- "{program}" {extra}"$@"
exec "$root/{loader}" {argv0}--library-path "$root/{libraries}" "$@"
"""
# -B: gcc would find our script of that name, on PATH, instead of the real `as`.
WRAPPER = '-B"$root/usr/bin/" -wrapper "$root/{loader},--library-path,$root/{libraries}" '


def machine_gcc():
    """The major version of the machine's own gcc, or 0."""
    try:
        out = subprocess.run(["gcc", "-dumpversion"], stdout=subprocess.PIPE,
                             universal_newlines=True).stdout
        return int(out.split(".")[0])
    except (OSError, ValueError):
        return 0


def wanted(kdir):
    """The compiler package ("gcc-16") that headers name, or None."""
    try:
        with open(os.path.join(kdir, ".kernelvariables"), encoding="utf-8") as f:
            found = re.search(r"\bgcc-[0-9]+\b", f.read())
    except OSError:
        return None
    return found.group() if found else None


def home(compiler):
    return os.path.join(build_dir(), "toolchains", compiler)


def bin_for(kdir):
    """The directory to be put before PATH to build with these headers, or None."""
    compiler = wanted(kdir) if kdir else None
    path = os.path.join(home(compiler), "bin") if compiler else None
    return path if path and os.path.isdir(path) else None


def needed(kdir, again=False):
    """The compiler to be fetched for these headers, or None; `again`: even if it's here."""
    compiler = wanted(kdir)
    if compiler is None or shutil.which(compiler) or (bin_for(kdir) and not again):
        return None
    return compiler if int(compiler.split("-")[1]) > machine_gcc() else None


def fetch(compiler, kbuild, apt, unpack):
    """Unpack `compiler` and all that it needs from the sources that `apt` knows.

    Of `kbuild`, the package with the kernel's own build programs, only what they
    need is unpacked here: the programs are with the headers already.
    """
    say("this kernel wants %s; fetching that too (under build/, not installed)" % compiler)
    nothing = os.path.join(apt.home, "nothing-installed")
    with open(nothing, "w", encoding="ascii"):
        pass
    plan = apt.run("apt-get", "-o", "Dir::State::status=" + nothing, "-s",
                   "--no-install-recommends", "install", compiler, kbuild)
    packages = dict(re.findall(r"^Inst (\S+) \((\S+)", plan, flags=re.M))
    if compiler not in packages:
        raise NestedError("E-APT-06: apt has no plan for installing %s" % compiler)
    packages.pop(kbuild, None)
    fresh = "%s.new.%d" % (home(compiler), os.getpid())
    root = os.path.join(fresh, "root")
    os.makedirs(root)
    try:
        for deb in apt.download(packages):
            unpack(deb, root, exclude="./usr/share")
        write_scripts(fresh, compiler)
        shutil.rmtree(home(compiler), ignore_errors=True)
        os.rename(fresh, home(compiler))
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def write_scripts(fresh, compiler):
    """bin/NAME for every program of the toolchain."""
    root, scripts = os.path.join(fresh, "root"), os.path.join(fresh, "bin")
    if not os.path.exists(os.path.join(root, LOADER)):
        raise NestedError("E-APT-07: %s came without its dynamic linker" % compiler)
    os.makedirs(scripts)
    for name in os.listdir(os.path.join(root, "usr/bin")):
        extra = WRAPPER if re.search(r"\b(gcc|cpp)-[0-9]+$", name) else ""
        write_script(os.path.join(scripts, name), "../root", "$root/usr/bin/" + name, extra)


def write_script(path, root, program, extra="", argv0=""):
    """A script at `path` that runs `program` with the libraries below `root`."""
    places = {"loader": LOADER, "libraries": LIBRARIES}
    with open(path, "w", encoding="ascii") as f:
        f.write(SCRIPT.format(
            root=root, program=program, extra=extra.format(**places), argv0=argv0, **places))
    os.chmod(path, 0o755)


def wrap_kbuild(kernel_home, compiler):
    """Give the kernel's build programs (objtool, modpost...) the newer libraries, too.

    `kernel_home` is build/kernels/NAME or stands beside it.
    """
    root = os.path.join(home(compiler), "root")
    for where, _, files in os.walk(os.path.join(kernel_home, "usr/lib")):
        for name in files:
            path = os.path.join(where, name)
            if os.path.islink(path) or not os.access(path, os.X_OK):
                continue
            with open(path, "rb") as f:
                if f.read(4) != b"\x7fELF":
                    continue
            os.rename(path, path + ".real")
            # Debian's objtool looks for a neighbour whose name begins with its own.
            write_script(path, os.path.relpath(root, where), "$here/%s.real" % name,
                         argv0='--argv0 "$here/%s" ' % name)
