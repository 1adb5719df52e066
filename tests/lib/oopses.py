# SPDX-License-Identifier: MIT
"""A Host that falls: does the nested machine say what, where, and whose exercise it is?

The Host is broken on purpose, in a copy, in two functions that two Guests call; which line
that is, and to which exercise it belongs, is read from the copy and from lab.json.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from . import machine
from .machine import BUILD, TOP, Config, need
from .death import panic_line
from .suites import check
from .verdict import Broken

sys.path.insert(0, os.path.join(TOP, "tools"))
from nestedlib import oops  # noqa: E402  (the path has to be set first)

# The file, what stands behind the mistake, the mistake, the function, the Guest that calls it.
NULL = ("host/traps.c", "\tif ((ss & 3) != 1) {\n",
        "\tif ((ss & 3) != 1) {\n\t\t*(volatile u32 *)24 = ss;\n", "lg_set_stack",
        "kill-stack-segment")
BAD = ("host/traps.c", "\tif (vector >= 256) {\n",
        "\tif (vector >= 256) {\n\t\tasm volatile(\"ud2\");\n", "lg_load_idt_entry",
        "kill-idt-index")


# Two that never end: one by itself, one in a function of Linux' that it calls.
LOOP = ("host/traps.c", "\tif ((ss & 3) != 1) {\n",
        "\tif ((ss & 3) != 1) {\n\t\tfor (;;) lg->ts = !lg->ts;\n", "lg_set_stack",
        "kill-stack-segment")
NAP = ("host/traps.c", "\tif (vector >= 256) {\n",
       "\tif (vector >= 256) {\n\t\tfor (;;) ({ extern void __const_udelay(unsigned long); "
       "__const_udelay; })(1 << 30);\n", "lg_load_idt_entry", "kill-idt-index")


def broken_host(folder, mistakes):
    """-> lg.ko"""
    for part in ("host", "switcher", "include"):
        shutil.copytree(os.path.join(TOP, part), os.path.join(folder, part))
    for path, before, after, _, _ in mistakes:
        with open(os.path.join(folder, path), encoding="utf-8") as f:
            text = f.read()
        if text.count(before) != 1:
            raise Broken("%s: %r occurs %d times" % (path, before, text.count(before)))
        with open(os.path.join(folder, path), "w", encoding="utf-8") as f:
            f.write(text.replace(before, after))
    kdir = machine.run([machine.NESTED, "kernel", "path", "--kdir", machine.there("6.1")], 30)[1].strip()
    status, text = machine.run(["make", "-s", "-C", os.path.join(folder, "host"), "KDIR=" + kdir,
                                "BUILD=" + os.path.join(folder, "build")], 200)
    found = [os.path.join(where, "lg.ko") for where, _, names in
             os.walk(os.path.join(folder, "build", "host")) if "lg.ko" in names]
    if status or not found:
        raise Broken("the broken Host does not even compile: %s" % machine.tail(text, 3))
    return found[0]


def place_of(folder, mistake):
    """The line of the mistake, and the exercise that its function belongs to."""
    path, _, after, function, _ = mistake
    with open(os.path.join(folder, path), encoding="utf-8") as f:
        text = f.read()
    line = text[:text.index(after)].count("\n") + 2
    for name in os.listdir(os.path.join(TOP, "labs")):
        manifest = os.path.join(TOP, "labs", name, "lab.json")
        if os.path.exists(manifest):
            with open(manifest, encoding="utf-8") as f:
                lab = json.load(f)
            for e in lab["exercises"]:
                if function in e.get("functions", ()) and e["file"] == path:
                    return "%s:%d" % (path, line), lab["lab"], e["id"]
    raise Broken("%s belongs to no lab" % function)


# Other ways to fall, as Linux words them, around a function that lg.ko has.
LOG = """[    1.0] lguest: ready, interface 9
[    2.0] %s
[    2.1] CPU: 0 PID: 93 Comm: launcher Tainted: G           OE      6.1.0 #1
[    2.2] RIP: 0010:%s
[    2.3] Call Trace:
[    2.4]  <TASK>
[    2.5]  ? lg_set_stack+0x4/0x90 [lg]
[    2.6]  lg_hypercall+0x10/0x380 [lg]
[    2.7]  </TASK>
[    2.8] BUG: kernel NULL pointer dereference, address: 0000000000000099
"""
HEADS = (
    ("BUG: unable to handle page fault for address: ffffce52c05ab840", "memcpy+0xc/0x20",
     "the Host crashed: a wrong pointer was followed, to address 0xffffce52c05ab840, in memcpy(), "
     "called by lg_hypercall(), host/hypercalls.c:"),
    ("general protection fault, probably for non-canonical address 0xdead000000000100: 0000 [#1]",
     "lg_kill_by+0x8/0x80 [lg]", "to address 0xdead000000000100, in lg_kill_by(), host/core.c:"),
    ("kernel BUG at lib/list_debug.c:29!", "__list_add_valid+0x4/0x10",
     "a BUG() was reached, lib/list_debug.c:29, in __list_add_valid(), called by lg_hypercall()"),
    ("watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [launcher:93]", "lg_kill_by+0x8/0x80 [lg]",
     "26 seconds without a pause; a loop that does not end?, in lg_kill_by()"),
    ("WARNING: CPU: 0 PID: 93 at mm/gup.c:99 try_get+0x1/0x2", "try_get+0x1/0x2",
     "a WARN_ON() was true, mm/gup.c:99, in try_get(), called by lg_hypercall()"),
)


def words(wanted):
    """Without a machine: each kind of report, and what is none."""
    release = machine.run([machine.NESTED, "kernel", "path", "--release", machine.there("6.1")],
                          30)[1].strip()
    module = need(os.path.join(BUILD, "host", release, "lg.ko"), "make host")
    results = []
    for head, rip, expected in HEADS:
        report = oops.explain(LOG % (head, rip), module)
        said = report.sentence if report else None
        results.append(check("oops/words/%s" % head.split(":")[0], said and expected in said
                             and [f.function for f in report.callers] == ["lg_hypercall"],
                             "said %s, expected %s" % (said, expected)))
    calm = oops.explain("[ 0.1] Spectre V2 : WARNING: Unprivileged eBPF\n[ 1.0] lguest: ready\n",
                        module)
    results.append(check("oops/words/a healthy log", calm is None, calm and calm.sentence))
    # An lg.ko that is gone, or is none, costs the lines and nothing else.
    for strange in ("/nonexistent", os.path.abspath(__file__), None):
        report = oops.explain(LOG % HEADS[1][:2], strange)
        results.append(check("oops/words/module %s" % os.path.basename(strange or "none"),
                             "in lg_kill_by()" in report.sentence, report.sentence))
    return results


def falls(wanted):
    """In a capsule: the screen, the status, the file of --death; and a bare nested machine."""
    results = []
    with tempfile.TemporaryDirectory(prefix="lg-oops-") as folder:
        module = broken_host(folder, (NULL, BAD))
        # A build folder that has this Host and is otherwise ours.
        build = os.path.join(folder, "build")
        for name in ("kernels", "apt", "launcher", "inmates"):
            os.symlink(os.path.join(BUILD, name), os.path.join(build, name))
        death = os.path.join(folder, "death.json")
        line, lab, exercise = place_of(folder, NULL)
        status, text = machine.run(
            [os.path.join(BUILD, "launcher", "launcher"), "--timeout=20", "--death=" + death,
             os.path.join(BUILD, "inmates", NULL[4] + ".elf")], 120,
            env=dict(os.environ, BUILD=build, LG_HOME=TOP, HOST_KERNEL=machine.there("6.1")), cwd=folder)
        sentence = ("the Host crashed: a NULL pointer was followed, to address 0x18, in %s(), %s "
                    "(lab %s, exercise %s)" % (NULL[3], line, lab, exercise))
        results.append(check("oops/capsule/status", status == 33, "status %d" % status, text))
        results.append(check("oops/capsule/sentence", "\nnested: " + sentence + "\n" in text
                             and "*(volatile u32 *)24 = ss;\n" in text
                             and "make hint %s\n" % exercise in text,
                             "expected: %s" % sentence, text))
        try:
            with open(death, encoding="utf-8") as f:
                d = json.load(f)
        except (OSError, ValueError) as error:
            d = {"error": str(error)}
        host = d.get("host", {})
        results.append(check("oops/capsule/json", d.get("status") == 33 and d["text"] == sentence
                             and host["at"]["source"][0] == {"function": NULL[3], "line": line}
                             and (host["lab"], host["exercise"]) == (lab, exercise)
                             and any(s["line"].startswith("host/hypercalls.c:") for f in
                                     host["callers"] for s in f["source"]), json.dumps(d)))
        with open(os.path.join(build, "nested-kernel.log"), encoding="utf-8") as f:
            log = f.read()
        results.append(check("oops/capsule/log", "RIP: 0010:%s+" % NULL[3] in log
                             and "nested-kernel.log\n" in text, log[-500:]))
        # The other kind, through the eyes of our own tests.
        line, lab, exercise = place_of(folder, BAD)
        said = ""
        try:
            config = Config("6.1", "qemu64", 1)
            config.loud = False         # it is meant to die
            outcome = machine.nested(
                config, ["launcher", "/root/%s.elf" % BAD[4], "256"],
                files=[os.path.join(BUILD, "inmates", BAD[4] + ".elf")],
                extra=["--module", module], patience=60)
            said = machine.explanation(outcome.output)
        except machine.Overdue as error:
            said = error.detail
        results.append(check(
            "oops/nested", said.startswith("the Host crashed: an instruction that is none, in "
                                           "%s(), %s (lab %s, exercise %s)\n"
                                           % (BAD[3], line, lab, exercise)), said))
    return results


def loops(wanted):
    """A Host that does not come back: who says where, when the machine is stopped?"""
    results = []
    with tempfile.TemporaryDirectory(prefix="lg-loop-") as folder:
        module = broken_host(folder, (LOOP, NAP))
        for mistake, smp in ((LOOP, 1), (NAP, 2)):
            name = "oops/loop/%s" % mistake[3]
            line, lab, exercise = place_of(folder, mistake)
            said = run_until_stuck(mistake, smp, module)
            results.append(check(name, re.search(
                r"^nested: stopped by SIGTERM\nnested: the Host does not come back: all of 5 looks "
                r"found it in %s\(\), %s \(lab %s, exercise %s\)\n  at +%s\(\)" % (
                    mistake[3], re.escape(line), lab, exercise, mistake[3]), said, re.M)
                and "make hint %s\n" % exercise in said, "expected %s in %s(), lab %s, exercise %s"
                % (line, mistake[3], lab, exercise), said))
        # Somebody who only takes long is not accused; and the word of a time-out is a test's.
        try:
            config = Config("6.1", "qemu64", 1)
            config.loud = False
            machine.nested(config, ["sh", "-c", "while :; do :; done"],
                           extra=["--module", module], patience=20)
            said = "it ended"
        except machine.Overdue as error:
            said = str(error)
        results.append(check("oops/loop/a program", re.fullmatch(
            "the nested machine was stopped after 20 s: where it was, in 5 looks: CPU 0: "
            r"(Linux \(\d\), )?a program \([2-5]\)", said), said))
    return results


def run_until_stuck(mistake, smp, module):
    """-> what tools/nested says when it is told to end."""
    words = [machine.NESTED, "exec", "--kernel", machine.there("6.1"), "--smp", str(smp),
             "--timeout", "100", "--module", module, "--file", os.path.join(BUILD, "inmates", mistake[4] + ".elf"),
             "--", "sh", "-c", "echo now; launcher /root/%s.elf 256" % mistake[4]]
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, start_new_session=True, cwd=TOP)
    machine.RUNNING.add(process)
    try:
        said = b""
        while b"now" not in said:
            more = os.read(process.stdout.fileno(), 4096)
            said += more or b"now?"         # it has ended
        # It takes a moment to get there, and then it stays there: no haste.
        time.sleep(8)
        process.send_signal(signal.SIGTERM)
        return (said + process.communicate(timeout=60)[0]).decode("utf-8", "replace")
    finally:
        machine.stop(process)
        machine.RUNNING.discard(process)


# A kernel without gates: what happens when something happens?
NO_GATES = """
bits 32
section .text
align 4
dd 0x1badb002, 0, -0x1badb002
global start
start:
	lidt [empty]
	mov esp, 0x200000
here:
	ud2
empty: dw 0
	dd 0
"""


def autopsy(wanted):
    """tools/autopsy: TeachOS on a bare QEMU, where nobody writes an obituary."""
    results = []
    tool = os.path.join(TOP, "tools", "autopsy")

    def said(*words, status=0):
        got, text = machine.run([tool] + list(words), 90, env=dict(os.environ, BUILD=BUILD))
        return text if got == status else "status %d: %s" % (got, text)

    text = said("--run", "panic", "stack")
    results.append(check("autopsy/no stack", re.search(
        r"at     eip 0060:[0-9a-f]{8} <\w+> %s\n  first  #PF page fault: write to 00000ffc, not "
        r"present\n  then   #PF page fault, while the first was delivered: its frame has no place "
        r"on the stack.*\n         stack 0068:00001000,.*\n  and    #PF page fault again"
        % re.escape(panic_line('"i"(PAGE_SIZE)')), text), text))
    pae = need(os.path.join(BUILD, "teachos", "teachos-pae.elf"), "make teachos")
    for name, more in (("panic", []), ("panic, PAE", ["--guest", pae])):
        text = said("--run", *more, "panic")
        trace = text[text.rindex("backtrace:"):]
        results.append(check("autopsy/" + name, re.search(
            r"^  0x[0-9a-f]{8} \w+\+0x[0-9a-f]+ +%s\n  0x[0-9a-f]{8} kernel_main\+0x[0-9a-f]+ +"
            r"kernel/main\.c:\d+\n  0x[0-9a-f]{8} native_start\+0x[0-9a-f]+ +arch/native/start\.c:"
            r"\d+$" % re.escape(panic_line("*(volatile u32 *)0 = 1")), trace, re.M)
            and re.search(r"^  (directory|pointers) entry 0 at 0x\w+: 0x0+, not present$", text,
                          re.M), text))
    results.append(check("autopsy/nothing", "no panic, no triple fault and no oops" in
                         said("--run", "echo", "hi", status=1), "?"))
    with tempfile.TemporaryDirectory(prefix="lg-autopsy-") as folder:
        source, elf = os.path.join(folder, "k.asm"), os.path.join(folder, "k.elf")
        with open(source, "w", encoding="utf-8") as f:
            f.write(NO_GATES)
        for words in (["nasm", "-f", "elf32", "-g", "-o", source + ".o", source],
                      ["ld", "-m", "elf_i386", "-Ttext=0x100000", "-o", elf, "-e", "start",
                       source + ".o"]):
            status, text = machine.run(words, 30)
            if status:
                raise Broken("%s: %s" % (words[0], machine.tail(text, 2)))
        text = said("--guest", elf, "--kernel", elf, "--run")
        number = NO_GATES.split("\n").index("\tud2") + 1
        results.append(check("autopsy/no gates", re.search(
            r"at     eip \w+:[0-9a-f]{8} <here> \S*k.asm:%d\n  first  #UD bad instruction, error "
            r"0x0\n  then   #GP general protection, while the first was delivered: its gate is "
            r"not usable" % number, text), text))
    for words, says in ((["/none"], "/none: No such file"), ([], "expected the name of a log"),
                        (["--kernel=/none", "-"], "expected an ELF file")):
        text = said(*words, status=2)
        results.append(check("autopsy/bad input/%s" % (words or ["nothing"])[0],
                             says in text and text.count("\n") == 1, text))
    return results
