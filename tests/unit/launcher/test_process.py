#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The whole Launcher as a process, with an actor for Host and Guest (actor.c):
exit statuses, signals, the terminal, pipes, --stats, --timeout, the capsule.

    test_process.py LAUNCHER [NAME]
prints `ok launcher/NAME/TEST` or `not ok launcher/NAME/TEST: why`.
"""
import ctypes
import fcntl
import json
import os
import pty
import re
import resource
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time

LAUNCHER = os.path.abspath(sys.argv[1])
NAME = sys.argv[2] if len(sys.argv) > 2 else "process"
PATIENCE = 20           # seconds: detects a hang, is no performance target
os.environ["ASAN_OPTIONS"] = "detect_leaks=1:handle_abort=0"
tests = []


def test(f):
    tests.append(f)
    return f


class Bad(Exception):
    pass


def expect(condition, why):
    if not condition:
        raise Bad(why)


def expect_is(got, want, what):
    expect(got == want, f"{what} is {got!r} instead of {want!r}")


def make_kernel(path):
    """A 32-bit ELF file of one segment at 1 MiB, with two symbols."""
    text = bytes(range(1, 255)) * 16
    names = b"\0start\0panic\0"
    ehdr, phdr, shdr = 52, 32, 40
    text_at = ehdr + phdr
    names_at = text_at + len(text)
    symbols_at = (names_at + len(names) + 3) & ~3
    symbols = bytes(16)
    symbols += struct.pack("<IIIBBH", 1, 0x100000, 4, 2, 0, 1)
    symbols += struct.pack("<IIIBBH", 7, 0x100004, 4, 2, 0, 1)
    sections_at = symbols_at + len(symbols)
    image = b"\x7fELF\1\1\1" + bytes(9)
    image += struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, 0x100000, ehdr, sections_at, 0,
                         ehdr, phdr, 1, shdr, 3, 0)
    image += struct.pack("<8I", 1, text_at, 0x100000, 0x100000, len(text), len(text), 5, 1)
    image += text + names
    image = image.ljust(symbols_at, b"\0") + symbols
    image += bytes(shdr)
    image += struct.pack("<10I", 0, 2, 0, 0, symbols_at, len(symbols), 2, 0, 4, 16)
    image += struct.pack("<10I", 0, 3, 0, 0, names_at, len(names), 0, 0, 1, 0)
    with open(path, "wb") as f:
        f.write(image)


def run(*words, stdin=b"", options=()):
    """Runs `launcher OPTIONS kernel.elf WORDS`: returns status, stdout, stderr."""
    p = subprocess.run([LAUNCHER, "--capsule=never", *options, "kernel.elf", *words],
                       input=stdin, capture_output=True, timeout=PATIENCE)
    return p.returncode, p.stdout.decode("latin1"), p.stderr.decode("latin1")


def start(*words, options=(), **kw):
    return subprocess.Popen([LAUNCHER, "--capsule=never", *options, "kernel.elf", *words], **kw)


class Terminal:
    """A Launcher on a terminal of its own."""

    def __init__(self, *words, options=()):
        self.master, slave = pty.openpty()
        attributes = termios.tcgetattr(slave)
        attributes[1] &= ~termios.ONLCR
        termios.tcsetattr(slave, termios.TCSANOW, attributes)
        self.before = termios.tcgetattr(slave)
        self.slave = slave

        def own_terminal():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = start(*words, options=options, stdin=slave, stdout=slave, stderr=slave,
                             preexec_fn=own_terminal)
        self.seen = ""

    def wait_for(self, text):
        end = time.monotonic() + PATIENCE
        while text not in self.seen:
            ready, _, _ = select.select([self.master], [], [], 0.1)
            if ready:
                self.seen += os.read(self.master, 4096).decode("latin1")
            expect(time.monotonic() < end, f"waited for {text!r}, saw {self.seen!r}")

    def wait_raw(self):
        end = time.monotonic() + PATIENCE
        while termios.tcgetattr(self.slave)[3] & termios.ICANON:
            expect(time.monotonic() < end, "the terminal did not become raw")
            time.sleep(0.01)

    def type(self, keys):
        os.write(self.master, keys)

    def end(self, status):
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None:      # the pty must be drained meanwhile
            ready, _, _ = select.select([self.master], [], [], 0.05)
            if ready:
                self.seen += os.read(self.master, 4096).decode("latin1")
            if time.monotonic() > end:
                self.process.kill()
                raise Bad(f"did not end; saw {self.seen!r}")
        after = termios.tcgetattr(self.slave)
        os.close(self.master)
        os.close(self.slave)
        expect_is(self.process.returncode, status, f"status (saw {self.seen!r})")
        expect(after == self.before, "the terminal was not given back")


# ---- How a Guest ends ----

@test
def poweroff():
    expect_is(run("poweroff"), (0, "", ""), "the end")


@test
def crash():
    status, _, err = run("crash", "Oops:", "no", "init")
    expect_is(status, 3, "status")
    lines = err.splitlines()
    expect_is(lines[0], "launcher: Guest crashed: Oops: no init", "the first line")
    expect_is(lines[1], "  at eip 61:00100004 <panic+0x0>", "the second")
    expect("TRACE=run.json" in lines[-1] and "make hint" not in err, err)


@test
def crash_without_words():
    _, _, err = run("crash")
    expect_is(err.split("\n")[0], "launcher: Guest crashed: (it did not say why)", "stderr")


@test
def killed_by_the_host():
    status, _, err = run("kill")
    expect_is(status, 4, "status")
    expect("E-PT-07: bad page table entry" in err, err)
    for part in ("eip 61:00100004 <panic+0x0>", "hypercall 17 NOTIFY", "<start+0x0>",
                 "#PF page fault at deadb000: not present, write at 61:00100004 <panic+0x0>",
                 "fault 13 in the Switcher", "+500", "make hint E-PT-07\n"):
        expect(part in err, f"{part!r} is not in {err!r}")


@test
def early_words():
    expect_is(run("early"), (0, "first words\n", ""), "the end")


@test
def string_without_an_end():
    expect_is(run("no-nul"), (0, "z" * 8, ""), "the end")


@test
def bad_notify():
    status, _, err = run("bad-notify")
    expect_is(status, 4, "status")
    expect("E-BUS-03: bad NOTIFY: 0xfffff000" in err, err)
    expect("  at eip 61:" in err and "make hint E-BUS-03\n" in err, err)


@test
def started_twice():
    status, _, err = run("twice")
    expect_is(status, 4, "status")
    expect("console twice" in err, err)


@test
def hostile_ring_costs_the_device():
    status, out, err = run("hostile-ring")
    expect_is((status, out), (0, "still alive\n"), "the end")
    expect("broke its console: queue 1: the available index went from 0 to 1000" in err, err)
    expect_is(err.count("broke its console"), 1, "times that it was said")


@test
def restart():
    expect_is(run("restart"), (0, "".join(f"life {n}\nconsole\n" for n in (1, 2, 3)), ""),
              "the end")


@test
def restart_reads_the_kernel_again():
    """One that has become a bad one is told as at the first start."""
    for write, status, says in ((b"MZ", 13, "kernel.elf: begins with 4d 5a"),
                                (None, 11, "kernel.elf: empty")):
        make_kernel("kernel.elf")
        p = start("for-ever", stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        time.sleep(0.3)
        with open("kernel.elf", "r+b") as f:
            f.write(write) if write else f.truncate(0)
        try:
            err = p.communicate(timeout=PATIENCE)[1].decode()
        finally:
            p.kill()
        expect_is(p.returncode, status, "status")
        expect(says in err, err)


# ---- Time ----

@test
def timeout():
    begin = time.monotonic()
    status, out, err = run("silent", options=["--timeout=0.5"])
    took = time.monotonic() - begin
    expect_is((status, out), (5, ""), "the end")
    expect(0.5 <= took < 5, f"took {took} s")
    expect("time is over" in err and "not said a word" in err and "0x100000" in err and
           "eip 61:00100004" in err, err)


@test
def timeout_of_a_talker():
    status, out, err = run("deaf", options=["--timeout=0.3"])
    expect_is((status, out), (5, "deaf\n"), "the end")
    expect("not said a word" not in err, err)


@test
def timeout_goes_through_restarts():
    status, _, _ = run("for-ever", options=["--timeout=0.5"])
    expect_is(status, 5, "status")


@test
def timeout_with_a_stuck_reader():
    """Nobody reads our output, so the run thread is stuck in write()."""
    p = start("flood", options=["--timeout=0.5"], stdin=subprocess.DEVNULL,
              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    expect_is(p.wait(timeout=PATIENCE), 5, "status")
    p.stdout.close()


# ---- Signals ----

def ends_by(sig):
    p = start("deaf", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    p.stdout.readline()
    p.send_signal(sig)
    _, err = p.communicate(timeout=PATIENCE)
    expect_is((p.returncode, err), (128 + sig, b""), "the end")


for _sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
    def _one(sig=_sig):
        ends_by(sig)
    _one.__name__ = f"ends_by_{_sig.name}"
    test(_one)


@test
def window_changes_are_ignored():
    p = start("echo", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    p.stdout.readline()
    for _ in range(20):
        p.send_signal(signal.SIGWINCH)
        p.send_signal(signal.SIGUSR1)
    p.stdin.write(b"q")
    out, _ = p.communicate(timeout=PATIENCE)
    expect_is((p.returncode, out), (0, b"q"), "the end")


@test
def broken_pipe():
    p = start("flood", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    p.stdout.read(10000)
    p.stdout.close()
    p.stderr.read()
    expect_is(p.wait(timeout=PATIENCE), 128 + signal.SIGPIPE, "status")


# ---- Input ----

@test
def echo():
    expect_is(run("echo", stdin=b"hello\nq"), (0, "ready\nhello\nq", ""), "the end")


@test
def ctrl_a_from_a_pipe_is_just_a_byte():
    expect_is(run("echo", stdin=b"\1x\1\1q"), (0, "ready\n\1x\1\1q", ""), "the end")


@test
def end_of_input_hands_nothing_over():
    status, out, _ = run("echo", stdin=b"abc", options=["--timeout=1"])
    expect_is((status, out), (5, "ready\nabc"), "the end")


@test
def end_of_input_costs_no_time():
    p = start("echo", options=["--timeout=2"], stdin=subprocess.DEVNULL,
              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(p.pid, 0)
    p.returncode = os.waitstatus_to_exitcode(status)
    expect_is(p.returncode, 5, "status")
    expect(used.ru_utime + used.ru_stime < 0.6, f"{used.ru_utime + used.ru_stime} s of CPU")


@test
def closed_stdin():
    """The kernel's file must not become stdin: the Guest would be typed to by it."""
    p = subprocess.run(["sh", "-c", f"exec '{LAUNCHER}' --capsule=never --timeout=1 kernel.elf "
                        "echo <&-"], capture_output=True, timeout=PATIENCE)
    expect_is((p.returncode, p.stdout), (5, b"ready\n"), "the end")


@test
def much_input_for_a_slow_reader():
    data = bytes((i * 7 + i // 256) % 97 for i in range(100000)).replace(b"q", b"-") + b"q"
    total = 0
    for byte in data:
        total = (total * 31 + byte) & 0xffffffff
    expect_is(run("count", stdin=data), (0, f"{len(data)} {total:08x}\n", ""), "the end")


# ---- The terminal ----

@test
def terminal_is_raw_and_given_back():
    t = Terminal("echo")
    t.wait_for("ready")
    t.type(b"\3\x1a\x1c\rq")            # ^C, ^Z and ^\ are just keys
    t.wait_for("\3\x1a\x1c\rq")
    t.end(0)


@test
def ctrl_a_x_leaves():
    t = Terminal("echo")
    t.wait_for("ready")
    t.type(b"a\1")
    t.wait_for("a")
    t.type(b"x")
    t.end(0)


@test
def ctrl_a_x_leaves_a_deaf_guest():
    t = Terminal("deaf")
    t.wait_for("deaf")
    t.wait_raw()
    t.type(b"k" * 3000)
    time.sleep(0.2)
    t.type(b"k" * 3000)
    time.sleep(0.2)
    t.type(b"\1x")
    t.end(0)


@test
def ctrl_a_ctrl_a_sends_one():
    t = Terminal("echo")
    t.wait_for("ready")
    t.type(b"<\1\1>q")
    t.wait_for("<\1>q")
    t.end(0)


@test
def no_escape():
    t = Terminal("echo", options=["--no-escape"])
    t.wait_for("ready")
    t.type(b"<\1x\1\1>q")
    t.wait_for("<\1x\1\1>q")
    t.end(0)


@test
def terminal_after_sigterm():
    t = Terminal("deaf")
    t.wait_for("deaf")
    t.wait_raw()
    t.process.send_signal(signal.SIGTERM)
    t.end(128 + signal.SIGTERM)


@test
def terminal_after_sigterm_if_run_is_stuck():
    """The thread that runs the Guest does not come back: the porter leaves for it."""
    t = Terminal("stuck")
    t.wait_for("stuck")
    t.wait_raw()
    t.process.send_signal(signal.SIGTERM)
    t.end(128 + signal.SIGTERM)


@test
def terminal_after_timeout():
    Terminal("silent", options=["--timeout=0.5"]).end(5)


@test
def terminal_after_a_kill():
    Terminal("kill").end(4)


@test
def terminal_after_our_own_crash():
    Terminal("abort").end(-signal.SIGABRT)


@test
def terminal_after_kill_9():
    t = Terminal("deaf", options=["--death=d.json"])
    t.wait_for("deaf")
    t.wait_raw()
    t.process.kill()
    t.wait_for("killed before it could say a word")
    t.end(-signal.SIGKILL)
    expect_is(json.load(open("d.json"))["status"], 128 + signal.SIGKILL, "status in the file")


@test
def our_own_crash():
    """Whose bug it is, where, and the file: of a signal that can be caught."""
    status, _, err = run("segv", options=["--death=d.json"])
    expect_is(status, -signal.SIGSEGV, "status")
    said = re.search(r"the Launcher itself crashed: SIGSEGV, for address 0x1234, at (0x\w+)\.", err)
    expect(said, err)
    d = json.load(open("d.json"))
    expect_is((d["status"], d["decided_by"]), (128 + signal.SIGSEGV, "a signal"), "the file")
    expect("SIGSEGV, for address 0x1234" in d["text"], d)
    command = re.search(r"addr2line -fipe \S+((?: 0x\w+)+)\n", err).group(1).split()
    expect_is(command[0], said.group(1), "the first address")
    expect(len(command) >= 2, f"no callers: {err}")
    if NAME == "locked":        # the other one is loaded at an address that nobody knows
        text = subprocess.run(["addr2line", "-fipe", LAUNCHER, *command], capture_output=True,
                              text=True).stdout
        expect(text.startswith("tread_on_nothing at ") and "guest at" in text, text)
    expect("before it could say a word" not in err, err)
    status, _, err = run("abort")
    expect_is(status, -signal.SIGABRT, "status")
    expect("the Launcher itself crashed: SIGABRT, at 0x" in err, err)


@test
def our_own_end_without_a_handler():
    """A stack without room for one: somebody else has to say it."""
    status, _, err = run("overflow", options=["--death=d.json"])
    expect_is(status, -signal.SIGSEGV, "status")
    words = "before it could say a word" if NAME == "locked" else "the Launcher itself crashed"
    expect(words in err, err)
    expect(json.load(open("d.json"))["status"] > 128, "the file")


@test
def terminal_while_stopped():
    t = Terminal("echo")
    t.wait_for("ready")
    t.process.send_signal(signal.SIGTSTP)
    os.waitpid(t.process.pid, os.WUNTRACED)
    expect(termios.tcgetattr(t.slave) == t.before, "the terminal is not whole while stopped")
    t.process.send_signal(signal.SIGCONT)
    t.wait_raw()
    t.type(b"q")
    t.end(0)


@test
def much_typing_for_a_slow_reader():
    """A paste: more than the Guest's buffers, the tty and a page can hold, all bytes there."""
    t = Terminal("count")
    t.wait_raw()
    data = bytes((i * 11 + i // 256) % 251 for i in range(300000)).replace(b"q", b"-")
    data = data.replace(b"\1", b"-") + b"q"
    want = 0
    for b in data:
        want = (want * 31 + b) & 0xffffffff
    while data:
        data = data[os.write(t.master, data[:2000]):]
    t.wait_for("300001 %08x" % want)
    t.end(0)


# ---- --stats ----

@test
def stats():
    expect_is(run("crash", 'a"b\\c', options=["--stats=s.json"])[0], 3, "status")
    with open("s.json") as f:
        s = json.load(f)
    names = re.findall(r"^\s*X\((\w+),", open(HEADER).read(), re.M)
    expect(len(names) > 40, "the table of counters was not found")
    for name in names:
        expect(name in s, f"{name} is missing")
    expect_is(s["switches"], 4711, "switches")
    expect_is(s["ring_runs"], 2**64 - 1, "ring_runs")
    expect_is(s["hypercall_direct"][17], 42, "NOTIFYs")
    expect_is(s["exit_vector"][255], 9, "exits 255")
    expect_is([len(s[a]) for a in ("hypercall_direct", "hypercall_ring", "exit_vector",
                                   "reflected", "direct")], [20, 20, 256, 256, 256], "lengths")
    expect_is((s["launcher_status"], s["launcher_text"]), (3, 'a"b\\c'), "the end")
    expect_is({k: v for k, v in s.items() if k.startswith("ticks_")},
              {"ticks_user": 300, "ticks_kernel": 0, "ticks_both": 0, "ticks_switcher": 0,
               "ticks_host": 100, "ticks_away": 0}, "ticks")
    expect_is(sorted(os.listdir(".")), ["kernel.elf", "s.json"], "files")


@test
def stats_in_words():
    for option in ("--stats", "--stats=-"):
        status, out, err = run("crash", "because", options=[option])
        expect_is(status, 3, "status")
        for line in ("        4711  switches           round trips through the Switcher",
                     "          42  NOTIFY             hypercall",
                     "           9  real interrupt     exits",
                     "           300  75.0 %  user      the Guest's programs, ring 3",
                     "           100  25.0 %  host      the Host, for what the Guest wanted"):
            expect(line in err.split("\n"), f"'{line}' is missing in {err}")
    expect_is(sorted(os.listdir(".")), ["kernel.elf"], "files")


@test
def rings_for_nobody():
    status, out, err = run("crash", "because", options=["--rings"])
    expect_is((status, err), (2, "launcher: --rings: there is no --stats or --trace that would "
                              "show it\n"), "what is said")


@test
def stats_after_a_signal():
    p = start("deaf", options=["--stats=s.json"], stdin=subprocess.DEVNULL,
              stdout=subprocess.PIPE)
    p.stdout.readline()
    p.terminate()
    p.wait(timeout=PATIENCE)
    p.stdout.close()
    expect_is(json.load(open("s.json"))["launcher_status"], 143, "status")


@test
def stats_after_kill_9():
    """No half: a new file is empty, one that was there is as it was."""
    open("old.json", "w").write("old\n")
    p = start("deaf", options=["--stats=old.json"], stdin=subprocess.DEVNULL,
              stdout=subprocess.PIPE)
    p.stdout.readline()
    p.kill()
    p.wait(timeout=PATIENCE)
    p.stdout.close()
    expect_is(open("old.json").read(), "old\n", "the old one")
    os.unlink("old.json")
    p = start("deaf", options=["--stats=s.json"], stdin=subprocess.DEVNULL,
              stdout=subprocess.PIPE)
    p.stdout.readline()
    p.kill()
    p.wait(timeout=PATIENCE)
    p.stdout.close()
    expect_is(sorted(os.listdir(".")), ["kernel.elf", "s.json"], "files")
    expect_is(os.path.getsize("s.json"), 0, "size")
    open("s.json", "w").write("x" * 100000)
    expect_is(run("poweroff", options=["--stats=s.json"])[0], 0, "status")
    expect_is(json.load(open("s.json"))["switches"], 4711, "over a longer one: switches")


@test
def stats_through_a_link():
    os.symlink("real.json", "link.json")
    open("real.json", "w").close()
    run("poweroff", options=["--stats=link.json"])
    expect(os.path.islink("link.json"), "the link was replaced")
    expect_is(json.load(open("real.json"))["switches"], 4711, "switches")


@test
def stats_to_a_pipe():
    status, out, _ = run("poweroff", options=["--stats=/dev/stdout"])
    expect_is(status, 0, "status")
    expect_is(json.loads(out)["switches"], 4711, "switches")
    expect(os.path.islink("/dev/stdout"), "/dev/stdout was replaced")


@test
def stats_that_cannot_be_written():
    status, out, err = run("early", options=["--stats=/no/such/dir/s.json"])
    expect_is((status, out), (2, ""), "the end")
    expect("--stats=/no/such/dir/s.json: cannot write there" in err, err)


# ---- --death ----

@test
def death():
    expect_is(run("crash", 'a"b\\c', options=["--death=d.json"])[0], 3, "status")
    d = json.load(open("d.json"))
    expect_is((d["status"], d["text"], d["decided_by"]), (3, 'a"b\\c', "the Guest"), "the end")
    expect_is([e["vector"] for e in d["exits"]], [31, 14, 256 + 13], "exits")
    expect_is(d["exits"][1]["cr2"], "0xdeadb000", "cr2")
    expect_is([e["ticks"] for e in d["exits"]], [0, 500, 200], "ticks")
    status, _, err = run("early", options=["--death=/no/such/dir/d.json"])
    expect_is(status, 2, "status")
    expect("--death=/no/such/dir/d.json: cannot write there" in err, err)
    _, _, err = run("crash", "x", options=["--death=/dev/full"])
    expect("--death=/dev/full: could not be written: No space left on device" in err, err)


# ---- --gdb ----

@test
def gdb_bad_input():
    """What the gdb suites with a real Guest do not come to."""
    _, _, err = run("poweroff", options=["--gdb=0,run,threads"])
    expect("--gdb=...,threads: kernel.elf has no symbol debugger_threads; gdb will see one thread\n"
           in err, err)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen(1)
        port = s.getsockname()[1]
        status, _, err = run("poweroff", options=[f"--gdb={port},run"])
    expect_is(status, 25, "status")
    expect(f"--gdb: port {port}: Address already in use; is another Guest" in err, err)
    status, _, err = run("poweroff", options=["--gdb=thread"])
    expect_is(status, 2, "status")
    expect("--gdb=thread: 'thread': expected a port" in err and "'threads'" in err, err)


# ---- Disks, and luck ----

def make_disk(name, sectors=8, odd=0):
    with open(name, "wb") as f:
        f.write(b"".join(f"{name[:3]} {i}".encode().ljust(512, b".") for i in range(sectors)))
        f.write(b"x" * odd)


def sector_1(name):
    with open(name, "rb") as f:
        return f.read()[512:520].rstrip(b"\0")


@test
def disks_through_a_restart():
    """One to write, one to read, in the order of the command line, and a thread each."""
    make_disk("one.img")
    make_disk("two.img", odd=100)
    before = open("two.img", "rb").read()
    status, out, err = run("disks", options=["--block=one.img", "--rng", "--block=two.img,ro"])
    expect_is((status, err), (0, ""), "the end")
    expect_is(out, "0: 0 'one 1...' 0 0\n1: 0 'two 1...' 1 0\n"
              "0: 0 'life 1\n' 0 0\n1: 0 'two 1...' 1 0\n", "output")
    expect_is(sector_1("one.img"), b"life 2\n", "sector 1")
    expect_is(open("two.img", "rb").read(), before, "the read-only disk")
    expect_is(os.path.getsize("one.img"), 8 * 512, "size")


# ---- Snapshots ----

def saved(part, options=(), stdin=b""):
    """A Guest that speaks, and then is saved in s.snap.  -> (status, stdout)"""
    p = start(part, options=["--save=s.snap", *options], stdin=subprocess.PIPE,
              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    p.stdin.write(stdin)
    p.stdin.flush()
    first = p.stdout.readline()
    time.sleep(0.2)
    p.send_signal(signal.SIGUSR1)
    try:
        out, err = p.communicate(timeout=PATIENCE)
    finally:
        p.kill()
    expect(p.returncode or b"saved in s.snap, with " in err, err)
    return p.returncode, (first + out).decode()


def restored(*words, end=signal.SIGTERM):
    """... and goes on until somebody ends it.  -> (status, stdout, stderr)"""
    p = subprocess.Popen([LAUNCHER, "--capsule=never", "--restore=s.snap", *words],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    first = p.stdout.readline()
    if first:
        p.send_signal(end)
    try:
        out, err = p.communicate(timeout=PATIENCE)
    finally:
        p.kill()
    return p.returncode, (first + out).decode(), err.decode()


@test
def snapshot():
    """With everything that threads of ours do: a disk, luck, keys that nobody wanted."""
    make_disk("one.img")
    devices = ["--block=one.img", "--rng"]
    expect_is(saved("deaf", devices, b"early keys"), (0, "deaf\n"), "the end")
    expect(b"early keys" in open("s.snap", "rb").read(), "the keys are lost")
    expect_is(restored(*devices), (128 + signal.SIGTERM, "deaf\n", ""), "the Guest again")
    expect_is(restored(*devices, "64", "kernel.elf")[:2], (128 + signal.SIGTERM, "deaf\n"),
              "with its kernel")
    status, out, err = restored(*devices, "--save=s.snap", end=signal.SIGUSR1)
    expect_is((status, out), (0, "deaf\n"), "into the same file")
    expect_is(restored(*devices)[:2], (128 + signal.SIGTERM, "deaf\n"), "a second time")
    # SIGUSR1 means nothing to one that was not told where to.
    p = start("deaf", stdout=subprocess.PIPE)
    p.stdout.readline()
    p.send_signal(signal.SIGUSR1)
    time.sleep(0.2)
    p.terminate()
    expect_is(p.wait(timeout=PATIENCE), 128 + signal.SIGTERM, "without --save")


@test
def snapshot_of_another_machine():
    make_disk("one.img")
    expect_is(saved("deaf", ["--block=one.img"])[0], 0, "the end")
    for words, status, says in (
            ([], 13, "s.snap: its Guest has 2 devices, here are 1; expected the --block, --net and "
             "--rng of then, in that order: disk one.img, console"),
            (["--block=one.img", "--rng"], 13, "2 devices, here are 3"),
            (["--block=one.img,ro"], 13, "other devices than this: 'disk one.img'"),
            (["--block=one.img", "32"], 2, "memory '32': the Guest in s.snap has 64 MiB"),
            (["--block=one.img", "kernel.elf", "words"], 2, "'words': the Guest in s.snap"),
            (["--block=one.img", "--initrd=x"], 2, "--initrd=x: with --restore")):
        got = restored(*words)
        expect_is(got[:2], (status, ""), str(words))
        expect(says in got[2] and got[2].count("\n") == 1, got[2])
    shutil.copy("kernel.elf", "other.elf")
    with open("other.elf", "ab") as f:
        f.write(b"!")
    got = restored("--block=one.img", "other.elf")
    expect(got[0] == 13 and "other.elf: another kernel" in got[2], str(got))
    with open("one.img", "r+b") as f:
        f.write(b"changed")
    got = restored("--block=one.img")
    expect(got[0] == 24 and "disk one.img: it has changed since" in got[2], str(got))


@test
def snapshot_that_is_none():
    expect_is(saved("deaf")[0], 0, "the end")
    good = open("s.snap", "rb").read()
    for name, data in (("empty", b""), ("cut", good[:-1]),
                       ("kernel", open("kernel.elf", "rb").read()),
                       ("flipped", good[:100] + bytes([good[100] ^ 4]) + good[101:])):
        with open("s.snap", "wb") as f:
            f.write(data)
        got = restored()
        expect(got[0] == 13 and "s.snap: not a sound snapshot" in got[2] and
               "expected" in got[2] and got[2].count("\n") == 1, f"{name}: {got}")
    os.unlink("s.snap")
    expect_is(restored(), (10, "", "launcher: s.snap: cannot read the snapshot: No such file or "
                           "directory\n"), "missing")


@test
def snapshot_without_room():
    """It cannot be written: the Guest goes on as if nobody had asked."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    p = start("echo", options=["--save=s.snap"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
              stderr=subprocess.PIPE, preexec_fn=lambda: resource.setrlimit(
                  resource.RLIMIT_FSIZE, (5000, limit[1])))
    expect_is(p.stdout.readline(), b"ready\n", "the first word")
    p.send_signal(signal.SIGUSR1)
    err = p.stderr.readline()
    try:
        out, rest = p.communicate(b"still here\nq", timeout=PATIENCE)
    finally:
        p.kill()
    expect_is((p.returncode, out, err + rest),
              (0, b"still here\nq", b"launcher: --save=s.snap: could not be written: File too "
               b"large; the Guest goes on\n"), "the end")


@test
def save_where_it_cannot_be():
    for name, says in (("/dev/null", "expected a file, and no pipe"),
                       ("/nowhere/s", "cannot write there"),
                       ("-", "expected a file, and no pipe")):
        status, out, err = run("poweroff", options=[f"--save={name}"])
        expect_is((status, out), (2, ""), name)
        expect(f"--save={name}" in err and says in err, err)


@test
def disk_of_an_odd_size():
    make_disk("odd.img", odd=100)
    _, _, err = run("disks", options=["--block=odd.img", "--verbose"])
    expect("odd.img: the last 100 bytes are not a whole sector" in err, err)
    expect_is(os.path.getsize("odd.img"), 8 * 512 + 100, "size")


@test
def disk_that_cannot_be_written():
    make_disk("ro.img")
    os.chmod("ro.img", 0o444)
    status, out, err = run("disks", options=["--block=ro.img"])
    expect_is((status, out), (0, "0: 0 'ro. 1...' 1 0\n" * 2), "the end")
    expect_is(err, "launcher: ro.img: cannot be written to, so the Guest gets a read-only "
              "disk\n", "stderr")
    expect_is(sector_1("ro.img"), b"ro. 1...", "sector 1")
    expect_is(run("disks", options=["--block=ro.img,ro"])[2], "", "stderr if it was the wish")


@test
def files_that_are_no_disks():
    make_disk("small.img", sectors=0, odd=511)
    open("empty.img", "w").close()
    os.mkdir("dir.img")
    os.mkfifo("pipe.img")
    for name, says in (("none.img", "No such file"), ("small.img", "has 511 bytes"),
                       ("empty.img", "has 0 bytes"), ("dir.img", "directory"),
                       ("pipe.img", "regular file"), ("/dev/null", "regular file")):
        for ro in ("", ",ro"):
            status, out, err = run("early", options=[f"--block={name}{ro}"])
            expect_is((status, out), (24, ""), name)
            expect(name in err and says in err or name == "dir.img", err)
            expect_is(err.count("\n"), 1, "lines")


@test
def two_launchers_on_one_disk():
    make_disk("d.img")
    os.symlink("d.img", "link.img")
    p = start("deaf", options=["--block=d.img"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    p.stdout.readline()
    for name in ("d.img", "link.img", "d.img,ro"):
        status, out, err = run("early", options=[f"--block={name}"])
        expect_is((status, out), (24, ""), name)
        expect("in use" in err and name.split(",")[0] in err, err)
    p.kill()
    p.wait(timeout=PATIENCE)
    p.stdout.close()
    expect_is(run("early", options=["--block=d.img"])[0], 0, "status once it is free")
    expect_is(run("early", options=["--block=d.img", "--block=link.img"])[0], 24, "twice")
    expect_is(run("early", options=["--block=d.img,ro", "--block=link.img,ro"])[0], 0, "readers")


@test
def disk_without_room():
    """The Host gives no room for the sector: the Guest hears of it, and we live."""
    make_disk("full.img")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    p = subprocess.run([LAUNCHER, "--capsule=never", "--block=full.img", "kernel.elf", "disks"],
                       capture_output=True, timeout=PATIENCE, stdin=subprocess.DEVNULL,
                       preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE,
                                                             (512, limit[1])))
    expect_is((p.returncode, p.stdout), (0, b"0: 0 'ful 1...' 1 0\n" * 2), "the end")
    expect_is(p.stderr, b"launcher: disk full.img: could not write at sector 1: File too large\n",
              "stderr, once")


@test
def hostile_disk_costs_the_disk():
    make_disk("one.img")
    make_disk("two.img")
    status, out, err = run("hostile-disk", options=["--block=one.img", "--block=two.img"])
    expect_is((status, out), (0, "other disk: 0\nafter a reset: 0\n"), "the end")
    expect("broke its disk one.img: queue 0: the available index went from 0 to 1000" in err, err)


@test
def signal_while_there_are_threads():
    make_disk("d.img")
    p = start("deaf", options=["--block=d.img", "--rng"], stdin=subprocess.DEVNULL,
              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    p.stdout.readline()
    p.send_signal(signal.SIGTERM)
    _, err = p.communicate(timeout=PATIENCE)
    expect_is((p.returncode, err), (143, b""), "the end")


@test
def luck():
    seen = {run("luck", options=["--rng"]) for _ in range(2)}
    expect_is(len(seen), 2, "different numbers")
    for status, out, err in seen:
        expect_is((status, err), (0, ""), "the end")
        expect(re.fullmatch("[0-9a-f]{32}", out) and out != "0" * 32, out)
    expect_is(run("luck")[0], 3, "status without --rng")


# ---- Networks ----

def no_rights():
    """In a child: root without a single capability."""
    libc = ctypes.CDLL(None)
    for capability in range(64):
        libc.prctl(24, capability, 0, 0, 0)         # PR_CAPBSET_DROP


def neighbours():
    """Process numbers of all usernet that were started from here."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{pid}/exe") == os.path.dirname(LAUNCHER) + "/usernet":
                found.append(int(pid))
        except OSError:
            pass
    return found


def wait_until(condition, why):
    end = time.monotonic() + PATIENCE
    while not condition():
        expect(time.monotonic() < end, why)
        time.sleep(0.01)


@test
def network():
    """libslirp's gateway calls itself 52:55 and its address."""
    for mac in ("", ",mac=02:00:00:00:00:77"):
        expect_is(run("ask", options=["--net=user" + mac]),
                  (0, "10.0.2.2 is at 52:55:0a:00:02:02\n", ""), "the end")
    wait_until(lambda: not neighbours(), "usernet outlives the Launcher")
    expect_is(run("ask")[0], 3, "status without --net")


@test
def port_in_use():
    for kind, word in ((socket.SOCK_STREAM, "tcp"), (socket.SOCK_DGRAM, "udp")):
        with socket.socket(socket.AF_INET, kind) as s:
            s.bind(("127.0.0.1", 0))
            if word == "tcp":
                s.listen()
            port = s.getsockname()[1]
            option = f"--net=user,hostfwd={word}:127.0.0.1:{port}-:80"
            expect_is(run("ask", options=[option]),
                      (25, "", f"launcher: --net: hostfwd={word}:127.0.0.1:{port}: Address already "
                       "in use; expected a port that nobody listens on\n"), "the end")
        expect_is(run("ask", options=[option])[0], 0, "status once it is free")


@test
def port_is_open_while_the_guest_runs():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    p = start("deaf", options=[f"--net=user,hostfwd=tcp::{port}-:80"], stdin=subprocess.DEVNULL,
              stdout=subprocess.PIPE)
    p.stdout.readline()
    socket.create_connection(("127.0.0.1", port), PATIENCE).close()
    p.kill()
    p.communicate(timeout=PATIENCE)
    wait_until(lambda: not neighbours(), "usernet outlives a Launcher that was killed")


@test
def neighbour_dies():
    p = start("echo", options=["--net=user"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
              stderr=subprocess.PIPE)
    p.stdout.readline()
    for pid in neighbours():
        os.kill(pid, signal.SIGKILL)
    expect_is(p.stderr.readline(), b"launcher: network user: nobody is at the other end any more; "
              b"the Guest goes on without\n", "stderr")
    expect_is(p.communicate(b"still here q", timeout=PATIENCE), (b"still here q", b""), "the rest")
    expect_is(p.returncode, 0, "status")


@test
def neighbour_is_missing():
    os.mkdir("elsewhere")
    shutil.copy(LAUNCHER, "elsewhere/launcher")
    p = subprocess.run(["elsewhere/launcher", "--capsule=never", "--net=user", "kernel.elf", "ask"],
                       capture_output=True, timeout=PATIENCE, stdin=subprocess.DEVNULL)
    expect_is((p.returncode, p.stdout), (25, b""), "the end")
    expect(b"'usernet' is not beside" in p.stderr and b"libslirp-dev" in p.stderr, p.stderr)
    with open("elsewhere/usernet", "w") as f:
        f.write("#!/bin/sh\nexit 127\n")
    os.chmod("elsewhere/usernet", 0o755)
    p = subprocess.run(["elsewhere/launcher", "--capsule=never", "--net=user", "kernel.elf", "ask"],
                       capture_output=True, timeout=PATIENCE, stdin=subprocess.DEVNULL)
    expect_is((p.returncode, p.stdout, p.stderr.count(b"\n")), (25, b"", 1), "the end")
    expect(b"does not start; are its libraries there" in p.stderr, p.stderr)


@test
def networks_without_rights():
    cases = [("--net=raw:lo", 26, "cap_net_raw"), ("--net=user", 0, "")]
    if os.path.exists("/dev/net/tun"):
        cases += [("--tunnet=192.168.19.1", 26, "cap_net_admin"),
                  ("--tunnet=bridge:br0", 26, "cap_net_admin")]
    lowest = int(open("/proc/sys/net/ipv4/ip_unprivileged_port_start").read())
    if lowest > 1:
        cases += [(f"--net=user,hostfwd=tcp::{lowest - 1}-:80", 26, "expected a port from 1024")]
    for option, want, says in cases:
        p = subprocess.run([LAUNCHER, "--capsule=never", option, "kernel.elf",
                            "ask" if not want else "early"], capture_output=True,
                           timeout=PATIENCE, stdin=subprocess.DEVNULL, preexec_fn=no_rights)
        expect_is(p.returncode, want, f"status of {option} ({p.stderr})")
        expect(says in p.stderr.decode() and p.stderr.count(b"\n") == (want != 0), p.stderr)
        expect(not want or option.split("=")[0].encode() in p.stderr, p.stderr)


@test
def capsule_gets_the_network():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
        word = f"hostfwd=tcp:127.0.0.1:{port}-:80"
        s.listen()
        status, out, err = capsule(f"--net=user,{word}", "kernel.elf")
        expect_is((status, out), (25, ""), "the end")
        expect(f"--net: hostfwd=tcp:127.0.0.1:{port}: Address already in use" in err, err)
    os.unlink("home/tools/nested")
    os.removedirs("home/tools")
    expect_is(capsule(f"--net=user,{word},mac=02:00:00:00:00:09", "kernel.elf"),
              (77, "capsule|--memory=512|--timeout=1000000|"
               f"--in|kernel.elf|--net=user,hostfwd=tcp:127.0.0.1:{port}-10.0.2.15:80|--|"
               "--capsule=never|--memory=64|--net=raw:eth0,mac=02:00:00:00:00:09|--|kernel.elf|",
               ""), "the end")
    for option in ("--tunnet=192.168.19.1", "--tunnet=bridge:br0", "--net=raw:eth0"):
        os.unlink("home/tools/nested")
        os.removedirs("home/tools")
        status, out, err = capsule(option, "kernel.elf")
        expect_is((status, out, err.count("\n")), (25, "", 1), "the end")
        expect(option in err and "expected --net=user, or lg.ko to be loaded" in err, err)


@test
def snapshot_of_a_silent_guest():
    """Its first word may have been long ago, and its entry means nothing any more."""
    p = start("silent", options=["--save=s.snap"], stderr=subprocess.PIPE)
    time.sleep(0.5)
    p.send_signal(signal.SIGUSR1)
    err = p.communicate(timeout=PATIENCE)[1]
    expect(p.returncode == 0 and b"saved in s.snap, with " in err, err)
    status, out, err = restored("--timeout=0.5")
    expect_is((status, out), (5, ""), "the Guest again")
    expect("time is over" in err and "has not said a word" not in err, err)


# ---- Before anything is started ----

@test
def help_lists_the_statuses():
    p = subprocess.run([LAUNCHER, "--help"], capture_output=True, timeout=PATIENCE)
    expect_is((p.returncode, p.stderr), (0, b""), "the end")
    for number in (0, 1, 2, 3, 4, 5, *range(10, 28), 30, 31, 32, 33, 34):
        expect(re.search(rf"^ +{number}  \S", p.stdout.decode(), re.M), f"{number} is missing")


@test
def more_memory_than_there_is():
    has = int(re.search(r"MemAvailable: +(\d+)", open("/proc/meminfo").read())[1]) // 1024
    if has >= 3072:
        return "this machine has more than a Guest can have"
    status, _, err = run("early", options=["--memory=3072"])
    expect_is(status, 22, "status")
    expect("'3072'" in err, err)
    return None


@test
def verbose():
    status, out, err = run("echo", stdin=b"q", options=["--verbose", "--memory=32"])
    expect_is((status, out), (0, "ready\nq"), "the end")
    for part in ("32 MiB, entry 0x100000", 'arguments "echo"', "console: started"):
        expect(part in err, f"{part!r} is not in {err!r}")


@test
def verbose_about_a_silent_guest():
    status, _, err = run("silent", options=["--verbose", "--timeout=4"])
    expect_is(status, 5, "status")
    expect("has not said a word in 3 seconds" in err, err)
    status, _, err = run("deaf", options=["--verbose", "--timeout=4"])
    expect("has not said a word" not in err, err)


def capsule(*words, script='printf "%s|" "$@"; exit 77'):
    os.makedirs("home/tools")
    with open("home/tools/nested", "w") as f:
        f.write(f"#!/bin/sh\n{script}\n")
    os.chmod("home/tools/nested", 0o755)
    p = subprocess.run([LAUNCHER, "--capsule=always", *words], capture_output=True,
                       stdin=subprocess.DEVNULL, timeout=PATIENCE,
                       env={**os.environ, "LG_HOME": os.path.abspath("home")})
    return p.returncode, p.stdout.decode(), p.stderr.decode()


@test
def capsule_gets_files_and_words():
    with open("initrd", "w") as f:
        f.write("x")
    expect_is(capsule("--initrd=initrd", "--stats=s.json", "32", "kernel.elf", "a b", "--c"),
              (77, "capsule|--memory=512|--timeout=1000000|--in|kernel.elf|--in|initrd|"
               "--out|s.json|--|--capsule=never|--memory=32|--initrd=initrd|--stats=s.json|--|"
               "kernel.elf|a b|--c|", ""),
              "the end")
    os.unlink("home/tools/nested")
    os.removedirs("home/tools")
    expect_is(capsule("--verbose", "--timeout=1.5", "--memory=1G", "--", "kernel.elf")[1],
              "capsule|--memory=1280|--timeout=121|--in|kernel.elf|--|--capsule=never|"
              "--memory=1024|--timeout=1.500000|--verbose|--|kernel.elf|", "the end")


@test
def capsule_gets_disks_and_keeps_the_lock():
    """In and out again; not out if read-only; and locked while the machine runs."""
    make_disk("d.img", sectors=2048 * 3)
    make_disk("r.img")
    os.chmod("r.img", 0o444)
    status, out, err = capsule(
        "--block=d.img", "--block=r.img", "--rng", "--timeout=1", "kernel.elf",
        script='printf "%s|" "$@"; ' f"'{LAUNCHER}'" ' --capsule=never --block=d.img kernel.elf '
               'early; exit $?')
    expect_is((status, out), (24, "capsule|--memory=522|--timeout=161|--in|kernel.elf|"
              "--in|d.img|--out|d.img|--in|r.img|--|--capsule=never|--memory=64|"
              "--block=d.img|--block=r.img,ro|--rng|--timeout=1.000000|--|kernel.elf|"),
              "the end")
    expect("d.img: the disk is in use" in err, err)


@test
def capsule_has_no_room_for_large_disks():
    with open("big.img", "wb") as f:
        f.truncate(65 << 20)
    status, out, err = capsule("--block=big.img", "kernel.elf")
    expect_is((status, out), (24, ""), "the end")
    expect("big.img" in err and "at most 64 MiB" in err and ",ro" in err, err)
    os.unlink("home/tools/nested")
    os.removedirs("home/tools")
    status, _, err = capsule("--block=big.img,ro", "kernel.elf")
    expect_is((status, err), (77, ""), "the end with ,ro")
    os.unlink("home/tools/nested")
    os.removedirs("home/tools")
    with open("big.img", "wb") as f:
        f.truncate(257 << 20)
    status, out, err = capsule("--block=big.img,ro", "kernel.elf")
    expect_is((status, out), (24, ""), "the end")
    expect("at most 256 MiB" in err, err)


@test
def capsule_is_not_started_for_bad_input():
    for word, want in (("nothing.elf", 10), (".", 12), ("/dev/null", 12)):
        if os.path.isdir("home"):
            os.unlink("home/tools/nested")
            os.removedirs("home/tools")
        status, out, _ = capsule(word)
        expect_is((status, out), (want, ""), word)


@test
def capsule_that_is_not_there():
    p = subprocess.run([LAUNCHER, "--capsule=always", "kernel.elf"], capture_output=True,
                       env={**os.environ, "LG_HOME": "/no/such"}, timeout=PATIENCE)
    expect_is(p.returncode, 30, "status")
    expect(b"LG_HOME" in p.stderr, p.stderr)


@test
def capsule_gets_snapshots():
    expect_is(saved("deaf"), (0, "deaf\n"), "the end")
    expect_is(capsule("--restore=s.snap", "--save=new", "--timeout=1"),
              (77, "capsule|--memory=640|--timeout=761|--in|s.snap|--out|new|--|--capsule=never|"
               "--memory=64|--restore=s.snap|--save=new|--timeout=1.000000|--|", ""), "the end")


HEADER = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                      "../../../include/lguest_user.h")


def main():
    failed = 0
    for f in tests:
        with tempfile.TemporaryDirectory() as here:
            os.chdir(here)
            make_kernel("kernel.elf")
            try:
                skipped = f()
                print(f"skip launcher/{NAME}/{f.__name__}: {skipped}" if skipped else
                      f"ok launcher/{NAME}/{f.__name__}", flush=True)
            except Exception as e:      # pylint: disable=broad-except
                failed += 1
                why = " ".join(f"{type(e).__name__ if not isinstance(e, Bad) else ''} {e}".split())
                print(f"not ok launcher/{NAME}/{f.__name__}: {why}", flush=True)
            os.chdir("/")
    return failed != 0


sys.exit(main())
