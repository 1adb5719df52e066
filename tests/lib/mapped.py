# SPDX-License-Identifier: MIT
"""--map, compared with Guests whose page tables are known, and with the machine's memory."""

import fcntl
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import time

from .machine import TOP, log_results, nested, run, tail
from .screen import Screen
from .suites import check, elf, LAUNCHER
from .terminal import Terminal
from .verdict import ERROR, SKIP, Result

MAP = os.path.join(TOP, "tools", "map")
WINDOW, AREA, RAM, BEYOND = 0x40000000, 0x800000, 32 << 20, 0x7FFFF000

# What map.inc has laid out, page by page: state and guest-physical address.
LAID_OUT = {0: ("a", AREA), 1: ("d", AREA + 0x3000), 2: ("w", AREA + 0x6000),
            3: ("r", AREA + 0x9000), 4: ("wu", AREA + 0xC000), 6: ("x", 0), 7: ("dv", RAM),
            8: ("o", BEYOND)}
WORDS = {2: 0x3A9B0002, 4: 0x3A9B0004}

SCRIPT = """
for which in map mappae; do
	launcher --capsule=never --map=/root/$which.end 32 $which.elf >/dev/null || echo "$which: $?"
	# A file of its own: in the one from before it would already stand that all is laid out.
	launcher --capsule=never --timeout=60 --map=/root/$which.live 32 $which.elf 1 >/tmp/$which &
	until grep -qs "laid out" /tmp/$which; do usleep 20000; done
	# Each signal is one more moment.
	kill -USR2 $(pidof launcher)
	until [ "$(wc -l </root/$which.live)" = 1 ]; do usleep 20000; done
	kill -USR2 $(pidof launcher)
	until [ "$(wc -l </root/$which.live)" = 2 ]; do usleep 20000; done
	echo "$which $(head -1 /root/$which.live)"
	echo "look $which"
	sleep 3
	kill $(pidof launcher)
	wait
done
# On a terminal that is none: the picture is on stderr, when asked and at the end.
launcher --capsule=never --timeout=60 --map 32 map.elf 1 2>/root/plain >/tmp/plain &
until grep -qs "laid out" /tmp/plain; do usleep 20000; done
kill -USR2 $(pidof launcher)
until grep -q "Guest-physical" /root/plain; do usleep 20000; done
kill $(pidof launcher)
wait
launcher --capsule=never --map=/dev/full 32 map.elf 2>&1 >/dev/null; echo "full: $?"
launcher --capsule=never --map=/nowhere/map 32 map.elf 2>&1; echo "nowhere: $?"
"""


def pages(moment):
    """{Guest-virtual: (state, Guest-physical)} of the current root."""
    for r in moment["roots"]:
        if r["current"]:
            return {v + i * 4096: (s, p + i * 4096 if s[0] != "x" else 0)
                    for v, p, n, s in r["pages"] for i in range(n)}
    return {}


def host_of(moment, gpa):
    for first, host, count, _ in moment["pinned"]:
        if first <= gpa < first + count * 4096:
            return host and host + gpa - first
    return None


def peek(monitor, address):
    """A word of the nested machine's memory, by QEMU's monitor."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(monitor)
        s.settimeout(5)
        s.sendall(b"xp /1wx 0x%x\n" % address)
        text = b""
        while not re.search(rb"%016x: 0x[0-9a-f]{8}" % address, text):
            text += s.recv(4096)
    return int(re.search(rb"%016x: (0x[0-9a-f]{8})" % address, text).group(1), 16)


def grows(folder, first, second):
    """tools/map --live while the file is written.  -> (good, why, output)"""
    path = os.path.join(folder, "growing")
    line = json.dumps(second) + "\n"
    with open(path, "w", encoding="ascii") as f:
        f.write(json.dumps(first) + "\n" + line[:100])
        f.flush()
        p = subprocess.Popen([MAP, "--live", "--colour=always", path], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT)
        time.sleep(0.5)
        f.write(line[100:])
    try:
        text = p.communicate(timeout=30)[0].decode()
    except subprocess.TimeoutExpired:
        p.kill()
        return False, "it does not see the end", ""
    row = re.findall("^40000000 (.*)$", text, re.M)[-1:]
    # Page 1 was read-only until dirty and is writable, page 3 has gone.
    return (p.returncode == 0 and text.count("\033[H") == 2 and row and
            "\033[32;7mw" in row[0] and "\033[0;7m." in row[0] and row[0].count(";7m") == 2,
            "status %d, the last row %r" % (p.returncode, row), text)


def on_a_terminal(result):
    """`launcher --map` cuts the screen in two.  Calls result(name, good, why)."""
    rows, columns = 500, 74
    with Terminal([LAUNCHER, "--capsule=always", "--timeout=60", "--map", "32", elf("map"),
                   "2"]) as t:
        screen = Screen(rows, columns)
        fcntl.ioctl(t.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        deadline = time.time() + 60
        fed = 0

        def until(good):
            nonlocal fed
            while time.time() < deadline and not good(screen.lines()):
                t.read(0.1)
                screen.feed(t.seen[fed:])
                fed = len(t.seen)
            return screen.lines()
        # The line at the bottom of the upper half is the last thing that is drawn.
        lines = until(lambda lines: "40000000  adwrW.xvo" + "." * 55 in lines and
                      lines[rows // 2 - 1] == "-" * columns and
                      any("laid out" in l for l in lines[rows // 2:]))
        rest = [l for l in lines if l.startswith("4000")]
        result("screen: the window", rest == ["40000000  adwrW.xvo" + "." * 55], "got %s" % rest)
        result("screen: the Guest below", any("laid out" in l for l in lines[rows // 2:]) and
               lines[rows // 2 - 1] == "-" * columns and lines[0].startswith("root "),
               "line 0 is %r, the last of the upper half %r" % (lines[0], lines[rows // 2 - 1]))
        lines = until(lambda lines: "40000000  awwrW.xvo" + "." * 55 in lines)
        changed = [(lines[y][:8], x - 10) for y, x in sorted(screen.reverse)]
        result("screen: what has changed", changed == [("40000000", 1)],
               "in reverse are %s" % changed)
        # The window is pulled at: wider, too small for a picture, and another size again.  (Of
        # columns there are 10 for the address and a power of two: so the row begins as before.)
        deadline = time.time() + 60
        for rows, columns in ((400, 138), (12, 40), (520, 74)):
            screen.resize(rows, columns)
            fcntl.ioctl(t.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            half = rows // 2 if rows > 16 else 0
            lines = until(lambda lines: (screen.top, screen.bottom, screen.origin) ==
                          (half, rows - 1, half > 0) and (
                not half or "40000000  awwrW.xvo" + "." * (columns - 19) in lines and
                lines[half - 1] == "-" * columns))
            shown = [l for l in lines if l.startswith("4000")]
            dashes = [y for y, l in enumerate(lines) if l and not l.strip("-")]
            result("screen: %d by %d" % (rows, columns), (screen.top, screen.bottom, screen.origin) ==
                   (half, rows - 1, half > 0) and dashes == [half - 1][:half] and
                   shown == ["40000000  awwrW.xvo" + "." * (columns - 19)][:half],
                   "region %d to %d, dashes at %s, rows %s" % (screen.top, screen.bottom, dashes,
                                                              shown))
        t.send(b"\x01x")
        t.wait(20)
        screen.feed(t.seen[fed:])
        result("screen: whole again", (screen.top, screen.bottom, screen.origin) ==
               (0, rows - 1, False), "region %d to %d" % (screen.top, screen.bottom))


def make_map(config):
    prefix = "map/%s" % config

    def suite(wanted):
        results, live, seen = [], {}, {}

        def test(name, good, why="", detail=""):
            results.append(check("%s/%s" % (prefix, name), good, why, detail))

        with tempfile.TemporaryDirectory(prefix="lg-map-") as folder:
            monitor = os.path.join(folder, "monitor")

            def on_line(line):
                which, _, rest = line.strip().partition(" ")
                if which in ("map", "mappae") and rest.startswith("{"):
                    live[which] = json.loads(rest)
                elif which == "look" and rest in live:
                    seen[rest] = {n: peek(monitor, host_of(live[rest], LAID_OUT[n][1]))
                                  for n in WORDS}

            here = {n: os.path.join(folder, n) for n in (
                "map.end", "mappae.end", "map.live", "mappae.live", "plain")}
            outcome = nested(config, ["sh", "-c", SCRIPT], files=[elf("map"), elf("mappae")],
                             collect=[("/root/" + n, p) for n, p in here.items()],
                             on_line=on_line, extra=["--monitor", monitor])
            moments = {}
            for name, path in here.items():
                if name == "plain":
                    continue
                try:
                    with open(path, encoding="ascii") as f:
                        moments[name] = [json.loads(line) for line in f]
                except (OSError, ValueError) as error:
                    return results + [Result(prefix, ERROR, "%s: %s: %s" % (
                        name, error, tail(outcome.output, 3)), outcome.output)]
            for which in ("map", "mappae"):
                expected = {WINDOW + n * 4096: page for n, page in LAID_OUT.items()}
                for name in (which + ".end", which + ".live"):
                    got = {v: p for v, p in pages(moments[name][-1]).items()
                           if WINDOW <= v < WINDOW + (4 << 20)}
                    test(name, got == expected, "got %s, expected %s" % (got, expected))
                count = [len(moments[which + n]) for n in (".end", ".live")]
                # The third of the live ones is the end, by the signal.
                test(which + "/moments", count == [1, 3] and
                     [m["why"] for m in moments[which + ".live"]] == ["signal", "signal", "end"],
                     "there are %s" % count)
                test(which + "/tables", moments[which + ".end"][0]["pae"] == (which == "mappae"),
                     "wrong kind")
                # Low memory is mapped to itself, and again at 0xc0000000.
                low = pages(moments[which + ".end"][0])
                test(which + "/twice", all(low.get(v, "?")[1] == low.get(v + 0xC0000000, "!")[1] == v
                                           for v in range(0x100000, 0x200000, 4096)),
                     "the two do not agree")
                pinned = [host_of(moments[which + ".end"][0], LAID_OUT[n][1]) for n in (0, 1, 2, 3, 4)]
                test(which + "/pinned", pinned[0] is None and None not in pinned[1:],
                     "got %s" % pinned)
                test(which + "/host-physical", seen.get(which) == WORDS,
                     "the machine's memory has %s there" % seen.get(which))
            test("full disk", "--map=/dev/full: could not be written: No space left" in
                 outcome.output and "full: 0" in outcome.output, tail(outcome.output, 4))
            test("unwritable", "--map=/nowhere/map: cannot write there: No such file" in
                 outcome.output and "nowhere: 2" in outcome.output, tail(outcome.output, 2))

            with open(here["plain"], encoding="ascii", errors="replace") as f:
                text = f.read()
            rows = re.findall(r"^40000000  adwrW\.xvo\.{55}$", text, re.M)
            test("plain", len(rows) == 2 and "\033" not in text and
                 len(re.findall("^ffc00000  s{64}$", text, re.M)) == 2, "got %s" % rows, text)

            # What tools/map makes of it.
            status, text = run([MAP, "--diff", here["map.live"] + ":0", here["map.live"] + ":1"],
                               30)
            test("no difference", status == 0 and "no page has changed" in text, text)
            edited = json.loads(json.dumps(moments["map.end"][0]))
            for root in edited["roots"]:
                root["pages"] = [[v, p, n, "w" if v == WINDOW + 4096 else s]
                                 for v, p, n, s in root["pages"] if v != WINDOW + 3 * 4096]
            other = os.path.join(folder, "edited")
            with open(other, "w", encoding="ascii") as f:
                f.write(json.dumps(edited) + "\n")
            status, text = run([MAP, "--diff", here["map.end"], other], 30)
            rows = [line.split("  ", 1)[1] for line in text.splitlines() if line.startswith("root")]
            test("differences", [" ".join(r.split()) for r in rows] == [
                "40001000 +1 d 00803000 -> w 00803000", "40003000 +1 r 00809000 -> absent"],
                "got %s" % rows)
            status, text = run([MAP, here["map.end"]], 30)
            test("grid", re.search(r"^40000000 adwrW\.xvo\.{55}$", text, re.M), tail(text, 5), text)
            status, text = run([MAP, "--list", here["map.live"] + ":0"], 30)
            host = host_of(moments["map.live"][0], LAID_OUT[4][1])
            test("list", re.search(r"^40004000 +1  0080c000 +%#x +writable, ring 3$" % host, text,
                                   re.M), "no such line", text)
            with open(other, "a", encoding="ascii") as f:
                f.write('{"lguest_map":1,"mom')
            status, text = run([MAP, other], 30)
            test("cut off", status == 0 and "line 2 is cut off" in text, text)
            for words, complaint in (([other + "x"], "No such file"), ([MAP], "expected what"),
                                     ([here["map.live"] + ":9"], "expected 0 to 2"),
                                     (["--diff", other], "expected two moments")):
                status, text = run([MAP] + words, 30)
                test("tool: " + complaint, status == 2 and complaint in text
                     and text.count("\n") == 1, text)

            status, text = run([MAP, "--live", here["map.live"]], 30)
            test("live", status == 0 and len(re.findall(r"^40000000 adwrW\.xvo\.{55}$", text, re.M))
                 == 3, "expected three grids", text)
            test("live: growing", *grows(folder, dict(moments["map.end"][0], why="clock"), edited))

            # The page for browsers: its script has run, and knows the roots.
            page = os.path.join(folder, "map.html")
            status, text = run([MAP, "--html", page, here["map.live"]], 30)
            browser = shutil.which("chromium")
            if browser:
                _, dom = run([browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
                              "--user-data-dir=" + os.path.join(folder, "browser"),
                              "file://" + page + "#page=40004000"], 90)
                last = moments["map.live"][-1]
                test("html", "0x%08x (current)" % last["cr3"] in dom
                     and "2: " in dom, "no roots in it: %s" % dom[-300:])
                cells = "%d %d %d" % (len(pages(last)) + (-last["reserved"] % 2**32 >> 12),
                                      last["limit"] >> 12, sum(n for _, _, n, _ in last["pinned"]))
                test("html: cells", 'data-ready="%s"' % cells in dom, "expected %s: %s" % (
                    cells, re.findall('data-ready="[^"]*"', dom)))
                says = "0x40004000: Guest-physical 0x%08x, writable, for ring 3, Host-physical " \
                    "%#x" % (LAID_OUT[4][1], host_of(last, LAID_OUT[4][1]))
                test("html: a page", says in dom, "expected '%s': %s" % (
                    says, re.findall('id="says">([^<]*)<', dom)))
            else:
                results.append(Result(prefix + "/html", SKIP, "there is no chromium here"))

            on_a_terminal(test)
            # From outside: a signal is carried into the capsule, and the file out of it.
            out = os.path.join(folder, "capsule.json")
            p = subprocess.Popen([LAUNCHER, "--capsule=always", "--timeout=60",
                                  "--map=%s,every=0.5" % out, "32", elf("map"), "1"],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL)
            try:
                said = b""
                while b"laid out" not in said:
                    more = os.read(p.stdout.fileno(), 4096)
                    said += more or b"laid out?"        # it has ended
                p.send_signal(signal.SIGUSR2)
                time.sleep(1.5)
                p.terminate()
                p.communicate(timeout=60)
            finally:
                p.kill()
            with open(out, encoding="ascii") as f:
                seen = [json.loads(line) for line in f]
            why = {m["why"] for m in seen}
            test("capsule", p.returncode == 143 and why == {"clock", "signal", "end"} and
                 pages(seen[-1]).get(WINDOW + 4096) == ("d", AREA + 0x3000),
                 "status %s, moments by %s" % (p.returncode, sorted(why)))
            for word in ("x,every=0", "x,every=banana", ",every=1"):
                status, text = run([LAUNCHER, "--map=" + word, elf("map")], 30)
                test("--map=" + word, status == 2 and text.count("\n") == 1
                     and "expected FILE or FILE,every=SECONDS" in text, text)
        return results + log_results(prefix, outcome.log)
    return suite
