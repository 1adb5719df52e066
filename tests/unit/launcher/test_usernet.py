#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""usernet, the neighbour who plays the Internet, spoken to in frames.

    test_usernet.py USERNET [WORD]
prints `ok NAME` or `not ok NAME: why`; WORD: "cell" if it is expected to sit in one.
The frames are put together here, from RFC 826, 791, 768, 793 and 2131; the servers that
it is to reach are this process's own.
"""
import os
import random
import socket
import struct
import subprocess
import sys
import threading
import time

USERNET = os.path.abspath(sys.argv[1])
PREFIX = "usernet-plain" if "cell" in sys.argv[2:] else "usernet"
PATIENCE = 20
ME, GATEWAY, DNS = (bytes((10, 0, 2, n)) for n in (15, 2, 3))
MAC = b"\x02lg\0\2\x0f"
tests = []


def test(f):
    tests.append(f)
    return f


class Bad(Exception):
    pass


def expect(condition, why):
    if not condition:
        raise Bad(why)


def total(data):
    data += b"\0" * (len(data) % 2)
    n = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while n >> 16:
        n = (n & 0xffff) + (n >> 16)
    return n ^ 0xffff


class Wire:
    """A usernet and the Guest's end of its wire."""

    def __init__(self, option="user", user=None):
        self.end, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.end.settimeout(PATIENCE)
        words = [USERNET, option, "quiet"] + ([user] if user else [])

        def at_three():
            os.dup2(theirs.fileno(), 3)

        self.process = subprocess.Popen(words, preexec_fn=at_three, close_fds=False,
                                        stdin=subprocess.DEVNULL)
        theirs.close()
        greeting = self.end.recv(4096)
        self.status = struct.unpack_from("i", greeting)[0]
        self.text = greeting[4:].split(b"\0")[0].decode()
        self.gateway_mac = None
        self.streams = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end.close()
        self.ended = self.process.wait(PATIENCE)

    def frame(self, kind, data, to=None):
        self.end.send((to or self.gateway_mac) + MAC + struct.pack("!H", kind) + data)

    def next(self, kind):
        """The next frame of that type; questions for our address are answered."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            f = self.end.recv(4096)
            got = struct.unpack_from("!H", f, 12)[0]
            if got == 0x806 and f[20:22] == b"\0\1" and f[38:42] == ME:
                self.frame(0x806, bytes.fromhex("0001080006040002") + MAC + ME + f[22:32], f[6:12])
            if got == kind:
                return f[14:]
        raise Bad("no frame came")

    def hello(self):
        """Learn the gateway's address, and it learns ours."""
        self.frame(0x806, bytes.fromhex("0001080006040001") + MAC + ME + bytes(6) + GATEWAY,
                   b"\xff" * 6)
        answer = self.next(0x806)
        expect(answer[6:8] == b"\0\2" and answer[14:18] == GATEWAY, answer.hex())
        self.gateway_mac = answer[8:14]

    def packet(self, proto, data, to=GATEWAY, source=ME, mac=None):
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(data), 7, 0, 64, proto, 0) + source + to
        head = head[:10] + struct.pack("!H", total(head)) + head[12:]
        self.frame(0x800, head + data, mac)

    def incoming(self, proto):
        """(sender, payload) of the next packet; its sums are checked."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            p = self.next(0x800)
            size = struct.unpack_from("!H", p, 2)[0]
            expect(total(p[:20]) == 0, "a wrong IP sum")
            if p[9] == proto:
                data = p[20:size]
                if proto == 1:
                    expect(total(data) == 0, "a wrong ICMP sum")
                elif proto == 6 or data[6:8] != b"\0\0":
                    expect(total(p[12:20] + struct.pack("!HH", proto, len(data)) + data) == 0,
                           "a wrong sum")
                return p[12:16], data
        raise Bad("no packet came")

    def datagram(self, port, data, to=GATEWAY, own=5000, **more):
        self.packet(17, struct.pack("!HHHH", own, port, 8 + len(data), 0) + data, to, **more)

    def segment(self, own, port, seq, ack, flags, data=b"", to=GATEWAY):
        head = struct.pack("!HHIIBBHHH", own, port, seq & 0xffffffff, ack & 0xffffffff, 5 << 4,
                           flags, 32000, 0, 0)
        check = total(ME + to + struct.pack("!HH", 6, len(head + data)) + head + data)
        self.packet(6, head[:16] + struct.pack("!HH", check, 0) + data, to)


FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


class Stream:
    """As little of TCP as will do on a wire that loses nothing."""

    def __init__(self, wire, own, port):
        self.wire, self.own, self.port = wire, own, port
        self.seq = random.getrandbits(32)
        self.ack = 0
        self.data = b""
        self.ended = False
        wire.streams[own] = self

    def connect(self):
        self.wire.segment(self.own, self.port, self.seq, 0, SYN)
        self.seq += 1
        while not self.ack:
            self.take()

    def accept(self):
        """The other side calls: its SYN is the next thing that comes."""
        _, t = self.wire.incoming(6)
        self.port, self.own, seq = struct.unpack_from("!HHI", t)
        self.wire.streams[self.own] = self
        expect(t[13] == SYN, f"flags {t[13]} instead of SYN")
        self.ack = seq + 1
        self.wire.segment(self.own, self.port, self.seq, self.ack, SYN | ACK)
        self.seq += 1

    def send(self, data, flags=ACK):
        self.wire.segment(self.own, self.port, self.seq, self.ack, flags, data)
        self.seq += len(data) + bool(flags & FIN)

    def take(self):
        """The next segment: it may be another stream's."""
        _, t = self.wire.incoming(6)
        own = struct.unpack_from("!H", t, 2)[0]
        expect(own in self.wire.streams, f"a segment for port {own}")
        self.wire.streams[own].handle(t)

    def handle(self, t):
        seq = struct.unpack_from("!I", t, 4)[0]
        flags, data = t[13], t[(t[12] >> 4) * 4:]
        expect(not flags & RST, f"port {self.own} was reset")
        if not self.ack:
            expect(flags == SYN | ACK, f"the answer to SYN has flags {flags}")
            self.ack = seq + 1
            self.send(b"")
        elif seq == self.ack & 0xffffffff and (data or flags & FIN):
            self.data += data
            self.ack += len(data) + bool(flags & FIN)
            self.ended |= bool(flags & FIN)
            self.send(b"")
        elif data:
            self.send(b"")

    def read(self, count):
        end = time.monotonic() + PATIENCE
        while len(self.data) < count and not self.ended:
            expect(time.monotonic() < end, f"{len(self.data)} of {count} bytes came")
            self.take()
        data, self.data = self.data[:count], self.data[count:]
        return data


def background(f):
    thread = threading.Thread(target=f, daemon=True)
    thread.start()
    return thread


# ---- The Guest calls -------------------------------------------------------------------

@test
def gateway():
    with Wire() as w:
        expect(w.status == 0, w.text)
        w.hello()
        expect(w.gateway_mac == b"\x52\x55\x0a\0\2\2", w.gateway_mac.hex())
        w.packet(1, b"\x08\0" + struct.pack("!H", total(b"\x08\0\0\0abcd" + b"x" * 50)) + b"abcd" +
                 b"x" * 50)
        sender, answer = w.incoming(1)
        expect(sender == GATEWAY and answer[0] == 0 and answer[4:] == b"abcd" + b"x" * 50,
               answer.hex())
    expect(w.ended == 0, f"it ended with {w.ended}")


@test
def addresses_by_dhcp():
    """DISCOVER and OFFER (RFC 2131): address, mask, gateway and DNS server."""
    with Wire() as w:
        body = struct.pack("!BBBBIHH", 1, 1, 6, 0, 0x1234, 0, 0) + bytes(16) + MAC + bytes(10 + 192)
        body += b"\x63\x82\x53\x63" + b"\x35\1\1\xff"
        w.datagram(67, body.ljust(300, b"\0"), to=b"\xff" * 4, own=68, source=bytes(4),
                   mac=b"\xff" * 6)
        _, answer = w.incoming(17)
        offer = answer[8:]
        expect(offer[0] == 2 and offer[4:8] == struct.pack("!I", 0x1234), offer.hex())
        expect(offer[16:20] == ME, f"offers {offer[16:20].hex()}")
        for option in (b"\x35\1\2", b"\1\4\xff\xff\xff\0", b"\3\4" + GATEWAY, b"\6\4" + DNS):
            expect(option in offer[240:], f"{option.hex()} is not in {offer[240:300].hex()}")


@test
def datagrams():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, Wire() as w:
        server.bind(("127.0.0.1", 0))
        server.settimeout(PATIENCE)
        w.hello()
        for n in (1, 100, 1472):
            w.datagram(server.getsockname()[1], b"q" * n)
            data, who = server.recvfrom(4096)
            expect(data == b"q" * n, f"{len(data)} of {n} bytes arrived")
            server.sendto(b"a" * n, who)
            sender, answer = w.incoming(17)
            expect(sender == GATEWAY and answer[8:] == b"a" * n, f"{n}: {answer[:20].hex()}")


@test
def stream():
    """There and back: a small word, and a quarter of a megabyte."""
    blob = random.randbytes(250000)
    got = []

    def serve():
        c, _ = listener.accept()
        c.settimeout(PATIENCE)
        with c:
            got.append(c.recv(100))
            c.sendall(blob)
            got.append(c.recv(100))
            got.append(c.recv(100))

    with socket.create_server(("127.0.0.1", 0)) as listener, Wire() as w:
        server = background(serve)
        w.hello()
        s = Stream(w, 4000, listener.getsockname()[1])
        s.connect()
        s.send(b"GET", ACK | PSH)
        expect(s.read(len(blob)) == blob, "other bytes came")
        s.send(b"thanks", ACK | PSH)
        s.send(b"", ACK | FIN)
        server.join(PATIENCE)
        expect(got == [b"GET", b"thanks", b""], f"the server got {got}")


@test
def many_streams():
    """Sixty connections at once: the list of descriptors must grow."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener, Wire() as w:
        w.hello()
        streams = [Stream(w, 6000 + i, listener.getsockname()[1]) for i in range(60)]
        peers = []
        for s in streams:
            s.connect()
            peers.append(listener.accept()[0])
        for i, (s, p) in enumerate(zip(streams, peers)):
            p.sendall(b"%d" % i * 10)
            expect(s.read(len(b"%d" % i * 10)) == b"%d" % i * 10, f"stream {i}")
            p.close()


@test
def nobody_there():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with Wire() as w:
        w.hello()
        w.segment(4001, port, 100, 0, SYN)
        _, t = w.incoming(6)
        expect(t[13] & RST, f"flags {t[13]} instead of RST")


# ---- Somebody calls the Guest -------------------------------------------------------------

def free_port(kind):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@test
def forwards():
    tcp, udp = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_DGRAM)
    with Wire(f"user,hostfwd=tcp:127.0.0.1:{tcp}-:80,hostfwd=udp::{udp}-:53") as w:
        expect(w.status == 0, w.text)
        w.hello()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(PATIENCE)
            s.sendto(b"who?", ("127.0.0.1", udp))
            sender, question = w.incoming(17)
            port, own = struct.unpack_from("!HH", question)
            expect(own == 53 and question[8:] == b"who?", question.hex())
            w.datagram(port, b"me", own=53, to=sender)
            expect(s.recv(100) == b"me", "another answer")
        with socket.socket() as s:
            s.settimeout(PATIENCE)
            s.connect(("127.0.0.1", tcp))
            guest = Stream(w, 0, 0)
            guest.accept()
            expect(guest.own == 80, f"port {guest.own}")
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
            expect(guest.read(18) == b"GET / HTTP/1.0\r\n\r\n", "another question")
            guest.send(b"HTTP/1.0 200 OK\r\n", ACK | PSH)
            guest.send(b"", ACK | FIN)
            answer = b""
            while True:
                more = s.recv(100)
                if not more:
                    break
                answer += more
            expect(answer == b"HTTP/1.0 200 OK\r\n", f"{answer}")


# ---- Noise ------------------------------------------------------------------------------------

@test
def noise():
    """Frames of all sizes with anything in them: afterwards it is still there."""
    seed = int(os.environ.get("SEED", time.time_ns() & 0xffffffff))
    print(f"# noise: SEED={seed}")
    r = random.Random(seed)
    with Wire() as w:
        w.hello()
        w.end.settimeout(0)
        for i in range(6000):
            n = r.choice((14, 20, 34, 42, 60, 300, 1514))
            data = bytearray(r.randbytes(n))
            if i % 4:
                data[:14] = w.gateway_mac + MAC + r.choice((b"\x08\0", b"\x08\x06", b"\x86\xdd"))
            if i % 4 > 1 and n >= 42:
                data[12:14] = b"\x08\0"
                data[14:34] = struct.pack("!BBHHHBBH", 0x45 + r.randrange(2), 0, r.choice(
                    (n - 14, 20, 28, 2000, 0)), i, 0, 64,
                    r.choice((1, 6, 17, 17, 2)), 0) + ME + r.choice((GATEWAY, DNS, b"\xff" * 4))
                data[24:26] = struct.pack("!H", total(bytes(data[14:34])))
                # No fragments: libslirp 4.7 dies of one that comes before its packet's
                # first.  Nowhere but to ourselves: a test does not call strangers.
            elif i % 4 == 1 and n >= 34:
                data[30:34] = GATEWAY
            elif n >= 34:
                data[12:14] = b"\x88\xb5"
            while True:
                try:
                    w.end.send(bytes(data))
                    break
                except BlockingIOError:
                    time.sleep(0.001)
            try:
                while True:
                    w.end.recv(4096)
            except BlockingIOError:
                pass
        w.end.settimeout(PATIENCE)
        w.hello()
        expect(w.process.poll() is None, "it is gone")
    expect(w.ended == 0, f"it ended with {w.ended}")


# ---- Its cell -----------------------------------------------------------------------------------

def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return dict(line.strip().split(":\t", 1) for line in f if ":\t" in line)


@test
def rights():
    root = os.geteuid() == 0
    tcp = free_port(socket.SOCK_STREAM)
    with Wire(f"user,hostfwd=tcp::{tcp}-:80", "1234:2345" if root else None) as w:
        expect(w.status == 0, w.text)
        told = status_of(w.process.pid)
        for name in ("CapPrm", "CapEff", "CapInh", "CapAmb"):
            expect(int(told[name], 16) == 0, f"{name} is {told[name]}")
        expect(told["NoNewPrivs"] == "1", "it may get new rights")
        if root:
            expect(told["Uid"].split() == ["1234"] * 4 and told["Gid"].split() == ["2345"] * 4 and
                   told["Groups"].split() == ["2345"], f"{told['Uid']}, {told['Gid']}")
        if PREFIX == "usernet-plain":
            expect(told["Seccomp"] == "2", "no filter")
        w.hello()
        socket.create_connection(("127.0.0.1", tcp), PATIENCE).close()
        expect(w.incoming(6)[1][13] == SYN, "no call came through")


@test
def nobody_of_that_name():
    with Wire("user", "nobody-of-that-name") as w:
        expect(w.status == 35 or w.status > 0, f"status {w.status}")
        expect("nobody-of-that-name" in w.text, w.text)
    expect(w.ended == w.status, f"it ended with {w.ended}")


def main():
    failed = 0
    for f in tests:
        try:
            f()
            print(f"ok launcher/{PREFIX}/{f.__name__}", flush=True)
        except (Bad, OSError, subprocess.TimeoutExpired, struct.error) as error:
            failed += 1
            print(f"not ok launcher/{PREFIX}/{f.__name__}: {error!r}", flush=True)
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
