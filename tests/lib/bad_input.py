# SPDX-License-Identifier: MIT
"""Files, numbers, modules that are wrong: one clear line, and a status of its own."""

import os
import re
import struct
import tempfile

from . import machine
from .machine import Config, batch, counter_result, log_results, nested_script
from .suites import check, elf, module_of
from .verdict import SKIP, Result


def make_elf(segments, entry, machine_number=3, kind=2, klass=1, cut=None):
    """An ELF file from [(paddr, bytes, memsz)]."""
    offset = 52 + 32 * len(segments)
    headers, body = b"", b""
    for paddr, data, memsz in segments:
        headers += struct.pack("<8I", 1, offset + len(body), paddr, paddr, len(data), memsz, 7,
                               4096)
        body += data
    ident = b"\x7fELF" + bytes([klass, 1, 1]) + bytes(9)
    header = ident + struct.pack("<HHIIIIIHHHHHH", kind, machine_number, 1, entry, 52, 0, 0, 52, 32,
                                 len(segments), 0, 0, 0)
    return (header + headers + body)[:cut]


def bad_input(wanted):
    """The table of the issue: each bad input has one clear line and its own exit status."""
    prefix = "bad-input"
    config = Config("6.1", "qemu64", 1)
    code = b"\xeb\xfe" + bytes(14)
    with tempfile.TemporaryDirectory(prefix="lg-bad-") as folder:
        def put(name, data):
            path = os.path.join(folder, name)
            with open(path, "wb") as f:
                f.write(data)
            return path
        files = {
            "empty": put("empty", b""),
            "text": put("text", b"This is not a kernel, it is a sentence.\n" * 40),
            "elf64": put("elf64", make_elf([(0x100000, code, 16)], 0x100000, 62, 2, 2)),
            "arm": put("arm", make_elf([(0x100000, code, 16)], 0x100000, 40)),
            "object": put("object", make_elf([(0x100000, code, 16)], 0x100000, 3, 1)),
            "cut": put("cut", make_elf([(0x100000, code * 64, 1024)], 0x100000, cut=200)),
            "stub": put("stub", make_elf([(0x100000, code, 16)], 0x100000, cut=40)),
            "overlap": put("overlap", make_elf([(0x100000, code, 4096), (0x100800, code, 16)],
                                               0x100000)),
            "outside": put("outside", make_elf([(0x100000, code, 16), (0x7f000000, code, 16)],
                                               0x100000)),
            "huge": put("huge", make_elf([(0x100000, code, 0xfffff000)], 0x100000)),
            "entry": put("entry", make_elf([(0x100000, code, 16)], 0x500000)),
            "good": elf("unaligned"),
        }
        # (name, arguments, status, words that the line must contain)
        table = [
            ("missing", "/root/missing", 10, ["/root/missing"]),
            ("empty", "/root/empty", 11, ["/root/empty"]),
            ("directory", "/root", 12, ["/root"]),
            ("device", "/dev/null", 12, ["/dev/null"]),
            ("not ELF", "/root/text", 13, ["/root/text"]),
            ("64-bit", "/root/elf64", 14, ["/root/elf64", "64"]),
            ("wrong machine", "/root/arm", 15, ["/root/arm"]),
            ("object file", "/root/object", 15, ["/root/object"]),
            ("truncated", "/root/cut", 16, ["/root/cut"]),
            ("truncated header", "/root/stub", 16, ["/root/stub"]),
            ("overlapping", "/root/overlap", 17, ["/root/overlap"]),
            ("outside", "/root/outside", 18, ["/root/outside"]),
            ("outside by size", "/root/huge", 18, ["/root/huge"]),
            ("entry nowhere", "/root/entry", 19, ["/root/entry", "500000"]),
            ("memory not a number", "12q /root/good", 20, ["12q"]),
            ("memory empty", "--memory= /root/good", 20, ["memory"]),
            ("memory 0", "0 /root/good", 21, ["0"]),
            ("memory negative", "--memory=-5 /root/good", 21, ["-5"]),
            ("memory huge", "3000 /root/good", 22, ["3000"]),
            ("memory absurd", "99999999999999999999 /root/good", 22, ["9999"]),
            ("initrd missing", "--initrd=/root/nope /root/good", 23, ["/root/nope"]),
            ("initrd directory", "--initrd=/root /root/good", 23, ["/root"]),
            ("initrd empty", "--initrd=/root/empty /root/good", 23, ["/root/empty"]),
            ("no arguments", "", 2, ["KERNEL"]),
            ("unknown option", "--memroy=32 /root/good", 2, ["--memroy"]),
            ("bad time-out", "--timeout=soon /root/good", 2, ["soon"]),
            ("bad capsule", "--capsule=perhaps /root/good", 2, ["perhaps"]),
        ]
        plan = [("run", "bad.%d" % k, 20, "/bin/launcher " + a)
                for k, (n, a, s, w) in enumerate(table)]
        plan.append(("run", "permission", 20,
                     "chmod 600 /dev/lguest; chmod 755 /root; cp good /tmp/g; chmod 644 /tmp/g; "
                     "grep -q nobody /etc/passwd || echo 'nobody:x:65534:65534::/:/bin/sh' "
                     ">>/etc/passwd; su -s /bin/sh nobody -c "
                     "'/bin/launcher --capsule=never 16 /tmp/g'"))
        plan.append(("run", "fine", 20, "/bin/launcher 16 /root/good"))
        outcome, steps, last = batch(config, plan, ["%s:/root/%s" % (p, n)
                                                    for n, p in files.items()], 120)
    results = []

    def judge(name, step, status, words):
        lines = [l for l in step.output.splitlines() if l.strip()]
        # Usage may take more lines: the first one is the sentence.
        clear = len(lines) == 1 or (status == 2 and lines)
        text = "\n".join(lines)
        missing = [w for w in words if w.lower() not in text.lower()]
        why = None
        if step.status != status:
            why = "exit status %d, expected %d: %s" % (step.status, status, text)
        elif not clear:
            why = "%d lines, expected one: %s" % (len(lines), text)
        elif missing:
            why = "'%s' is not named: %s" % (missing[0], text)
        results.append(check("%s/%s" % (prefix, name), why is None, why))
    for k, (name, arguments, status, words) in enumerate(table):
        judge(name, steps["bad.%d" % k], status, words)
    judge("no permission", steps["permission"], 31, ["/dev/lguest"])
    results.append(check(prefix + "/and then a good one", steps["fine"].status == 0,
                         "exit status %d" % steps["fine"].status))
    results.append(counter_result(prefix, last))
    return results + log_results(prefix, outcome.log)


def without_host(wanted):
    """No module loaded: the Launcher in the machine says what is missing."""
    config = Config("6.1", "qemu64", 1)
    outcome = nested_script(config, "/bin/launcher --capsule=never 16 unaligned.elf; echo rc $?",
                            [elf("unaligned")], extra=["--no-module"], patience=60)
    m = re.search(r"rc (\d+)", outcome.output)
    lines = [l for l in outcome.output.splitlines() if l.strip() and not l.startswith("rc ")]
    return [check("without-host/message", bool(m) and int(m.group(1)) == 30 and len(lines) == 1
                  and "/dev/lguest" in lines[0], "status and lines: %s" % outcome.output)]


def other_module(wanted):
    """A module built for another kernel: refused, with one clear message and no machine."""
    config = Config("6.1", "qemu64", 1)
    if config.kernel == machine.there("6.12"):
        return [Result("other-module", SKIP, "needs modules for two kernels, and there is one")]
    words = [machine.NESTED, "exec"] + config.options() + [
        "--timeout", "60", "--module", module_of("6.12"), "--", "true"]
    status, output = machine.run(words, 90)
    return [check("other-module/status", status == 125, "exit status %d: %s"
                  % (status, machine.tail(output, 2)), output),
            check("other-module/message", "lg" in output and len(output.strip()) > 0,
                  "said: " + machine.tail(output, 2))]
