# SPDX-License-Identifier: MIT
"""/dev/lguest itself, the cage around a Launcher, and disks that are full, cut or gone."""

import os
import re
import tempfile

from . import inmates as inmates_of
from .machine import TOP, Config, log_results, nested
from .isos import image
from .suites import INMATES, built, check, elf, lines_of


def make_device(config):
    """/dev/lguest itself: what it says to a Launcher that does everything wrong."""
    prefix = "device/%s" % config

    def suite(wanted):
        outcome = nested(config, ["./device"], files=[built("device", "device") + ":/root/device"],
                         patience=60)
        return lines_of(prefix, outcome, r"^(ok|not ok) ([^:\n]+)(?:: (.*))?$", 42)
    return suite


def make_sandbox(config):
    """What a Launcher may still do while its Guest runs: read in /proc, and tried out."""
    prefix = "sandbox/%s" % config

    def suite(wanted):
        files = [os.path.join(TOP, "tests", "nested", "sandbox.sh"), built("device", "inject")]
        files += [elf(n) for n in ("silent", "shutdown-restart", "hello", "kill-gdt-index")]
        outcome = nested(config, ["sh", "sandbox.sh"], files=files, patience=100)
        return lines_of(prefix, outcome, r"^(ok|not ok) ([^\n]+?)(?:: ('.*|.*/))?$", 50)
    return suite


def disk_trouble(wanted):
    """Real trouble with a disk, under a real Guest: it hears of it, and the Launcher lives."""
    config = Config("6.1", "qemu64", 1)
    script = """
mkdir /small; mount -t tmpfs -o size=64k none /small
say() { echo "status $1 $2"; sed "s/^/$1| /" out; }
# Sparse, and no room for the sectors that are written.
dd if=/dev/zero of=/small/full.img bs=1 count=0 seek=1M 2>/dev/null
dd if=/dev/zero of=/small/rest bs=4k 2>/dev/null
/bin/launcher --timeout=20 --block=/small/full.img 16 block.elf >out 2>&1; say full $?
rm /small/rest
# Read-only by its permissions.
cp block.img ro.img; chmod 444 ro.img; sha256sum ro.img >before
/bin/launcher --timeout=20 --block=ro.img 16 block.elf >out 2>&1; say ro $?
sha256sum -c before >out 2>&1; say unchanged $?
# An odd size, and none at all.
cp block.img odd.img; printf odd >>odd.img
/bin/launcher --timeout=20 --block=odd.img 16 block.elf >out 2>&1; say odd $?
echo "tail $(tail -c 3 odd.img) $(stat -c %s odd.img)"
: >none.img
/bin/launcher --timeout=20 --block=none.img 16 block.elf >out 2>&1; say none $?
# Two Launchers; then the file goes away under the first one, then it shrinks.
/bin/launcher --timeout=30 --block=block.img 16 block.elf 1 >first 2>&1 &
first=$!
while ! grep -q stays first; do sleep 0.1; done
/bin/launcher --timeout=20 --block=block.img 16 block.elf >out 2>&1; say second $?
rm block.img
kill $first; wait $first; status=$?; cp first out; say removed $status
# Somebody cuts the file short as soon as it is being written to.
dd if=/dev/zero of=cut.img bs=512 count=64 2>/dev/null
/bin/launcher --timeout=30 --block=cut.img 16 diskcut.elf >out 2>&1 &
first=$!
while ! grep -q 'cut it now' out; do sleep 0.05; done
dd if=/dev/null of=cut.img bs=512 seek=6 2>/dev/null
wait $first; say cut $?
"""
    with tempfile.TemporaryDirectory(prefix="lg-disks-") as folder:
        image = os.path.join(folder, "block.img")
        with open(image, "wb") as f:
            f.write(inmates_of.load(INMATES)["block"].disk_before())
        outcome = nested(config, ["sh", "-c", script.replace("diskcut.elf", "block.elf 2")],
                         files=[image, elf("block")], patience=100)
    # (name, exit status, what must be said)
    table = [
        ("full", 3, ["not ok write two sectors", "disk full.img: could not write at sector 5: "
                     "No space left on device"]),
        ("ro", 3, ["ro.img: cannot be written to, so the Guest gets a read-only disk",
                   "not ok write two sectors"]),
        ("unchanged", 0, ["ro.img: OK"]),
        ("odd", 0, ["1..21"]),
        ("none", 24, ["none.img: the disk has 0 bytes; expected at least one sector"]),
        ("second", 24, ["block.img: the disk is in use"]),
        ("removed", 143, ["it stays"]),
        ("cut", 3, ["not ok read two sectors", "disk cut.img: could not read at sector 5:"]),
    ]
    results = []
    for name, status, words in table:
        said = "\n".join(re.findall(r"^%s\| (.*)$" % name, outcome.output, re.M))
        got = re.search(r"^status %s (\d+)$" % name, outcome.output, re.M)
        missing = [w for w in words if w not in said]
        good = got and int(got.group(1)) == status and not missing
        results.append(check("disk-trouble/" + name, good,
                             "status %s, expected %d; '%s' is missing: %s" % (
                                 got and got.group(1), status, missing[:1], said[-500:]),
                             outcome.output))
    results.append(check("disk-trouble/odd end", "tail odd 32771" in outcome.output,
                         "the last 3 bytes"))
    return results + log_results("disk-trouble", outcome.log)
