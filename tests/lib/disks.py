# SPDX-License-Identifier: MIT
"""Disks: mkfs.ext2 makes them, TeachOS works on them, e2fsck and debugfs say how it went."""

import os
import random
import re
import shutil
import struct
import subprocess
import tempfile
import time

from . import machine, native
from .machine import Broken, batch, counter_result, log_results, need
from .suites import check

SBIN = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
SUPER, CLEAN = 1024, 1


def tool(name):
    path = shutil.which(name, path=SBIN)
    if not path:
        raise Broken("%s is missing: apt-get install e2fsprogs" % name)
    return path


def command(words):
    """-> (status, output); a hang ends it."""
    p = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=60)
    return p.returncode, p.stdout.decode("utf-8", "replace")


def make(path, files, block=1024, kib=4096):
    """A disk with these files: {path: bytes, or None for a directory}."""
    with tempfile.TemporaryDirectory(prefix="lg-tree-") as folder:
        for name, data in sorted(files.items()):
            full = os.path.join(folder, name)
            os.makedirs(full if data is None else os.path.dirname(full), exist_ok=True)
            if data is not None:
                with open(full, "wb") as f:
                    f.write(data)
        if os.path.exists(path):
            os.unlink(path)
        status, output = command([tool("mkfs.ext2"), "-q", "-b", str(block), "-d", folder,
                                  path, "%dk" % kib])
    if status:
        raise Broken("mkfs.ext2 ended with status %d: %s" % (status, output))


def fsck(path):
    """None if e2fsck finds nothing to complain about, else what it says."""
    status, output = command([tool("e2fsck"), "-fn", path])
    return None if status == 0 else "e2fsck ended with status %d: %s" % (
        status, machine.tail(output, 8))


def contents(path):
    """All files of a disk, as debugfs sees them: {path: bytes, None for a directory}."""
    found = {}
    with tempfile.TemporaryDirectory(prefix="lg-dump-") as folder:
        command([tool("debugfs"), "-R", "rdump / " + folder, path])
        for here, folders, files in os.walk(folder):
            for name in folders:
                found[os.path.relpath(os.path.join(here, name), folder)] = None
            for name in files:
                full = os.path.join(here, name)
                with open(full, "rb") as f:
                    found[os.path.relpath(full, folder)] = f.read()
    found.pop("lost+found", None)
    return found


def difference(expected, found):
    """None, or the first few things that are not as they should be."""
    expected = {k: v for k, v in expected.items()}
    for name in list(expected):
        while os.path.dirname(name):
            name = os.path.dirname(name)
            expected.setdefault(name, None)
    wrong = []
    for name in sorted(set(expected) | set(found)):
        if name not in found:
            wrong.append("%s is missing" % name)
        elif name not in expected:
            wrong.append("%s should not be there" % name)
        elif expected[name] != found[name]:
            a, b = expected[name], found[name]
            if a is None or b is None:
                wrong.append("%s is a %s" % (name, "directory" if b is None else "file"))
                continue
            at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
            wrong.append("%s has %d bytes, expected %d; the first difference is at %d"
                         % (name, len(b), len(a), at))
    return "; ".join(wrong[:6]) or None


def state(path):
    """The word in the superblock that says whether the disk was left in order."""
    with open(path, "rb") as f:
        f.seek(SUPER + 58)
        return struct.unpack("<H", f.read(2))[0]


def drives(disks):
    """QEMU's options for (path, read_only)."""
    more = []
    for i, (path, read_only) in enumerate(disks):
        more += ["-drive", "file=%s,format=raw,if=none,id=d%d,cache=writeback,read-only=%s"
                 % (path, i, "on" if read_only else "off"),
                 "-device", "virtio-blk-pci,drive=d%d,%s" % (i, native.LEGACY)]
    return more


SCRIPT = "init=/bin/sh -c sh</mnt/script"


def run(disks, arguments=SCRIPT, name="teachos", patience=90):
    """TeachOS on a bare machine with these disks.  -> (QEMU's status, output)"""
    return native.run(name, arguments, patience=patience,
                      more=drives([d if isinstance(d, tuple) else (d, False) for d in disks]))


# ---- What TeachOS is to do, and what must come of it ---------------------------------

class Exercise:
    """A script for TeachOS's shell, and the files that must be there afterwards."""

    def __init__(self, block, seed, large=True):
        rng = random.Random(seed)
        step = 12 * block
        sizes = [0, 1, 511, 512, 513, block - 1, block, block + 1, step, step + 1, 30001]
        if large:               # ... to where the second kind of indirect block begins
            more = (12 + block // 4) * block
            sizes += [more - 1, more, more + 1, more + 2 * block + 77]
        self.before = {"in/%d" % n: rng.randbytes(n) for n in sizes}
        self.before.update({"tree/a/b/c": b"deep\n", "tree/a/x": b"x", "old": b"to be replaced",
                            "long": rng.randbytes(70000)})
        self.lines = []
        self.after = dict(self.before)
        big = max(sizes)
        for n in sizes:
            self.copy("in/%d" % n, "copy-%d" % n)
        self.do("mkdir /mnt/new /mnt/new/deeper")
        self.after["new/deeper"] = None
        self.do("cat /mnt/in/513 /mnt/in/%d > /mnt/new/both" % (block + 1))
        self.after["new/both"] = self.before["in/513"] + self.before["in/%d" % (block + 1)]
        for n in (1, 511, step + 1):
            self.do("cat /mnt/in/%d >> /mnt/new/deeper/grown" % n)
        self.after["new/deeper/grown"] = b"".join(
            self.before["in/%d" % n] for n in (1, 511, step + 1))
        self.do("echo shorter > /mnt/long")
        self.after["long"] = b"shorter\n"
        self.do("mv /mnt/copy-512 /mnt/new/moved")
        self.after["new/moved"] = self.after.pop("copy-512")
        self.do("mv /mnt/copy-511 /mnt/old")
        self.after["old"] = self.after.pop("copy-511")
        self.do("mv /mnt/new/deeper /mnt/tree/a/deeper")
        self.after["tree/a/deeper/grown"] = self.after.pop("new/deeper/grown")
        del self.after["new/deeper"]
        self.do("rm /mnt/copy-%d" % big)
        del self.after["copy-%d" % big]
        self.do("rm -r /mnt/tree/a/b")
        del self.after["tree/a/b/c"]
        self.after["tree/a"] = None
        for n in range(60):     # more names than one block of a directory holds
            self.do("echo %d > /mnt/tree/name-%d-%s" % (n, n, "x" * (n % 40)))
            self.after["tree/name-%d-%s" % (n, "x" * (n % 40))] = b"%d\n" % n
        for n in range(0, 60, 3):
            self.do("rm /mnt/tree/name-%d-%s" % (n, "x" * (n % 40)))
            del self.after["tree/name-%d-%s" % (n, "x" * (n % 40))]
        self.do("touch /mnt/empty")
        self.after["empty"] = b""
        self.do("cp /bin/echo /mnt/new/say")
        self.do("/mnt/new/say a program from the disk > /mnt/said")
        self.after["said"] = b"a program from the disk\n"
        with open(need(os.path.join(machine.BUILD, "teachos/root/bin/echo"), "make"), "rb") as f:
            self.after["new/say"] = f.read()
        self.do("filetest /mnt")
        self.do("true")
        self.before["script"] = self.after["script"] = "".join(self.lines).encode()

    def do(self, line):
        self.lines.append(line + "\n")

    def copy(self, a, b):
        self.do("cp /mnt/%s /mnt/%s" % (a, b))
        self.after[b] = self.before[a]


def exercise(wanted):
    """Every size of block, on a bare machine: files of all sizes, names, times."""
    results = []
    with tempfile.TemporaryDirectory(prefix="lg-disk-") as folder:
        for block, kib in ((1024, 8192), (2048, 16384), (4096, 40960)):
            name = "disks/%d" % block
            ex = Exercise(block, block)
            path = os.path.join(folder, "disk")
            make(path, ex.before, block, kib)
            begun = int(time.time())
            kernel = "teachos-pae" if block == 2048 else "teachos"
            status, output = run([path], name=kernel)
            results.append(check(name + "/end", status == native.WELL,
                                 "status %d: %s" % (status, machine.tail(output, 3)), output))
            results.append(check(name + "/filetest", "filetest:" not in output,
                                 machine.tail(output, 2), output))
            why = fsck(path)
            results.append(check(name + "/e2fsck", why is None, why, output))
            why = difference(ex.after, contents(path))
            results.append(check(name + "/contents", why is None, why, output))
            results.append(check(name + "/left in order", state(path) & CLEAN, "it was not"))
            _, text = command([tool("debugfs"), "-R", "stat /said", path])
            m = re.search(r"mtime: 0x([0-9a-f]+)", text)
            results.append(check(name + "/time", m and begun - 2 <= int(m.group(1), 16) <=
                                 time.time() + 2, "it is not of today: %s" % text))
    return results


def limits(wanted):
    """A full disk, one that can't be written to, sync without power-off, odd disks."""
    results = []
    with tempfile.TemporaryDirectory(prefix="lg-disk-") as folder:
        path = os.path.join(folder, "disk")
        rng = random.Random(5)
        files = {"in/%d" % n: rng.randbytes(100000) for n in range(5)}
        script = ["cat" + " /mnt/in/0" * 12 + " > /mnt/full", "cp /mnt/in/1 /mnt/none",
                  "mkdir /mnt/d", "cp /mnt/in/2 /mnt/d/x", "rm /mnt/in/3", "echo ok > /mnt/ok",
                  "true"]
        files["script"] = "".join(line + "\n" for line in script).encode()
        make(path, files, 1024, 1024)
        status, output = run([path])
        found = contents(path)
        full = found.get("full", b"")
        whole = files["in/0"] * 12
        why = fsck(path)
        results += [
            check("disks/full/end", status == native.WELL, "status %d" % status, output),
            check("disks/full/e2fsck", why is None, why, output),
            check("disks/full/said", "no space left" in output, "nobody was told", output),
            check("disks/full/kept", whole.startswith(full) and 100000 < len(full) < len(whole),
                  "the file that did not fit has %d bytes" % len(full)),
            check("disks/full/goes on", found.get("ok") == b"ok\n" and "in/3" not in found,
                  "after some room was made, nothing could be written"),
            check("disks/full/others", all(found.get("in/%d" % n) == files["in/%d" % n]
                                           for n in (0, 1, 2, 4)), "another file has changed"),
        ]

        files["script"] = (b"cat /mnt/in/1\necho x > /mnt/in/1\nrm /mnt/in/2\nmkdir /mnt/d\n"
                           b"mv /mnt/in/1 /mnt/in/9\nfiletest /mnt\nsync\ntrue\n")
        make(path, files, 2048, 2048)
        with open(path, "rb") as f:
            image = f.read()
        status, output = run([(path, True)])
        with open(path, "rb") as f:
            same = f.read() == image
        results += [
            check("disks/read-only/end", status == native.WELL, "status %d" % status, output),
            check("disks/read-only/untouched", same, "its bytes have changed"),
            check("disks/read-only/said", output.count("read-only") >= 5,
                  "not everybody was told", output)]

        # Written, synced, and then the machine is gone: reset, no unmount.
        files = {"script": b"cp /bin/sh /mnt/sh\nmkdir /mnt/d\nsync\nsleep 60\n",
                 "a": b"a"}
        make(path, files, 4096, 2048)
        ended = killed_when(path, lambda: "d" in contents(path) and state(path) & CLEAN)
        why = fsck(path)
        results.append(check("disks/sync/e2fsck", ended and why is None, why or "never synced"))

        # An odd number of sectors, one sector, and none of it a file system.
        odd = os.path.join(folder, "odd")
        tiny = os.path.join(folder, "tiny")
        data = rng.randbytes(1234567 // 512 * 512)
        with open(odd, "wb") as f:
            f.write(data)
        with open(tiny, "wb") as f:
            f.write(data[:512])
        files = {"script": b"cat /dev/vdb > /mnt/odd\ncat /dev/vdc > /mnt/tiny\n"
                           b"cat /mnt/a > /dev/vdc\nmount /dev/vdb /tmp\nmount /dev/vdc /tmp\n"
                           b"echo over the end > /dev/vdc\ntrue\n",
                 "a": rng.randbytes(3000)}
        make(path, files, 1024, 4096)
        status, output = run([path, odd, tiny])
        found = contents(path)
        with open(tiny, "rb") as f:
            after = f.read()
        results += [
            check("disks/odd/end", status == native.WELL and fsck(path) is None,
                  "status %d, %s" % (status, fsck(path)), output),
            check("disks/odd/read", found.get("odd") == data and found.get("tiny") == data[:512],
                  "not what is on it", output),
            check("disks/odd/written", after == b"over the end\n" + files["a"][13:512],
                  "the sector is not what was written", output)]
    return results


def killed_when(path, condition, patience=40):
    """Runs the script and kills the machine once condition() holds.  -> did it?"""
    words = native.command(more=["-no-reboot"] + drives([(path, False)])) + \
        native.kernel("teachos", SCRIPT)
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, start_new_session=True)
    machine.RUNNING.add(process)
    end = time.time() + patience
    seen = False
    try:
        while not seen and time.time() < end and process.poll() is None:
            time.sleep(0.02)
            seen = condition()
    finally:
        process.kill()
        process.wait()
        machine.RUNNING.discard(process)
    return seen


def power_cut(wanted):
    """The plug is pulled in the middle of writing."""
    results = []
    rng = random.Random(7)
    with tempfile.TemporaryDirectory(prefix="lg-disk-") as folder:
        path = os.path.join(folder, "disk")
        for turn, wait in enumerate((0, 0.15, 0.4)):
            name = "disks/power cut/%d" % turn
            files = {"keep/%d" % n: rng.randbytes(5000 * n) for n in range(6)}
            lines = []
            for n in range(200):
                lines += ["cp /bin/sh /mnt/s%d" % n, "mkdir /mnt/d%d" % n,
                          "mv /mnt/s%d /mnt/d%d/s" % (n, n)] + (
                              ["rm -r /mnt/d%d" % (n - 5)] if n >= 5 else [])
            files["script"] = "".join(line + "\n" for line in lines).encode()
            make(path, files, (1024, 2048, 4096)[turn], 4096)
            begun = []

            def in_the_middle():
                if not begun and not state(path) & CLEAN:
                    begun.append(time.time())
                return begun and time.time() - begun[0] >= wait and not state(path) & CLEAN

            cut = killed_when(path, in_the_middle)
            results.append(check(name + "/in the middle", cut, "it never was"))
            if not turn:        # TeachOS itself must not touch it before e2fsck has looked
                with open(path, "rb") as f:
                    image = f.read()
                status, output = run([path], "init=/bin/mkdir /mnt/after")
                with open(path, "rb") as f:
                    same = f.read() == image
                results.append(check(name + "/read-only until it is repaired", same
                                     and "was not left in order" in output,
                                     "it was written to", output))
            status, output = command([tool("e2fsck"), "-fy", path])
            results.append(check(name + "/repaired", status in (0, 1),
                                 "e2fsck -fy ended with status %d" % status, output))
            found = contents(path)
            results.append(check(name + "/others", fsck(path) is None and all(
                found.get(k) == v for k, v in files.items()), "a file that nobody wrote to "
                "is not what it was", output))
    return results


# ---- Disks that lie -------------------------------------------------------------------

LIARS = 14  # by chance, besides those that are crafted


def poke(image, at, fmt, *values):
    struct.pack_into("<" + fmt, image, at, *values)


def crafted(image, block):
    """Lies that somebody thought of: (what, a function that tells it)."""
    gdt = block if block > 1024 else 2048
    table = struct.unpack_from("<I", image, gdt + 8)[0] * block
    size = struct.unpack_from("<H", image, SUPER + 88)[0]
    bitmap = struct.unpack_from("<I", image, gdt)[0] * block

    def inode(n):
        return table + (n - 1) * size

    def word(at):
        return struct.unpack_from("<I", image, at)[0]

    root = word(inode(2) + 40) * block
    files = {}
    at = root
    while at < root + block:
        n, length, name_length = struct.unpack_from("<IHB", image, at)
        files[bytes(image[at + 8:at + 8 + name_length]).decode()] = (n, at)
        at += length
    big, dir_ = files["big"][0], files["a"][0]
    dir_block = word(inode(dir_) + 40) * block
    return [
        ("a directory that contains itself", lambda: poke(image, dir_block, "I", 2)),
        ("..'s parent is itself", lambda: poke(image, dir_block + 12, "I", dir_)),
        ("a child that is the root", lambda: poke(image, files["a"][1], "I", 2)),
        ("an inode without a name's right", lambda: poke(image, files["a"][1], "I", 7)),
        ("an inode far away", lambda: poke(image, files["a"][1], "I", 0x7fffffff)),
        ("an entry of length 0", lambda: poke(image, files["a"][1] + 4, "H", 0)),
        ("an entry of length 65535", lambda: poke(image, files["a"][1] + 4, "H", 0xffff)),
        ("a name over the end", lambda: poke(image, root + 6, "B", 255)),
        ("a huge directory", lambda: poke(image, inode(2) + 4, "I", 0xfffffc00)),
        ("a directory of 1 GiB, and holes", lambda: poke(image, inode(dir_) + 4, "I", 1 << 24)),
        ("a huge file", lambda: poke(image, inode(big) + 4, "I", 0xffffffff)),
        ("a file of 2^60 bytes", lambda: poke(image, inode(big) + 108, "I", 1 << 28)),
        ("data outside", lambda: poke(image, inode(big) + 40, "I", 0xfffffffe)),
        ("data in the superblock", lambda: poke(image, inode(big) + 40, "I", 1)),
        ("data in the inode table", lambda: poke(image, inode(big) + 40, "I", table // block)),
        ("an indirect block that is its own", lambda: [poke(
            image, word(inode(big) + 88) * block + 4 * i, "I", word(inode(big) + 88))
            for i in range(16)]),
        ("a triple indirect loop", lambda: poke(image, inode(big) + 96, "I",
                                                word(inode(big) + 88))),
        ("two files with one block", lambda: poke(image, inode(files["one"][0]) + 40, "I",
                                                  word(inode(big) + 40))),
        ("no links", lambda: poke(image, inode(big) + 26, "H", 0)),
        ("60000 links", lambda: poke(image, inode(dir_) + 26, "H", 60000)),
        ("all blocks are free", lambda: image.__setitem__(
            slice(bitmap, bitmap + block), bytes(block))),
        ("a root that is a file", lambda: poke(image, inode(2), "H", 0o100644)),
        ("a root that is nothing", lambda: poke(image, inode(2), "H", 0)),
        ("a bitmap outside", lambda: poke(image, gdt, "I", 0xffffff)),
        ("an inode table outside", lambda: poke(image, gdt + 8, "I", 0xfffffff0)),
        ("free counts that are wrong", lambda: poke(image, gdt + 12, "HH", 60000, 60000)),
        ("no blocks in a group", lambda: poke(image, SUPER + 32, "I", 0)),
        ("no inodes in a group", lambda: poke(image, SUPER + 40, "I", 0)),
        ("more blocks than the disk", lambda: poke(image, SUPER + 4, "I", 0xffffffff)),
        ("blocks of 2^33 bytes", lambda: poke(image, SUPER + 24, "I", 23)),
        ("inodes of 3 bytes", lambda: poke(image, SUPER + 88, "H", 3)),
        ("a feature of tomorrow", lambda: poke(image, SUPER + 96, "I", 0x80000002)),
        ("a feature for writers", lambda: poke(image, SUPER + 100, "I", 0x40000001)),
        ("a first inode far away", lambda: poke(image, SUPER + 84, "I", 0xffff)),
        ("attributes outside", lambda: poke(image, inode(big) + 104, "I", 0x1234567)),
    ]


def flip(image, rng, block, used):
    """Some bits in what describes the files: the first blocks hold nothing else."""
    for _ in range(rng.choice((1, 3, 20, 200))):
        where = rng.choice((SUPER, 2048, rng.randrange(used // block) * block))
        at = where + rng.randrange(block)
        image[at] ^= 1 << rng.randrange(8)
        if rng.random() < 0.3:
            image[at] = rng.choice((0, 0xff, 0x7f, 0x80))


DEEDS = """\
mount /dev/%(d)s /tmp/x
ls -l /tmp/x /tmp/x/a /tmp/x/a/b
cat /tmp/x/one /tmp/x/a/f | wc
head -3 /tmp/x/big | wc
cp /mnt/script /tmp/x/a/new
echo more >> /tmp/x/big
filetest /tmp/x
mv /tmp/x/one /tmp/x/a/b/two
mv /tmp/x/a /tmp/x/a/b/c
> /tmp/x/big
rm -r /tmp/x/a
rm /tmp/x/big
mkdir /tmp/x/m
ls /tmp/x
umount /tmp/x
"""


def liars(wanted):
    """Disks that contradict themselves may be of no use, but TeachOS lives on."""
    results = []
    seed = int(os.environ.get("LG_SEED", "20111121"))
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="lg-disk-") as folder:
        good = os.path.join(folder, "good")
        make(good, {"big": rng.randbytes(300000), "one": b"1" * 1000, "a/f": b"f", "a/b/g": b"g"},
             1024, 1024)
        with open(good, "rb") as f:
            pristine = f.read()
        images = []
        names = [name for name, _ in crafted(bytearray(pristine), 1024)]
        for i, name in enumerate(names):
            image = bytearray(pristine)
            crafted(image, 1024)[i][1]()
            images.append((name, image))
        for i in range(LIARS):
            image = bytearray(pristine)
            flip(image, rng, 1024, 80 * 1024)
            images.append(("seed %d, disk %d" % (seed, i), image))
        letters = "bcdefgh"
        for first in range(0, len(images), len(letters)):
            these = images[first:first + len(letters)]
            disks = [os.path.join(folder, "script")]
            for letter, (_, image) in zip(letters, these):
                disks.append(os.path.join(folder, letter))
                with open(disks[-1], "wb") as f:
                    f.write(image)
            script = "mkdir /tmp/x\n" + "".join(DEEDS % {"d": "vd" + letter}
                                                for letter in letters[:len(these)])
            script += "echo done > /mnt/done\ntrue\n"
            make(disks[0], {"script": script.encode()}, 1024, 1024)
            what = "%s ... %s" % (these[0][0], these[-1][0])
            try:
                status, output = run(disks, patience=100)
            except machine.Overdue as error:
                status, output = -1, str(error)
            well = status == native.WELL and contents(disks[0]).get("done") == b"done\n" and \
                fsck(disks[0]) is None
            if not well:
                keep = os.path.join(machine.BUILD, "tests", "liars-%d" % first)
                shutil.rmtree(keep, ignore_errors=True)
                shutil.copytree(folder, keep)
                what += " (kept in %s)" % os.path.relpath(keep, machine.TOP)
            results.append(check("disks/liars/%d" % first, well, "status %d: %s: %s" % (
                status, what, machine.tail(output, 3)), output[-6000:]))
    return results


# ---- The same through the Launcher ------------------------------------------------------

def make_nested(config):
    """In a Guest: the Launcher's disks, the Host's interrupts."""
    prefix = "disks/%s" % config

    def suite(wanted):
        results = []
        with tempfile.TemporaryDirectory(prefix="lg-disk-") as folder:
            def at(name):
                return os.path.join(folder, name)
            ex = Exercise(1024, 11, large=False)
            make(at("work"), ex.before, 1024, 2048)
            cut = {"keep": random.Random(4).randbytes(20000), "script": "".join(
                "cp /bin/sh /mnt/%d\n" % (n % 20) for n in range(2000)).encode()}
            make(at("cut"), cut, 1024, 2048)
            make(at("test"), {}, 2048, 2048)
            launch = "/bin/launcher --timeout=60 "
            guest = " /root/teachos.elf "
            plan = [
                ("run", "work", 80, launch + "--block=/root/work" + guest + "'%s'" % SCRIPT),
                ("run", "selftest", 80, launch + "--block=/root/test" + guest + "selftest files"),
                ("run", "requests", 80, launch + "--block=/root/test" + guest + "selftest disk"),
                ("run", "cut", 80, launch + "--block=/root/cut" + guest + "'%s' & sleep 3; "
                 "kill -9 $!; wait; true" % SCRIPT),
                ("run", "pack", 80, "cd /root && gzip work test cut"),
            ]
            files = [need(native.ELVES["teachos"], "make -C teachos") + ":/root/teachos.elf"] + [
                "%s:/root/%s" % (at(n), n) for n in ("work", "cut", "test")]
            extra = []
            for n in ("work", "test", "cut"):
                extra += ["--collect", "/root/%s.gz:%s" % (n, at(n + ".gz"))]
            outcome, steps, last = batch(config, plan, files, 250, extra=extra)
            for n in ("work", "test", "cut"):
                os.unlink(at(n))
                need(at(n + ".gz"), "the nested machine did not return it")
                subprocess.run(["gzip", "-d", at(n + ".gz")], check=True, timeout=60)
            for n in ("work", "selftest", "requests"):
                s = steps[n]
                results.append(check("%s/%s" % (prefix, n), s.status == 0 and
                                     "not ok" not in s.output, "status %d: %s" % (
                                         s.status, machine.tail(s.output, 3)), s.output))
            skipped = [line for line in (steps["selftest"].output + steps["requests"].output)
                       .splitlines() if line.startswith("skip")]
            results.append(check(prefix + "/nothing skipped", not skipped, str(skipped)))
            for n in ("work", "test"):
                why = fsck(at(n))
                results.append(check("%s/%s/e2fsck" % (prefix, n), why is None, why))
            why = difference(ex.after, contents(at("work")))
            results.append(check(prefix + "/work/contents", why is None, why,
                                 steps["work"].output))
            status, output = command([tool("e2fsck"), "-fy", at("cut")])
            found = contents(at("cut"))
            results.append(check(prefix + "/killed", status in (0, 1) and fsck(at("cut")) is None
                                 and all(found.get(k) == v for k, v in cut.items())
                                 and len(found) > 3,
                                 "e2fsck -fy ended with status %d" % status, output))
            results.append(counter_result(prefix, last))
            return results + log_results(prefix, outcome.log)
    return suite
