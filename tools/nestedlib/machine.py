# SPDX-License-Identifier: MIT
#P:360 Starting QEMU, and being sure that it ends
#
# One class, one machine, one command.  What has to be right here is the ending:
#
#   * the command ends       its status comes over the control line, and is ours;
#   * the time is up         QEMU is killed, the status is 124;
#   * the kernel panics      QEMU stops by itself (-no-reboot), the status is 125
#                            and the last lines of the log are shown;
#   * somebody kills us      with a signal that can be caught we take QEMU along;
#                            with one that can't, the kernel does (PR_SET_PDEATHSIG).
#
# There are no temporary files that could stay behind: the archive with the root file
# system is an anonymous file in memory, and the serial lines are socket pairs.  That
# also makes any number of machines at once a matter of course.
#:*
"""Run a command in a nested machine."""

import ctypes
import os
import re
import selectors
import shlex
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time

from . import accel, kernels, modules, oops, stuck
from .common import (
    EXIT_MACHINE,
    EXIT_TIMEOUT,
    NestedError,
    build_dir,
    find_program,
    is_static_elf,
    say,
)
from .initramfs import Archive
from .kept import MIB, Kept
from .terminal import Terminal

PR_SET_PDEATHSIG = 1
LOG_TAIL_LINES = 25
BOOT_TRIES = 3
BOOT_PATIENCE = 90  # seconds; usual are 2, and 20 when instructions are counted
# Standard input is handed over in portions, and the next one only when the machine asks
# for it.  The largest is a fraction of what the kernel's serial line can hold for us.
INPUT_PORTION = 16384
# Whoever floods a line in there floods nobody's memory out here: of so much the first half is
# kept and the last.  A kernel's own buffer is smaller than that.
CONSOLE_MOST = 8 * MIB
# A line of the control line is words of ours, and short.
CONTROL_MOST = 65536
# Seconds without a word from the machine, after which we don't wait for it to end well.
LEAVE_PATIENCE = 20

# Kernel arguments: quick and quiet, and a panic ends the machine at once.  A CPU that got no
# time from a busy computer is not stalled: RCU complains after a minute, not after 21 s.
# (Who really hangs is noticed all the same: by the soft lock-up detector, or by stuck.py.)
BASE_ARGUMENTS = (
    "console=ttyS0,115200 quiet panic=-1 rdinit=/init "
    "random.trust_cpu=on no_timer_check 8250.nr_uarts=4 rcupdate.rcu_cpu_stall_timeout=60"
)


# The first event that anybody switches on, anywhere, makes Linux record the names of all
# tasks: it patches jumps into its scheduler while other CPUs run it, with INT3 in between.
# QEMU's TCG (7.2), one thread a CPU, now and then executes what was there before, and Linux
# dies of "Oops: int3" or hangs.  So with more than one CPU that is done once, at boot,
# when there is only one yet: by an event that does not happen and stays on.  What is left:
# --trace patches lg.ko as well, and a second Guest may be running there just then.
EVENT_AT_BOOT = " trace_event=mce:mce_record"


# With kernels that use CMPXCHG16B inline in their memory allocator (6.12 does, 6.1
# doesn't), TCG of QEMU 7.2 now and then computes EFLAGS from a stale value after that
# instruction; about every third boot of 6.12 died of it, with any CPU model.  Linux
# has another way where the CPU hasn't got the instruction, so under TCG it hasn't.
TCG_CPU_WITHOUT = "cx16"


class Request:
    """What to run and how; see cli.py for what each of them means."""

    command = ()
    kernel = None
    cpu = "qemu64"
    smp = 1
    memory = 512  # MB
    icount = False
    timeout = None  # seconds
    files = ()  # (path here, path in the machine)
    log = None
    collect = ()  # (path in the machine, path here)
    collect_most = None  # bytes of each; of more than that only both ends come out
    monitor = None
    append = ""
    module = True  # True: ours; None: none; or a path
    module_args = ""
    keep_module = False
    tty = False
    divided = False  # the command cuts the terminal in two
    stdin = False  # pass our standard input on (without tty)
    split = False  # standard error apart from standard output
    directory = "/root"  # where the command runs
    directories = ()  # more of them, to be made
    load = ()  # kernel modules (modules.KEPT)
    forward = None  # a port of 127.0.0.1 that leads to the same one in there
    gdb_host = None  # a port of 127.0.0.1 where QEMU lets gdb in
    net = None  # a network card, eth0, on QEMU's user network: its options, or ""
    report = None  # afterwards: what the nested kernel died of or complained about (oops.py)


class DiedBooting(Exception):
    """The nested kernel gave up before it ran anything of ours."""


class Interrupted(Exception):
    def __init__(self, number):
        super().__init__(number)
        self.number = number


def find_busybox():
    code = "E-BUSYBOX-01"
    path = find_program("busybox", "busybox-static", code)
    if not is_static_elf(path):
        raise NestedError(
            "%s: %s needs shared libraries, a static one is wanted: "
            "sudo apt-get install busybox-static" % (code, path)
        )
    return path


def find_module(request, kernel):
    """Path of the lg.ko for this kernel, or None if none is wanted."""
    if request.module is None:
        return None
    if request.module is not True:
        return request.module
    path = os.path.join(build_dir(), "host", kernel.release, "lg.ko")
    if not os.path.exists(path):
        how = "make"
        if kernel.name != kernels.default_name():
            how += " HOST_KERNEL=" + kernel.name if os.sep not in kernel.name else ""
        raise NestedError(
            "no lg.ko for kernel %s (looked for %s); build it with: %s"
            % (kernel.release, os.path.relpath(path), how)
        )
    return path


def shared_libraries(program):
    """The files that a dynamic program is loaded with, by the paths it knows them by."""
    text = subprocess.run(["ldd", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          universal_newlines=True).stdout
    paths = [word for line in text.splitlines() for word in line.split() if word.startswith("/")]
    return [p for p in paths if os.path.exists(p)]


def read_file(path, what):
    try:
        with open(path, "rb") as f:
            return f.read(), os.stat(path).st_mode & 0o111
    except OSError as e:
        raise NestedError("%s %s: %s" % (what, path, e.strerror), 2)


class Machine:
    """One run of one nested machine."""

    def __init__(self, request):
        self.request = request
        self.nonce = os.urandom(8).hex()
        self.qemu = None
        self.console = Kept(CONSOLE_MOST)  # the kernel's messages on ttyS0
        self.qemu_says = Kept(MIB)
        self.control = bytearray()
        self.wanted = None  # (kind, bytes still to come, Kept) on the control line
        self.status = None
        self.insmod_error = None
        self.rmmod_error = None
        self.complaint = 0
        self.log = None
        self.missing = []
        self.booted = False
        self.ended = False
        self.more = False  # it asks for standard input
        self.started = False  # the command runs, or has run
        self.leaving = None  # the status with which we end when everything is out
        self.settled = set()  # of request.collect: nothing more to be done
        self.terminal = Terminal(divided=request.divided) if request.tty else None
        self.pending = {}  # socket -> bytearray still to be written
        self.module = None  # the lg.ko in there, as a path out here
        self.sections = {}  # of it: name -> address
        self.look_in = None  # a socket to QEMU's monitor

    # -- what goes in -------------------------------------------------------

    def archive(self, kernel):
        request = self.request
        a = Archive()
        for name in ("proc", "sys", "dev", "tmp", "run", "root", "bin", "sbin", "etc"):
            a.directory(name)
        a.device("dev/console", 5, 1)
        a.device("dev/null", 1, 3)
        busybox = find_busybox()
        a.file("bin/busybox", read_file(busybox, "busybox")[0], 0o755)
        applets = subprocess.run(
            [busybox, "--list"], stdout=subprocess.PIPE, universal_newlines=True
        ).stdout.split()
        for applet in applets:
            if applet != "busybox":
                a.link("bin/" + applet, "busybox")
        a.file("etc/passwd", b"root::0:0:root:/root:/bin/sh\n")
        a.file("etc/group", b"root:x:0:\n")
        with open(os.path.join(os.path.dirname(__file__), "init.sh"), "rb") as f:
            a.file("init", f.read(), 0o755)

        top = os.path.join(os.path.dirname(os.path.dirname(__file__)), "lgtop")
        a.file("bin/lgtop", read_file(top, "lgtop")[0], 0o755)
        launcher = os.path.join(build_dir(), "launcher", "launcher")
        destinations = [d for _, d in request.files]
        if "/bin/launcher" not in destinations:
            if os.path.exists(launcher):
                a.file("bin/launcher", read_file(launcher, "launcher")[0], 0o755)
            elif request.command and request.command[0] in ("/bin/launcher", "launcher"):
                raise NestedError("no %s; build it with: make" % os.path.relpath(launcher))
        # The Launcher is static, its neighbour for `--net user` is not.
        usernet = os.path.join(build_dir(), "launcher", "usernet")
        if os.path.exists(usernet) and "/bin/usernet" not in destinations:
            a.file("bin/usernet", read_file(usernet, "usernet")[0], 0o755)
            for library in shared_libraries(usernet):
                a.file(library, read_file(library, "library")[0], 0o755)
        module = self.module = find_module(request, kernel)
        if module:
            a.file("lib/lg.ko", read_file(module, "module")[0])
        wanted = request.load + (modules.CARD if request.net is not None or request.forward else ())
        load = []
        for name, data in kernels.modules_for(kernel, wanted) if wanted else ():
            load.append("/lib/%s.ko" % name)
            a.file(load[-1], data)
        for here, there in request.files:
            data, executable = read_file(here, "file")
            a.file(there, data, 0o755 if executable else 0o644)

        rows, cols = self.terminal.size() if self.terminal else (24, 80)
        for path in request.directories + (request.directory,):
            a.directory(path)
        conf = {
            "NONCE": self.nonce,
            "DIRECTORY": request.directory,
            "MODULE": "/lib/lg.ko" if module else "",
            "LOAD": " ".join(load),
            "CARD": "" if request.net is None else "yes",
            "WIRE": "" if not request.forward else "eth0" if request.net is None else "eth1",
            "MODULE_ARGS": request.module_args,
            "KEEP_MODULE": "yes" if request.keep_module else "",
            "TTY": "yes" if request.tty else "",
            "RAW_OUTPUT": "" if os.isatty(1) else "yes",
            "STDIN": "yes" if request.stdin else "",
            "SPLIT": "yes" if request.split else "",
            "WANT_LOG": "yes" if request.log else "",
            "ROWS": str(rows),
            "COLS": str(cols),
            "COLLECT_MOST": "" if request.collect_most is None else str(request.collect_most),
            "COLLECT": " ".join(str(i) for i in range(len(request.collect))),
        }
        for i, (there, _) in enumerate(request.collect):
            conf["COLLECT_%d" % i] = there
            conf["OURS_%d" % i] = "yes" if there in destinations else ""
        a.file(
            "etc/nested.conf",
            "".join("%s=%s\n" % (k, shlex.quote(v)) for k, v in conf.items()).encode(),
        )
        term = os.environ.get("TERM", "dumb") if request.tty else "dumb"
        a.file(
            "etc/command",
            (
                "#!/bin/busybox sh\nexport TERM=%s LG_NESTED=1\nunset NONCE\n"
                "echo $$ >/run/command\nexec %s\n"
                % (shlex.quote(term), " ".join(map(shlex.quote, request.command)))
            ).encode(),
            0o755,
        )
        return a.bytes()

    def arguments(self, qemu, kernel, use_kvm, initrd_fd, serial_fds, look_fd):
        """QEMU's command line."""
        request = self.request
        append = BASE_ARGUMENTS
        if request.smp > 1 and not use_kvm:
            append += EVENT_AT_BOOT
        cpu = request.cpu
        if not use_kvm and TCG_CPU_WITHOUT not in cpu:
            cpu += ",-" + TCG_CPU_WITHOUT
        args = [
            qemu, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-machine", "pc", "-cpu", cpu, "-smp", str(request.smp),
            "-m", str(request.memory), "-kernel", kernel.image,
            "-initrd", "/proc/self/fd/%d" % initrd_fd,
        ]
        if request.icount:
            # Time is counted in instructions, and nothing depends on the day.
            args += ["-accel", "tcg", "-icount", "shift=0,sleep=off"]
            args += ["-rtc", "base=2026-01-01T00:00:00,clock=vm", "-seed", "1"]
            append += " nokaslr"
        else:
            args += ["-accel", "kvm" if use_kvm else "tcg"]
        irqs = (4, 3, 5, 7)
        bases = (0x3F8, 0x2F8, 0x3E8, 0x2E8)
        for i, fd in enumerate(serial_fds):
            args += ["-chardev", "socket,id=s%d,fd=%d" % (i, fd)]
            args += [
                "-device",
                "isa-serial,chardev=s%d,index=%d,iobase=%d,irq=%d" % (i, i, bases[i], irqs[i]),
            ]
        args += ["-chardev", "socket,id=look,fd=%d" % look_fd, "-mon", "chardev=look,mode=control"]
        if request.net is not None:
            args += ["-netdev", "user,id=net0,ipv6=off" + (request.net and "," + request.net)]
            args += ["-device", "virtio-net-pci,netdev=net0,romfile="]
        if request.forward:
            # Not the network of the card above, which may be the Guest's.
            args += ["-netdev", "user,id=wire,ipv6=off,restrict=on,net=10.0.9.0/24,"
                     "hostfwd=tcp:127.0.0.1:%d-10.0.9.15:%d"
                     % (request.forward, request.forward)]
            args += ["-device", "virtio-net-pci,netdev=wire,romfile="]
        if request.monitor:
            args += ["-chardev", "socket,id=mon,path=%s,server=on,wait=off"
                     % request.monitor.replace(",", ",,")]
            args += ["-mon", "chardev=mon,mode=readline"]
        if request.gdb_host:
            args += ["-gdb", "tcp:127.0.0.1:%d" % request.gdb_host]
            if not request.icount:
                append += " nokaslr"
        if request.append:
            append += " " + request.append
        return args + ["-append", append]

    # -- running ------------------------------------------------------------

    def run(self):
        """Boot, run, tidy up.  Returns the exit status for our caller."""
        request = self.request
        kernel = kernels.select(request.kernel)
        qemu = find_program(
            os.environ.get("LG_QEMU", "qemu-system-x86_64"), "qemu-system-x86", "E-QEMU-01"
        )
        archive = self.archive(kernel)
        if request.monitor and os.path.exists(request.monitor):
            raise NestedError("--monitor %s: exists already" % request.monitor, 2)
        use_kvm = not request.icount and accel.kvm_works(qemu, kernel)

        initrd_fd = os.memfd_create("initramfs", 0)
        os.set_inheritable(initrd_fd, True)
        view = memoryview(archive)
        while view:
            view = view[os.write(initrd_fd, view):]
        pairs = [socket.socketpair() for _ in range(5)]
        ours = [p[0] for p in pairs]
        theirs = [p[1] for p in pairs]
        self.look_in = ours.pop()
        command = self.arguments(
            qemu, kernel, use_kvm, initrd_fd, [s.fileno() for s in theirs[:4]], theirs[4].fileno()
        )
        if os.environ.get("LG_VERBOSE"):
            say(" ".join(map(shlex.quote, command)))

        caught = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
        before = {}
        wake_r, wake_w = os.pipe()
        for fd in (wake_r, wake_w):
            os.set_blocking(fd, False)
        old_wakeup = signal.set_wakeup_fd(wake_w, warn_on_full_buffer=False)
        for number in caught + (signal.SIGWINCH, signal.SIGCHLD, signal.SIGUSR1, signal.SIGUSR2):
            before[number] = signal.signal(number, lambda *_: None)
        try:
            if self.terminal and sys.stderr.isatty():
                say("Linux %s comes up, in a machine of its own; Ctrl-A x leaves" % kernel.release)
            self.qemu = start_qemu(command, [initrd_fd] + [s.fileno() for s in theirs])
            for s in theirs:
                s.close()
            os.close(initrd_fd)
            if self.terminal:
                self.terminal.enter()
            try:
                return self.loop(ours, wake_r, kernel)
            finally:
                if self.terminal:
                    self.terminal.leave()
                self.tell_what_is_lost()
        except Interrupted as e:
            say("stopped by %s" % signal.Signals(e.number).name)
            self.have_a_look(only_host=True)
            self.write_log()
            return 128 + e.number
        finally:
            if self.qemu:
                end_qemu(self.qemu)
                self.qemu.stderr.close()
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(old_wakeup)
            os.close(wake_r)
            os.close(wake_w)
            for s in ours + [self.look_in]:
                s.close()
            if request.monitor and os.path.exists(request.monitor):
                os.unlink(request.monitor)

    def loop(self, ours, wake_r, kernel):
        request = self.request
        console, command, control, errors = ours
        selector = selectors.PollSelector()  # unlike epoll it takes regular files
        for s in ours:
            s.setblocking(False)
            selector.register(s, selectors.EVENT_READ, "serial")
        os.set_blocking(self.qemu.stderr.fileno(), False)
        selector.register(self.qemu.stderr, selectors.EVENT_READ, "qemu")
        selector.register(wake_r, selectors.EVENT_READ, "signal")
        if self.terminal:
            selector.register(0, selectors.EVENT_READ, "terminal")
        self.deadline = time.monotonic() + request.timeout if request.timeout else None
        boot_deadline = time.monotonic() + BOOT_PATIENCE

        sinks = {console: self.console.add, command: out_to(1), errors: out_to(2)}
        while True:
            ends = [d for d in (self.deadline, None if self.booted else boot_deadline) if d is not None]
            events = selector.select(max(0, min(ends) - time.monotonic()) if ends else None)
            if not self.booted and time.monotonic() >= boot_deadline:
                raise DiedBooting
            if self.deadline is not None and time.monotonic() >= self.deadline:
                self.drain(sinks)
                self.finish_terminal()
                if self.leaving is not None:
                    say("the machine does not answer")
                    self.have_a_look()
                    return self.leaving
                say("time-out: %s s are over, the machine was stopped" % fmt(request.timeout))
                self.have_a_look()
                self.write_log()
                self.show_trouble(self.console)
                return EXIT_TIMEOUT
            for key, mask in events:
                if key.data == "signal":
                    for number in os.read(wake_r, 64):
                        if number == signal.SIGWINCH and self.terminal:
                            self.send(selector, control, b"winsize %d %d\n" % self.terminal.size())
                        elif number == signal.SIGUSR1:
                            self.send(selector, control, b"usr1\n")
                        elif number == signal.SIGUSR2:
                            self.send(selector, control, b"usr2\n")
                        elif number not in (signal.SIGWINCH, signal.SIGCHLD):
                            self.drain(sinks)
                            if not self.leave(selector, control, 128 + number):
                                raise Interrupted(number)
                elif key.data == "terminal":
                    typed, leave = self.terminal.read()
                    if leave:
                        self.finish_terminal()
                        if self.leave(selector, control, 0):
                            selector.unregister(0)
                            continue
                        say("left the machine")
                        self.have_a_look(only_host=True)
                        return 0
                    self.send(selector, command, typed)
                elif key.data == "stdin":
                    data = os.read(0, INPUT_PORTION)
                    self.send(selector, command, b"%d\n" % len(data) + data)
                    selector.unregister(0)
                elif key.data == "qemu":
                    data = self.qemu.stderr.read()
                    if data:
                        self.qemu_says.add(data)
                    elif data is not None:
                        selector.unregister(self.qemu.stderr)
                elif key.data == "serial":
                    s = key.fileobj
                    if mask & selectors.EVENT_WRITE:
                        self.flush(selector, s)
                    if mask & selectors.EVENT_READ:
                        data = receive(s)
                        if not data:
                            if data is not None:
                                selector.unregister(s)
                                self.pending.pop(s, None)
                        elif s is control:
                            self.hear(data)
                            if self.leaving is not None:  # it comes
                                self.deadline = time.monotonic() + LEAVE_PATIENCE
                        else:
                            sinks[s](data)
            if self.more:
                self.more = False
                selector.register(0, selectors.EVENT_READ, "stdin")
            if self.ended:
                self.drain(sinks)
                return self.verdict(kernel)
            if self.qemu.poll() is not None:
                self.drain(sinks)
                self.hear(receive(control) or b"")
                if self.ended:
                    return self.verdict(kernel)
                if self.qemu.returncode == 0 and not self.booted:
                    raise DiedBooting
                how = "stopped"
                if self.qemu.returncode < 0:
                    how = "was killed by " + signal.Signals(-self.qemu.returncode).name
                return self.failed("the machine %s before it gave a verdict" % how)

    def leave(self, selector, control, status):
        """Somebody wants to go.  True: not yet, first what was written must come out."""
        if self.leaving is not None:
            # timeout(1) and shells send a signal to us and then to all of our group.
            return time.monotonic() < self.asked_again
        if not self.request.collect or not self.started:
            return False
        self.leaving = status
        self.asked_again = time.monotonic() + 1
        self.deadline = time.monotonic() + LEAVE_PATIENCE
        say("waiting for what was written in the machine; %s gives that up"
            % ("Ctrl-C" if self.request.tty else "a second signal"))
        self.send(selector, control, b"stop\n")
        return True

    def tell_what_is_lost(self):
        """The machine is gone.  Did it take something along?"""
        for i, (_, here) in enumerate(self.request.collect):
            if self.started and i not in self.settled:
                say("%s: what was written in the machine did not come out; %s" % (
                    here, "it is as it was" if os.path.exists(here) else "there is none"))

    def send(self, selector, s, data):
        """Queue bytes for a serial line; the loop writes them as they fit."""
        if data:
            self.pending.setdefault(s, bytearray()).extend(data)
            self.flush(selector, s)

    def flush(self, selector, s):
        queue = self.pending.get(s)
        while queue:
            try:
                del queue[: s.send(queue)]
            except BlockingIOError:
                break
            except OSError:
                queue.clear()
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if queue else 0)
        try:
            selector.modify(s, events, "serial")
        except KeyError:
            pass

    def drain(self, sinks):
        """Take what is there already on every line but the control line."""
        for s, sink in sinks.items():
            while True:
                data = receive(s)
                if not data:
                    break
                sink(data)

    def hear(self, data):
        """Understand the control line."""
        self.control.extend(data)
        while True:
            if self.wanted:
                kind, left, kept = self.wanted
                piece = self.control[:left]
                del self.control[:left]
                kept.add(piece)
                self.wanted = (kind, left - len(piece), kept)
                if len(piece) < left:
                    return
                self.wanted = None
                self.deliver(kind, kept)
            line, newline, _ = self.control.partition(b"\n")
            if not newline:
                if len(line) > CONTROL_MOST:
                    self.control.clear()  # not ours
                return
            del self.control[: len(line) + 1]
            words = line.decode("utf-8", "replace").split(" ")
            if words[:2] != ["LG", self.nonce]:
                continue
            self.obey(words[2], words[3:])

    def obey(self, word, rest):
        if word == "booted":
            self.booted = True
        elif word == "status":
            self.status = int(rest[0])
        elif word == "nocard":
            say("the nested Linux has no network card: %s" % " ".join(rest))
        elif word == "insmod":
            self.insmod_error = " ".join(rest)
        elif word == "rmmod":
            self.rmmod_error = None if rest == ["ok"] else " ".join(rest)
        elif word == "file":
            most = self.request.collect_most
            self.wanted = (int(rest[0]), max(0, int(rest[1])),
                           Kept(most and most + 200))  # it was cut in there, unless that lies
        elif word == "short":
            say("%s has %s bytes; only the first and the last %s are kept"
                % (" ".join(rest[2:]), rest[0], rest[1]))
        elif word == "nofile":
            self.missing.append(int(rest[0]))
            self.settled.add(int(rest[0]))
        elif word == "same":
            self.settled.add(int(rest[0]))
        elif word == "section" and re.fullmatch("0x[0-9a-f]{1,16}", rest[-1]):
            self.sections[rest[0]] = int(rest[-1], 16)
        elif word == "ready":  # from now on the command may write
            self.started = True
        elif word == "log":
            self.wanted = ("log", max(0, int(rest[0])), Kept(CONSOLE_MOST))
        elif word == "complaint":
            self.complaint = int(rest[0])
        elif word == "more":
            self.more = True
        elif word == "end":
            self.ended = True

    def deliver(self, kind, data):
        if kind == "log":
            self.log = data
            return
        there, path = self.request.collect[kind]
        self.settled.add(kind)
        if data.left_out:
            say("%s has %d bytes; only the first and the last %d are kept"
                % (there, data.total, data.half))
        try:
            replace_file(path, bytes(data))
        except OSError as e:
            say("can't write %s: %s; it is as it was" % (path, e.strerror))
            self.status = self.status or EXIT_MACHINE

    # -- endings ------------------------------------------------------------

    def finish_terminal(self):
        if self.terminal:
            self.terminal.leave()
            sys.stderr.write("\n")

    def verdict(self, kernel):
        if self.terminal:
            self.terminal.leave()
        if self.insmod_error is not None:
            return self.failed("lg.ko for %s: %s" % (kernel.release, self.insmod_error))
        self.write_log()
        for i in self.missing:
            say("there was no %s to collect" % self.request.collect[i][0])
        if self.rmmod_error:
            say("rmmod lg: %s" % self.rmmod_error)
        if self.complaint:
            self.show_trouble(self.log)
        if self.leaving is not None:
            return self.leaving
        if self.status is None:
            return self.failed("the machine ended without a status")
        return self.status

    def failed(self, why):
        self.finish_terminal()
        say(why)
        self.write_log()
        self.show_trouble(self.log if self.log is not None else self.console)
        return EXIT_MACHINE

    def write_log(self):
        """--log FILE: the dmesg if the machine lived to send it, else its console."""
        text = bytes(self.log if self.log is not None else self.console)
        if self.qemu_says.total and self.log is None:
            text += b"\n[qemu] " + bytes(self.qemu_says)
        if self.request.log:
            try:
                with open(self.request.log, "wb") as f:
                    f.write(text)
            except OSError as e:
                say("can't write %s: %s" % (self.request.log, e.strerror))

    def show_trouble(self, log):
        """What is wrong with the nested kernel: in words, if it said so itself."""
        text = bytes(log or b"")
        report = oops.explain(text.decode("utf-8", "replace"), self.module)
        if not report:
            self.show_tail(text + (b"\n[qemu] " + bytes(self.qemu_says)
                           if self.qemu_says.total else b""))
            return
        self.request.report = report
        say(report.sentence)
        for line in report.lines():
            sys.stderr.write("  %s\n" % line)
        path = self.request.log
        if not path:
            path = os.path.join(build_dir(), "nested-kernel.log")
            try:
                with open(path, "wb") as f:
                    f.write(text)
            except OSError as e:
                say("can't write %s: %s" % (path, e.strerror))
                self.show_tail(text)
                return
        sys.stderr.write("  all that the nested kernel said: %s\n" % os.path.relpath(path))
        sys.stderr.flush()

    def have_a_look(self, only_host=False):
        """It is about to be stopped: where is it?  only_host: no word unless the Host is stuck."""
        report = stuck.examine(self.look_in, self.request.smp, self.module, self.sections,
                               only_host)
        if not report:
            return
        say(report.sentence)
        if report.in_host:
            self.request.report = report
            for line in report.lines():
                sys.stderr.write("  %s\n" % line)
            sys.stderr.flush()

    def show_tail(self, text):
        lines = (text or b"").decode("utf-8", "replace").replace("\r", "").splitlines()
        for line in lines[-LOG_TAIL_LINES:]:
            sys.stderr.write("  | %s\n" % line)
        sys.stderr.flush()


def run_machine(request):
    """Boot, run, tidy up; the exit status for our caller.

    About one boot in fifty with two CPUs ends in an `Oops: int3`: Linux changes its own
    code while it boots, and an emulator with a thread for each CPU does not always notice
    in time.  Nothing of ours has run by then, so the machine is simply started again, and
    so is one that does not come up at all.
    """
    for attempt in range(BOOT_TRIES):
        machine = Machine(request)
        try:
            return machine.run()
        except DiedBooting:
            if attempt + 1 < BOOT_TRIES:
                say("the nested kernel died while it booted; trying once more")
    return machine.failed("the nested kernel died while it booted, %d times in a row" % BOOT_TRIES)


def start_qemu(command, fds):
    """Start QEMU so that it can't outlive us, not even after a SIGKILL."""
    libc = ctypes.CDLL(None)
    parent = os.getpid()

    def in_child():
        os.setpgrp()  # Ctrl-C is for us; we decide what becomes of QEMU
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, pass_fds=fds, preexec_fn=in_child,
    )


def end_qemu(process):
    """
    End it for good.  What we started may be a wrapper (LG_QEMU) with the real one as its child:
    that goes first, so that somebody is left to wait for it, and its seconds of CPU are ours.
    """
    try:
        with open("/proc/%d/task/%d/children" % (process.pid, process.pid), encoding="ascii") as f:
            children = f.read().split()
        for pid in children:
            os.kill(int(pid), signal.SIGKILL)
        if children:
            process.wait(1)
    except (OSError, subprocess.TimeoutExpired):
        pass
    process.kill()
    process.wait()


def receive(s):
    """Bytes, b"" at the end, None if nothing is there now."""
    try:
        return s.recv(65536)
    except BlockingIOError:
        return None
    except OSError:
        return b""


def out_to(fd):
    """A sink that writes everything to our own descriptor `fd`."""

    def sink(data):
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(fd, view):]
            except BlockingIOError:
                time.sleep(0.01)

    return sink


def replace_file(path, data):
    """All of it or nothing: a full disk or a power cut must not leave half a file."""
    final = os.path.realpath(path)
    try:
        old = os.stat(final)
    except FileNotFoundError:
        old = None
    if old and not stat.S_ISREG(old.st_mode):
        with open(final, "wb") as f:  # /dev/stdout, a pipe
            f.write(data)
        return
    fd, aside = tempfile.mkstemp(prefix=os.path.basename(final) + ".", dir=os.path.dirname(final))
    try:
        with open(fd, "wb") as f:
            f.write(data)
            f.flush()
            if old:
                os.fchmod(fd, stat.S_IMODE(old.st_mode))
                if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
                    os.fchown(fd, old.st_uid, old.st_gid)
            else:
                mask = os.umask(0)
                os.umask(mask)
                os.fchmod(fd, 0o666 & ~mask)
            os.fsync(fd)
        os.replace(aside, final)
    except BaseException:
        os.unlink(aside)
        raise


def fmt(seconds):
    return "%g" % seconds
