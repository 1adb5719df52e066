# SPDX-License-Identifier: MIT
"""Debuggers from Debian, in front of a Guest and of the machine around it."""

import os
import re
import shutil
import socket
import subprocess
import tempfile

from . import machine
from .gdb_suites import Elf32, free_port
from .machine import BUILD, TOP, need
from .suites import TEACHOS, check
from .verdict import ERROR, SKIP, Result

KERNEL_BASE = 0xC0000000

# gdb's own notion of the same things: its unwinder, and a walk along the free lists.
ORACLE = """
walk &process_list
break process_exit
continue
echo --- processes\\n
processes
echo --- process 0\\n
process 0
echo --- process 1\\n
process 1
echo --- bt\\n
bt
echo --- threads\\n
info threads
thread 1
echo --- thread 1\\n
bt
thread 2
echo --- walk\\n
walk &process_list
walk 0xb0000000
echo --- frames\\n
frames
echo --- lists\\n
python
length, size = 0, int(gdb.parse_and_eval("sizeof(struct frame)"))
table = bytes(gdb.selected_inferior().read_memory(
    int(gdb.parse_and_eval("frames")), size * int(gdb.parse_and_eval("frame_count"))))
for name in ("free_head", "clean_head"):
    at = int(gdb.parse_and_eval(name))
    while at:
        length += 1
        at = int.from_bytes(table[at * size:at * size + 4], "little")
print("length %d" % length)
end
echo --- program\\n
program echo
info symbol main
python
for wrong in ("process", "process 99", "walk nonsense", "program ../x", "program nosuch"):
    try:
        gdb.execute(wrong)
        print("no complaint about %s" % wrong)
    except gdb.error as error:
        print("complaint: %s" % error)
end
echo --- watch\\n
delete
watch kernel_process.switches
continue
info symbol $pc
info line
delete
echo --- asm\\n
show architecture
x/2i $pc
echo --- end\\n
continue
"""


def parts_of(text):
    """What stands after each `--- name`."""
    found = re.split(r"^--- (.*)\n", text, flags=re.M)
    return dict(zip(found[1::2], found[2::2]))


def gdb_tool(commands, port, words=(), patience=120, more=()):
    """tools/gdb/gdb with these commands.  -> (status, output)"""
    with tempfile.NamedTemporaryFile("w", suffix=".gdb", prefix="lg-") as script:
        script.write(commands)
        script.flush()
        return machine.run([os.path.join(TOP, "tools", "gdb", "gdb"), "--port", str(port),
                            "--batch", script.name] + list(more) + ["--"] + list(words), patience,
                           env=dict(os.environ, BUILD=BUILD))


def make_gdb_commands(guest):
    """`make gdb`: the real gdb, with what tools/gdb/teachos.py adds to it."""
    prefix = "gdb/%s" % guest

    def suite(wanted):
        results = []

        def test(name, good, why="", detail=""):
            results.append(check("%s/%s" % (prefix, name), good, why, detail))

        # Without gdb there is one line, and no Guest.
        with tempfile.TemporaryDirectory() as empty:
            os.symlink(shutil.which("python3"), os.path.join(empty, "python3"))
            done = subprocess.run([os.path.join(TOP, "tools", "gdb", "gdb")], timeout=60,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  env={"PATH": empty, "BUILD": BUILD})
        test("missing", done.returncode == 2 and done.stdout.count(b"\n") == 1
             and b"apt-get install gdb" in done.stdout, "it said %r" % done.stdout)
        if not shutil.which("gdb"):
            return results + [Result(prefix, SKIP, "there is no gdb here (package gdb)")]
        kernel = Elf32(need(TEACHOS[guest], "make -C teachos"))
        console_log = os.path.join(BUILD, "gdb-console-%s.log" % guest)
        status, text = gdb_tool(ORACLE, free_port(), ["echo", "hi"],
                                more=["--guest", guest, "--console", console_log, "--threads"])
        part = parts_of(text)
        if "end" not in part:
            return results + [Result(prefix, ERROR, "gdb did not reach the end (status %d): %s" % (
                status, machine.tail(text, 3)), text)]
        list_at = kernel.symbols["process_list"]
        walks = re.findall(r"^%08x:.*guest-physical ([0-9a-f]+)" % list_at, text, re.M)
        test("walk", [int(w, 16) for w in walks] == [list_at - KERNEL_BASE] * 2
             and "b0000000:" in text and "not mapped" in text,
             "got %s for %#x" % (walks, list_at), text)
        test("processes", re.search(r"^   0 +- sleeping 0x00000000 kernel +schedule|"
                                    r"^   0 +- sleeping 0x00000000 kernel +process_wait",
                                    part["processes"], re.M)
             and re.search(r"^\*  1 +0 running  0x[0-9a-f]{8} echo +process_exit at "
                           r"kernel/process.c:\d+$", part["processes"], re.M),
             "got %s" % part["processes"])
        mine = re.findall(r"^#\d+ +0x[0-9a-f]+ (\w+)", part["process 0"], re.M)
        order = [n for n in mine if n in ("process_wait", "run_init", "follow_command_line")]
        test("a sleeper's stack", order == ["process_wait", "run_init", "follow_command_line"],
             "got %s" % mine)
        # gdb shows a function that was inlined as a caller of its own.
        theirs = re.findall(r"^#\d+ +(?:0x[0-9a-f]+ in )?(\w+)", part["bt"], re.M)
        mine = re.findall(r"^#\d+ +0x[0-9a-f]+ (\w+)", part["process 1"], re.M)
        test("the same as bt", len(mine) > 2 and set(mine) <= set(theirs)
             and mine == [n for n in theirs if n in mine], "gdb has %s, we %s" % (theirs, mine))
        test("ring 3", re.search(r"0x004[0-9a-f]{5} in ring 3", part["process 1"]),
             "got %s" % part["process 1"])
        test("threads", re.search(r"^  1 +Thread 1 \(kernel, pid 0, sleeping\).*\n(?: .*\n)*\* 2 +"
                                  r"Thread 2 \(echo, pid 1, running\)", part["threads"], re.M),
             "got %s" % part["threads"])
        # The same process twice: by gdb's unwinder from our registers, and by teachos.py.
        theirs = re.findall(r"^#\d+ +(?:0x[0-9a-f]+ in )?(\w+)", part["thread 1"], re.M)
        mine = re.findall(r"^#\d+ +0x[0-9a-f]+ (\w+)", part["process 0"], re.M)
        test("a thread that sleeps", len(mine) > 3 and
             [n for n in theirs if n in mine] == mine, "gdb has %s, we %s" % (theirs, mine))
        test("watch", re.search(r"^Hardware watchpoint \d+: kernel_process\.switches\n(.*\n)*"
                                r"Old value = (\d+)\nNew value = (\d+)\n", part["watch"], re.M)
             and re.search(r"^change_process \+ \d+ in section", part["watch"], re.M),
             "got %s" % part["watch"])
        test("asm", "i386" in part["asm"] and
             re.search(r"^=> 0xc0[0-9a-f]{6} <change_process\+\d+>:\t\w+", part["asm"], re.M),
             "got %s" % part["asm"])
        free = re.search(r"^ *(\d+) free$", part["frames"], re.M)
        length = re.search(r"^length (\d+)", part["lists"], re.M)
        test("frames", free and length and free.group(1) == length.group(1),
             "%s, but the lists: %s" % (part["frames"], part["lists"]))
        test("program", "main in section .text" in part["program"], "got %s" % part["program"])
        test("bad input", part["program"].count("complaint: ") == 5
             and "Traceback" not in part["program"], "got %s" % part["program"])
        with open(console_log, encoding="utf-8", errors="replace") as f:
            console = f.read()
        test("console", "\nhi\n" in console.replace("\r", ""), "it has %r" % console[-200:])
        return results
    return suite


# From one world into the other, an instruction at a time.
CROSSING = """
hbreak lg_enter_guest
continue
python
def register(name):
    return int(gdb.parse_and_eval("$" + name)) & (2**64 - 1)

def readable(symbol):
    try:
        gdb.execute("x/i " + symbol, to_string=True)
        return True
    except gdb.error:
        return False

begin = register("rip")
print("caller: %s" % gdb.execute("info symbol *(unsigned long *)$rsp", to_string=True))
print("before r15=%x cr3=%x rdi=%x %s" % (register("r15"), register("cr3"), register("rdi"),
                                          readable("__x64_sys_ioctl")))
for steps in range(100):
    if bytes(gdb.selected_inferior().read_memory(register("rip"), 3)) == b"\\x0f\\x22\\xd9":
        break
    gdb.execute("stepi", to_string=True)
print("there +%x r15=%x cr3=%x rcx=%x" % (register("rip") - begin, register("r15"),
                                         register("cr3"), register("rcx")))
gdb.execute("stepi", to_string=True)
print("after +%x cr3=%x %s %s" % (register("rip") - begin, register("cr3"),
                                 readable("__x64_sys_ioctl"), readable("lg_enter_guest")))
end
delete
hbreak __x64_sys_ioctl
continue
info symbol $pc
"""


def make_gdb_host(kernel):
    """`make gdb-host`: over the Switcher's `mov cr3`, and back to a Linux with names."""
    prefix = "gdb-host/%s" % kernel

    def suite(wanted):
        results = []

        def test(name, good, why="", detail=""):
            results.append(check("%s/%s" % (prefix, name), good, why, detail))

        if not shutil.which("gdb"):
            return [Result(prefix, SKIP, "there is no gdb here (package gdb)")]
        tool = os.path.join(TOP, "tools", "gdb", "gdb-host")
        env = dict(os.environ, BUILD=BUILD)
        with tempfile.NamedTemporaryFile("w", suffix=".gdb", prefix="lg-") as script:
            script.write(CROSSING)
            script.flush()
            status, text = machine.run([tool, "--port", str(free_port()), "--kernel", kernel,
                                        "--batch", script.name], 150, env=env)
        before = re.search(r"^before r15=(\w+) cr3=(\w+) rdi=(\w+) True$", text, re.M)
        there = re.search(r"^there \+(\w+) r15=(\w+) cr3=(\w+) rcx=(\w+)$", text, re.M)
        after = re.search(r"^after \+(\w+) cr3=(\w+) False True$", text, re.M)
        if not (before and there and after):
            return [Result(prefix, ERROR, "no crossing (status %d): %s" % (
                status, machine.tail(text, 3)), text)]
        test("caller", "caller: lg_arch_enter + " in text, "somebody else", text)
        test("r15", before.group(1) != there.group(2) == before.group(3),
             "%s, then %s; rdi was %s" % (before.group(1), there.group(2), before.group(3)))
        test("cr3", before.group(2) == there.group(3) != after.group(2) == there.group(4),
             "%s, %s, %s; rcx was %s" % (before.group(2), there.group(3), after.group(2),
                                         there.group(4)))
        # Where the object file has that instruction.
        release = machine.run([machine.NESTED, "kernel", "path", "--release", kernel], 30)[1]
        module = os.path.join(BUILD, "host", release.strip(), "lg.ko")
        listing = machine.run(["objdump", "-d", "-j", ".lgswitcher", module], 60)[1]
        at = re.search(r"^ +([0-9a-f]+):.*mov +%rcx,%cr3", listing, re.M)
        start = machine.run(["nm", module], 30)[1]
        start = re.search(r"^([0-9a-f]+) T lg_enter_guest$", start, re.M)
        test("place", at and start and int(there.group(1), 16)
             == int(at.group(1), 16) - int(start.group(1), 16),
             "stopped at +%s, the object has it at %s" % (there.group(1), at and at.group(1)))
        test("the kernel's names", "__x64_sys_ioctl in section .kernel" in text,
             machine.tail(text, 3))
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            s.listen(1)
            status, text = machine.run([tool, "--port", str(s.getsockname()[1])], 30, env=env)
        test("port in use", status == 2 and text.count("\n") == 1 and "is in use" in text, text)
        return results
    return suite


BACKWARDS = CROSSING.split("begin = ")[0] + """
def to_the_switch():
    for steps in range(100):
        if bytes(gdb.selected_inferior().read_memory(register("rip"), 3)) == b"\\x0f\\x22\\xd9":
            return
        gdb.execute("stepi", to_string=True)

def show(word):
    print("%s rip=%x cr3=%x r15=%x" % (word, register("rip"), register("cr3"), register("r15")))

to_the_switch()
show("before")
gdb.execute("stepi", to_string=True)
show("after")
gdb.execute("reverse-stepi", to_string=True)
show("back")
gdb.execute("stepi", to_string=True)
show("again")
end
"""


def replay(wanted):
    """`make gdb-replay`: over `mov cr3`, back, and over it again."""
    if not shutil.which("gdb"):
        return [Result("gdb-replay", SKIP, "there is no gdb here (package gdb)")]
    with tempfile.NamedTemporaryFile("w", suffix=".gdb", prefix="lg-") as script:
        script.write(BACKWARDS)
        script.flush()
        status, text = machine.run([os.path.join(TOP, "tools", "gdb", "gdb-replay"), "--port",
                                    str(free_port()), "--batch", script.name], 240,
                                   env=dict(os.environ, BUILD=BUILD))
    seen = {w: (r, c) for w, r, c in re.findall(
        r"^(before|after|back|again) rip=(\w+) cr3=(\w+)", text, re.M)}
    if len(seen) != 4:
        return [Result("gdb-replay", ERROR, "no crossing (status %d): %s" % (
            status, machine.tail(text, 3)), text)]
    return [check("gdb-replay/forward", seen["before"][0] != seen["after"][0]
                  and seen["before"][1] != seen["after"][1], "got %s" % seen),
            check("gdb-replay/back", seen["back"] == seen["before"], "got %s" % seen),
            check("gdb-replay/again", seen["again"] == seen["after"], "got %s" % seen)]
