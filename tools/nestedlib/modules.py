# SPDX-License-Identifier: MIT
#P:325 Drivers for a machine without hardware
#
# The nested machine needs no drivers: its serial lines are in the kernel, and its disk
# is an archive in memory.  A network card is another matter.  Distributions build its
# driver as a module, and the modules lie in the kernel's package, three thousand of
# them.  We keep the handful that a network needs, unpacked, under kernels/NAME/modules,
# and load what a machine asks for in the right order: each module says in a line of
# its own, `depends=`, which ones it wants to find there.
#
# A module that is not among them is one that this kernel has built in, so to load it
# is to do nothing.  (If that is wrong, the card does not come up, and that is said.)
#:*
"""Keep and order the kernel modules that the nested machine may load."""

import glob
import gzip
import lzma
import os
import re
import shutil
import subprocess
import tempfile

from .common import NestedError, find_program

# What can be asked for; what these depend on is kept as well.
KEPT = ("virtio_pci", "virtio_net", "tun", "bridge", "veth")
CARD = ("virtio_pci", "virtio_net")
MODULE = re.compile(r"^(.*)\.ko(\.xz|\.gz|\.zst)?$")
DEPENDS = re.compile(rb"\0depends=([^\0]*)\0")


def uncompressed(path):
    """The bytes of a module, however the distribution has packed it."""
    if path.endswith(".zst"):
        zstd = find_program("zstd", "zstd", "E-ZSTD-01")
        return subprocess.run([zstd, "-dcq", path], stdout=subprocess.PIPE, check=True).stdout
    how = lzma.open if path.endswith(".xz") else gzip.open if path.endswith(".gz") else open
    with how(path, "rb") as f:
        return f.read()


def depends(data):
    """The names that a module wants to find loaded."""
    found = DEPENDS.search(data)
    names = found.group(1).decode().split(",") if found else []
    return [n.replace("-", "_") for n in names if n]


def keep(debs, home):
    """Take the modules that we want out of packages, into home/modules."""
    with tempfile.TemporaryDirectory(prefix="modules.", dir=home) as folder:
        for deb in debs:
            first = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE)
            # A package without modules: tar says so, and that is no error.
            subprocess.run(
                ["tar", "-x", "--no-same-owner", "--wildcards", "--wildcards-match-slash",
                 "-C", folder, "-f", "-", "*/lib/modules/*/kernel/*"],
                stdin=first.stdout, stderr=subprocess.DEVNULL,
            )
            first.stdout.close()
            first.wait()
        paths = {}
        for path in glob.glob(folder + "/**/lib/modules/*/kernel/**", recursive=True):
            match = MODULE.match(os.path.basename(path))
            if match:
                paths[match.group(1).replace("-", "_")] = path
        if not paths:
            return False
        target = os.path.join(home, "modules")
        fresh = os.path.join(folder, "kept")
        os.mkdir(fresh)
        queue, seen = list(KEPT), set()
        while queue:
            name = queue.pop()
            if name in seen or name not in paths:
                continue
            seen.add(name)
            data = uncompressed(paths[name])
            with open(os.path.join(fresh, name + ".ko"), "wb") as f:
                f.write(data)
            queue += depends(data)
        shutil.rmtree(target, ignore_errors=True)
        os.rename(fresh, target)
        return True


def in_order(home, names):
    """[(name, bytes)]: the modules that must be loaded for `names`, first things first."""
    result, seen = [], set()

    def add(name):
        path = os.path.join(home, "modules", name + ".ko")
        if name in seen or not os.path.exists(path):
            return
        seen.add(name)
        with open(path, "rb") as f:
            data = f.read()
        for other in depends(data):
            add(other)
        result.append((name, data))

    for name in names:
        if name not in KEPT:
            raise NestedError("--load %s: expected one of %s" % (name, ", ".join(KEPT)), 2)
        add(name)
    return result
