# SPDX-License-Identifier: MIT
"""A debugger in a hundred lines: gdb's remote protocol, from gdb's side.

It shares nothing with launcher/gdb*.c but the manual (gdb, appendix E).
"""

import socket
import struct
import time

NAMES = "eax ecx edx ebx esp ebp esi edi eip eflags cs ss ds es fs gs".split()


class Gone(Exception):
    """The other end has hung up."""


class Debugger:
    def __init__(self, port, patience=150):
        self.socket = None
        end = time.time() + patience
        while self.socket is None:
            try:
                self.socket = socket.create_connection(("127.0.0.1", port), 5)
                self.socket.settimeout(patience)
                self.features = self.ask("qSupported:swbreak+")
            except (OSError, Gone):
                # The nested machine's port is open before anybody listens behind it.
                if self.socket:
                    self.socket.close()
                self.socket = None
                if time.time() > end:
                    raise
                time.sleep(0.3)

    def close(self):
        self.socket.close()

    def _byte(self):
        c = self.socket.recv(1)
        if not c:
            raise Gone("the Launcher hung up")
        return c

    def send(self, text):
        data = text.encode("latin-1")
        self.socket.sendall(b"$" + data + b"#%02x" % (sum(data) % 256))

    def receive(self):
        while True:
            while self._byte() != b"$":
                pass
            data = b""
            while True:
                c = self._byte()
                if c == b"#":
                    break
                data += c
            given = int(self._byte() + self._byte(), 16)
            if given == sum(data) % 256:
                self.socket.sendall(b"+")
                return data.decode("latin-1")
            self.socket.sendall(b"-")

    def ask(self, text):
        self.send(text)
        return self.receive()

    def interrupt(self):
        self.socket.sendall(b"\x03")
        return self.receive()

    def registers(self):
        raw = self.ask("g")
        return dict(zip(NAMES, struct.unpack("<16I", bytes.fromhex(raw[:128]))))

    def set_register(self, name, value):
        return self.ask("P%x=%s" % (NAMES.index(name), struct.pack("<I", value).hex()))

    def read(self, address, length):
        answer = self.ask("m%x,%x" % (address, length))
        return None if answer.startswith("E") else bytes.fromhex(answer)

    def write(self, address, data):
        return self.ask("M%x,%x:%s" % (address, len(data), data.hex()))

    def breakpoint(self, address, on=True):
        return self.ask("%s0,%x,1" % ("Z" if on else "z", address))

    def go(self):
        return self.ask("vCont;c")

    def step(self):
        return self.ask("vCont;s:1")
