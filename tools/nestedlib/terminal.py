# SPDX-License-Identifier: MIT
#P:350 The terminal passed through
#
# With --tty your terminal becomes the terminal of the nested machine: every key goes
# in as it is typed, also Ctrl-C, and the size of the window goes along.  That needs
# *raw mode*, and a raw terminal that is not put back makes for an unhappy evening.
# So it is put back on every way out; even `kill -9` is one, for which a second process
# stands by that does nothing but wait for our end.  The one key that we keep for
# ourselves is Ctrl-A: then `x` leaves, and a second Ctrl-A sends one in.
#:*
"""Raw mode, window size and the Ctrl-A key of the user's own terminal."""

import fcntl
import os
import signal
import struct
import termios
import tty

CTRL_A = 0x01


class Terminal:
    """The terminal on `fd`, raw between enter() and leave()."""

    # After --map: no scrolling region any more, and the cursor on the last line.
    WHOLE_SCREEN = b"\x1b[?6l\x1b[r\x1b[999;1H"

    def __init__(self, fd=0, divided=False):
        self.fd = fd
        self.divided = divided
        self.saved = None
        self.after_ctrl_a = False

    def enter(self):
        self.saved = termios.tcgetattr(self.fd)
        read_end, self.life_line = os.pipe()
        self.guardian = os.fork()
        if self.guardian == 0:
            os.close(self.life_line)
            self._guard(read_end)
        os.close(read_end)
        tty.setraw(self.fd)

    def _guard(self, read_end):
        """In the second process: put the terminal back if our parent just vanishes."""
        try:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT,
                           signal.SIGTTOU, signal.SIGTSTP, signal.SIGPIPE):
                signal.signal(number, signal.SIG_IGN)
            signal.set_wakeup_fd(-1)
            for fd in (1, 2):
                os.dup2(self.fd, fd)  # whoever waits for our output's end is not kept waiting
            os.closerange(3, read_end)
            os.closerange(read_end + 1, 256)
            if not os.read(read_end, 1):
                self._unite()
                termios.tcsetattr(self.fd, termios.TCSANOW, self.saved)
        finally:
            os._exit(0)

    def _unite(self):
        if self.divided and os.isatty(1):
            os.write(1, self.WHOLE_SCREEN)

    def leave(self):
        """Restore the terminal; safe to call at any time and more than once."""
        if self.saved is None:
            return
        try:
            self._unite()
            # Not "drain": that would wait for a reader that may be gone.
            termios.tcsetattr(self.fd, termios.TCSANOW, self.saved)
        except (termios.error, OSError):
            pass  # hung up: there is no terminal any more
        self.saved = None
        os.write(self.life_line, b"x")
        os.close(self.life_line)
        os.waitpid(self.guardian, 0)

    def size(self):
        """(rows, columns); a terminal that doesn't know them gets 24 by 80."""
        try:
            packed = fcntl.ioctl(self.fd, termios.TIOCGWINSZ, b"\0" * 8)
        except OSError:
            return 24, 80
        rows, cols = struct.unpack("HHHH", packed)[:2]
        return rows or 24, cols or 80

    def read(self):
        """(bytes for the machine, True if the user wants to leave)."""
        try:
            typed = os.read(self.fd, 4096)
        except OSError:
            typed = b""
        if not typed:
            return b"", True  # the terminal is gone
        out = bytearray()
        for byte in typed:
            if self.after_ctrl_a:
                self.after_ctrl_a = False
                if byte in b"xX":
                    return bytes(out), True
                if byte != CTRL_A:
                    out.append(CTRL_A)
                out.append(byte)
            elif byte == CTRL_A:
                self.after_ctrl_a = True
            else:
                out.append(byte)
        return bytes(out), False
