# SPDX-License-Identifier: MIT
"""gdb's protocol with a real Guest at the other end."""

import socket
import struct
import subprocess
import tempfile
import time

from . import machine
from .machine import TOP, need
from .suites import TEACHOS, check


class Elf32:
    """Symbols and bytes of a kernel, read by its headers alone."""

    def __init__(self, path):
        with open(path, "rb") as f:
            self.data = f.read()
        (self.entry, phoff, shoff, _, _, phentsize, phnum, shentsize, shnum) = struct.unpack_from(
            "<IIIIHHHHH", self.data, 24)
        self.segments = [struct.unpack_from("<8I", self.data, phoff + i * phentsize)
                         for i in range(phnum)]
        sections = [struct.unpack_from("<10I", self.data, shoff + i * shentsize)
                    for i in range(shnum)]
        self.symbols = {}
        for s in sections:
            if s[1] != 2:           # SHT_SYMTAB
                continue
            names = sections[s[6]]
            for at in range(s[4], s[4] + s[5], 16):
                name, value = struct.unpack_from("<II", self.data, at)
                end = self.data.index(b"\0", names[4] + name)
                self.symbols[self.data[names[4] + name:end].decode()] = value

    def bytes_at(self, address, length):
        for kind, offset, vaddr, _, filesz, _, _, _ in self.segments:
            if kind == 1 and vaddr <= address and address + length <= vaddr + filesz:
                return self.data[offset + address - vaddr:][:length]
        return None


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Debugged:
    """A Guest under a debugger, in a nested machine of its own."""

    def __init__(self, config, options, words, patience=240):
        from .rsp import Debugger
        self.port = free_port()
        self.output = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [machine.NESTED, "exec"] + config.options() + [
                "--timeout", str(patience), "--forward", str(self.port), "--file",
                need(TEACHOS["teachos"], "make -C teachos") + ":/root/teachos.elf", "--",
                "/bin/launcher", "--timeout=%d" % (patience - 20),
                "--gdb=%d,inside%s" % (self.port, options), "/root/teachos.elf"] + words,
            stdin=subprocess.DEVNULL, stdout=self.output, stderr=subprocess.STDOUT,
            start_new_session=True, cwd=TOP)
        machine.RUNNING.add(self.process)
        self.gdb = Debugger(self.port)

    def end(self, patience=150):
        """Waits for the end: (status, all that was printed)."""
        try:
            status = self.process.wait(patience)
        except subprocess.TimeoutExpired:
            status = None
        self.output.seek(0)
        return status, self.output.read().decode("utf-8", "replace")

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.gdb.close()
        if self.process.poll() is None:
            machine.stop(self.process)
        machine.RUNNING.discard(self.process)


def make_gdb(config):
    """gdb's protocol, spoken by somebody else; what it should say is in the ELF file."""
    prefix = "gdb/%s" % config
    kernel = need(TEACHOS["teachos"], "make -C teachos")

    def session(results):
        elf_file = Elf32(kernel)
        symbol = elf_file.symbols

        def test(name, good, why=""):
            results.append(check("%s/%s" % (prefix, name), good, why))

        with Debugged(config, "", ["echo", "still", "alive"]) as d:
            gdb = d.gdb
            test("stops", gdb.ask("?").startswith("T02"), "?")
            r = gdb.registers()
            test("entry", r["eip"] == elf_file.entry and r["cs"] == 0x61,
                 "eip %#x cs %#x, the file says %#x" % (r["eip"], r["cs"], elf_file.entry))
            xml = gdb.ask("qXfer:features:read:target.xml:0,1000")
            test("target description", xml[:1] == "l" and "<architecture>i386<" in xml and
                 xml.count("<reg ") == 34, xml[:100])
            at = symbol["kernel_main"]
            expected = elf_file.bytes_at(at, 64)
            test("memory before paging", gdb.read(at, 64) == expected, "not what the file has")
            test("nothing there", gdb.read(0xb0000000, 4) is None and
                 gdb.breakpoint(0xb0000000) == "E14", "an answer from nowhere")
            # Breakpoints before there are page tables; our own bytes stay out of sight.
            gdb.breakpoint(at)
            test("no trace of it", gdb.read(at, 64) == expected, "the INT3 shows")
            stop = gdb.go()
            r = gdb.registers()
            test("breakpoint", stop.startswith("T05swbreak") and r["eip"] == at,
                 "%s at %#x, expected %#x" % (stop, r["eip"], at))
            test("memory by the Guest's tables", gdb.read(at, 64) == expected and
                 gdb.read(0xc0000000 - 4096, 4) is None, "not what the file has")
            test("two pages", gdb.read((at | 0xfff) - 7, 16) ==
                 elf_file.bytes_at((at | 0xfff) - 7, 16), "across the end of a page")
            gdb.breakpoint(at, False)
            # A step is one instruction: the next address is beyond this one, by 1 to 15
            # bytes, or a call's target, which a symbol names.
            addresses, good = set(symbol.values()), True
            for _ in range(40):
                before = gdb.registers()["eip"]
                good &= gdb.step().startswith("T05")
                now = gdb.registers()["eip"]
                jump = gdb.read(before, 1)[0] in (0xe8, 0xe9, 0xeb, 0xc3, 0xff, 0x0f) or \
                    gdb.read(before, 1)[0] & 0xf0 == 0x70
                good &= 0 < now - before <= 15 or jump or now in addresses
            test("forty steps", good, "one went too far: %#x to %#x" % (before, now))
            # Registers and memory can be changed, and power can't.
            gdb.set_register("eax", 0x12345678)
            test("set a register", gdb.registers()["eax"] == 0x12345678, "it did not stick")
            test("not a selector", gdb.set_register("cs", 0x10).startswith("E") and
                 gdb.registers()["cs"] == 0x61, "a new cs")
            flags = gdb.registers()["eflags"]
            gdb.set_register("eflags", flags | 0x3000)
            test("no new rights", gdb.registers()["eflags"] == flags, "IOPL was set")
            # Ring 3: the first system call that writes comes from a process.
            gdb.breakpoint(symbol["syscall_handler"])
            test("a system call", gdb.go().startswith("T05swbreak"), "no stop")
            frame = struct.unpack("<I", gdb.read(gdb.registers()["esp"] + 4, 4))[0]
            eip, cs = struct.unpack("<II", gdb.read(frame + 56, 8))
            test("from ring 3", cs & 3 == 3 and gdb.read(eip - 2, 2) == b"\xcd\x80",
                 "cs %#x eip %#x" % (cs, eip))
            gdb.breakpoint(symbol["syscall_handler"], False)
            gdb.breakpoint(eip)
            stop, r = gdb.go(), gdb.registers()
            test("stops in ring 3", stop.startswith("T05swbreak") and r["eip"] == eip and
                 r["cs"] & 3 == 3, "%s at %#x:%#x" % (stop, r["cs"], r["eip"]))
            gdb.breakpoint(eip, False)
            test("a step in ring 3", gdb.step().startswith("T05") and
                 gdb.registers()["eip"] != eip, "stuck")
            gdb.send("D")
            test("detach", gdb.receive() == "OK", "?")
            status, text = d.end()
            test("runs on", status == 0 and "still alive" in text, "status %s: %s"
                 % (status, machine.tail(text, 3)))

    def interrupted(results):
        def test(name, good, why=""):
            results.append(check("%s/%s" % (prefix, name), good, why))

        with Debugged(config, "", ["init=/bin/sleep", "6"]) as d:
            d.gdb.send("vCont;c")
            time.sleep(3)
            stop = d.gdb.interrupt()
            test("interrupt", stop.startswith("T02"), stop)
            test("interrupt again", d.gdb.send("vCont;c") is None and
                 d.gdb.interrupt().startswith("T02"), "no second stop")
            d.gdb.send("vCont;c")
            with socket.create_connection(("127.0.0.1", d.port), 5) as second:
                second.settimeout(30)
                try:
                    sent_away = second.recv(1) == b""
                except socket.timeout:
                    sent_away = False
                test("a second debugger", sent_away, "it was not sent away")
            test("the first one stays", d.gdb.interrupt().startswith("T02"), "it did not")
            d.gdb.close()           # without a word: a gdb that crashed
            status, text = d.end()
            test("gdb goes away", status == 0 and "the debugger has gone" in text,
                 "status %s: %s" % (status, machine.tail(text, 3)))
            test("the second is told of", text.count("a second debugger called") == 1,
                 machine.tail(text, 5))

    def watched(results):
        """Threads if asked, and a watch."""
        elf_file = Elf32(kernel)
        symbol = elf_file.symbols

        def test(name, good, why=""):
            results.append(check("%s/%s" % (prefix, name), good, why))

        def function_of(address):
            return max((a, n) for n, a in symbol.items() if a <= address)[1]

        with Debugged(config, ",threads", ["echo", "hi"]) as d:
            gdb = d.gdb
            test("one thread before there are any", gdb.ask("qfThreadInfo") == "m1", "?")
            gdb.breakpoint(symbol["process_exit"])
            stop = gdb.go()
            gdb.breakpoint(symbol["process_exit"], False)
            test("threads", stop.endswith("thread:2;") and gdb.ask("qfThreadInfo") == "m1,2"
                 and gdb.ask("T2") == "OK" and gdb.ask("T7") == "E22", stop)
            said = [bytes.fromhex(gdb.ask("qThreadExtraInfo,%d" % n)).decode() for n in (1, 2, 7)]
            test("what they are", said == ["kernel, pid 0, sleeping", "echo, pid 1, running",
                                           "the processor"], said)
            mine = gdb.ask("g")
            gdb.ask("Hg1")
            raw = gdb.ask("g")
            r = {n: raw[8 * i:8 * i + 8] for i, n in enumerate(
                "eax ecx edx ebx esp ebp esi edi eip eflags cs".split())}
            eip, esp, ebp = (int.from_bytes(bytes.fromhex(r[n]), "little")
                             for n in ("eip", "esp", "ebp"))
            top = symbol["boot_stack_top"]
            test("one that sleeps", r["eax"] == r["eflags"] == "x" * 8 and r["cs"] == "61000000"
                 and function_of(eip) == "change_process" and top - 8192 < esp < ebp < top,
                 "%s, in %s" % (r, function_of(eip)))
            caller = gdb.read(ebp + 4, 4)
            test("who called it", function_of(int.from_bytes(caller, "little")) == "schedule",
                 caller.hex())
            test("is not changed", gdb.set_register("ebx", 1) == "E22", "it was")
            gdb.ask("Hg0")
            test("back to the one that runs", gdb.ask("g") == mine, "another")
            at = symbol["current"]
            before = gdb.read(at, 4)
            test("no watch for reads", gdb.ask("Z3,%x,4" % at) == "" and
                 gdb.ask("Z2,b0000000,4") == "E14", "an answer")
            test("watch", gdb.ask("Z2,%x,4" % at) == "OK", "?")
            stop = gdb.go()
            after = gdb.read(at, 4)
            test("watch hits", stop == "T05watch:%x;thread:1;" % at and before != after ==
                 symbol["kernel_process"].to_bytes(4, "little") and
                 function_of(gdb.registers()["eip"]) == "change_process",
                 "%s: %s, then %s" % (stop, before, after))
            gdb.ask("z2,%x,4" % at)
            test("to the end", gdb.go() == "W00", "?")
            status, text = d.end()
            test("nobody noticed", status == 0 and "hi" in text, machine.tail(text, 3))

    def killed(results):
        def test(name, good, why=""):
            results.append(check("%s/%s" % (prefix, name), good, why))

        with Debugged(config, "", ["echo"]) as d:
            d.gdb.set_register("eip", 0xbffff000)
            answer = d.gdb.go()
            test("the news", answer.startswith("O") and "E-PT-07" in
                 bytes.fromhex(answer[1:]).decode(), answer)
            test("the body", d.gdb.receive().startswith("T0b") and
                 d.gdb.registers()["eip"] == 0xbffff000, "no registers")
            test("no resurrection", d.gdb.go().startswith("X"), "it walked")
            status, text = d.end()
            test("status", status == 4, "status %s" % status)

    def suite(wanted):
        results = []
        session(results)
        interrupted(results)
        watched(results)
        killed(results)
        return results
    return suite
