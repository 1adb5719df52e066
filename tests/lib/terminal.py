# SPDX-License-Identifier: MIT
"""A terminal without a person: types, reads, and looks whether it is left as it was."""

import os
import pty
import re
import select
import signal
import termios
import time


class Terminal:
    def __init__(self, words):
        self.words = words

    def __enter__(self):
        self.master, self.slave = pty.openpty()
        self.before = termios.tcgetattr(self.slave)
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.setsid()
                import fcntl
                fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
                for fd in (0, 1, 2):
                    os.dup2(self.slave, fd)
                os.closerange(3, 256)
                os.environ["TERM"] = "vt100"
                os.execv(self.words[0], self.words)
            finally:
                os._exit(127)
        self.seen = b""
        self.at = 0
        self.status = None
        return self

    def __exit__(self, *_):
        if self.status is None:
            for sig in (signal.SIGTERM, signal.SIGKILL):
                try:
                    os.killpg(self.pid, sig)
                except ProcessLookupError:
                    break
                if self.wait(5) is not None:
                    break
        os.close(self.master)
        os.close(self.slave)

    def read(self, seconds):
        ready, _, _ = select.select([self.master], [], [], seconds)
        if ready:
            try:
                self.seen += os.read(self.master, 65536)
            except OSError:
                pass

    def expect(self, pattern, seconds):
        """Wait for a pattern after what was expected last.  -> did it come?"""
        deadline = time.time() + seconds
        regex = re.compile(pattern, re.S)
        while True:
            m = regex.search(self.seen, self.at)
            if m:
                self.at = m.end()
                return True
            if time.time() > deadline:
                return False
            self.read(0.1)

    def send(self, data):
        os.write(self.master, data)

    def wait(self, seconds):
        deadline = time.time() + seconds
        while time.time() < deadline:
            self.read(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.WEXITSTATUS(status) if os.WIFEXITED(status) \
                    else 128 + os.WTERMSIG(status)
                return self.status
        return None

    def tail(self):
        return self.seen[-200:]

    def same_settings(self):
        return termios.tcgetattr(self.slave) == self.before
