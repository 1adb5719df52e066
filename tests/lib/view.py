# SPDX-License-Identifier: MIT
"""The viewer's page, in a real browser without a screen."""

import collections
import html
import json
import os
import re
import shutil
import struct
import subprocess
import tempfile
import zlib

from . import machine
from .machine import BUILD, TOP, need, nested
from .verdict import ERROR, FAIL, PASS, SKIP, Result

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--hide-scrollbars", "--virtual-time-budget=8000"]


def browse(browser, page, *options):
    """What the browser prints for a page, in a profile of its own."""
    with tempfile.TemporaryDirectory(prefix="lg-profile-") as profile:
        p = subprocess.run([browser] + FLAGS + ["--user-data-dir=" + profile] + list(options)
                           + [page], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL, timeout=100)
    return p.stdout.decode("utf-8", "replace")


def rows_of(dom):
    """{name: [cells]} of the table on the left, from data-name of its rows."""
    found = {}
    for name, row in re.findall(r'<tr data-name="([^"]*)">(.*?)</tr>', dom, re.S):
        cells = [html.unescape(re.sub(r"<[^>]*>", "", c))
                 for c in re.findall(r"<td[^>]*>(.*?)</td>", row, re.S)]
        found[html.unescape(name)] = cells[1:]
    return found


def number(cell):
    return int(cell.replace(",", "")) if cell else 0


def pixels(path):
    """How often each colour occurs in a PNG (8 bits a channel, not interlaced)."""
    with open(path, "rb") as f:
        data = f.read()
    at, packed = 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        if kind == b"IHDR":
            width, height, _, colour = struct.unpack(">IIBB", body[:10])
        elif kind == b"IDAT":
            packed += body
        at += 12 + size
    step = {2: 3, 6: 4}[colour]
    raw, line, before, count = zlib.decompress(packed), width * step, None, collections.Counter()
    for y in range(height):
        method = raw[y * (line + 1)]
        row = bytearray(raw[y * (line + 1) + 1:(y + 1) * (line + 1)])
        before = before or bytearray(line)
        if method:
            for i in range(line):
                a = row[i - step] if i >= step else 0
                b, c = before[i], before[i - step] if i >= step else 0
                if method == 4:
                    guess = a + b - c
                    c = min((abs(guess - a), 0, a), (abs(guess - b), 1, b),
                            (abs(guess - c), 2, c))[2]
                row[i] = (row[i] + (a, b, (a + b) // 2, c)[method - 1]) & 255
        before = row
        for x in range(0, line, step):
            count[bytes(row[x:x + 3]).hex()] += 1
    return count


def record(config, folder):
    """A trace to look at, and what the Host counted meanwhile."""
    files = [need(os.path.join(BUILD, "inmates", n + ".elf"), "make inmates")
             for n in ("paging2", "console")]
    paths = {n: os.path.join(folder, n) for n in ("t.json", "t.stats")}
    outcome = nested(config, ["sh", "-c", "launcher --trace=/root/t.json --stats=/root/t.stats "
                              "paging2.elf"], files=files, patience=120,
                     collect=[("/root/" + n, p) for n, p in paths.items()])
    texts = []
    for p in paths.values():
        if not os.path.exists(p):
            return None, None, outcome.output
        with open(p, encoding="utf-8") as f:
            texts.append(f.read())
    return texts[0], json.loads(texts[1]), outcome.output


def registers_after(events, step):
    """Our own walk: registers after that many steps (from 1)."""
    steps = [e for e in events if e["ph"] in "Xi" and e.get("cat") not in ("switcher", "host")]
    steps.sort(key=lambda e: e["args"]["n"])        # a stable sort, as the page's is
    regs = {}
    for e in steps[:step]:
        if e["cat"] == "stay":
            regs.update(e["args"]["regs"])
    return regs, steps


def make_view(config):
    prefix = "view"

    def suite(wanted):
        browser = next((b for b in BROWSERS if shutil.which(b)), None)
        if not browser:
            return [Result(prefix, SKIP, "there is no Chromium on this machine; sudo apt-get "
                           "install chromium, then make test-view")]
        tool = os.path.join(TOP, "tools", "view", "view")
        results = []

        def add(name, good, why, detail=""):
            results.append(Result("%s/%s" % (prefix, name), PASS) if good
                           else Result("%s/%s" % (prefix, name), FAIL, why, detail[-3000:]))

        with tempfile.TemporaryDirectory(prefix="lg-view-") as folder:
            text, stats, output = record(config, folder)
            if text is None:
                return [Result(prefix, ERROR, "no trace: %s" % machine.tail(output, 2), output)]
            trace, page = os.path.join(folder, "t.json"), os.path.join(folder, "view.html")

            def make(name, content):
                path = os.path.join(folder, name)
                with open(path, "w", encoding="utf-8") as f:
                    f.write(content)
                out = path + ".html"
                status, said = machine.run([tool, "--no-browser", "--out", out, path], 30)
                return out if status == 0 else None, said

            status, said = machine.run(["make", "-s", "view", "TRACE=" + trace, "BUILD=" + folder],
                                       60, env=dict(os.environ, DISPLAY="", WAYLAND_DISPLAY=""))
            add("make view", status == 0 and os.path.exists(page), "status %d: %s" % (status, said))
            if not os.path.exists(page):
                return results
            address = "file://" + page
            events = json.loads(text)
            dom = browse(browser, address + "#tab=hypercalls&step=300", "--dump-dom")
            rows = rows_of(dom)
            seen = {n: (number(c[0]), number(c[1])) for n, c in rows.items()}
            from .timeline import HYPERCALLS
            counted = {word: (stats["hypercall_direct"][n], stats["hypercall_ring"][n])
                       for n, word in HYPERCALLS.items()
                       if stats["hypercall_direct"][n] + stats["hypercall_ring"][n]}
            add("hypercalls", seen == counted and len(seen) > 5,
                "the page says %s, the Host counted %s" % (seen, counted))
            regs, steps = registers_after(events, 300)
            shown = dict(re.findall(r"<b>(\w+) </b>([0-9a-f]{8})<", dom))
            add("registers", shown == regs and len(shown) == 13,
                "the page says %s, expected %s" % (shown, regs))
            add("steps", "step 300 of %d," % len(steps) in dom,
                "expected step 300 of %d" % len(steps))
            rows = rows_of(browse(browser, address + "#tab=exits", "--dump-dom"))
            exits = {n: number(c[0]) for n, c in rows.items()}
            vectors = stats["exit_vector"]
            add("exits", exits.get("#PF page fault") == vectors[14] > 100
                and exits.get("hypercall") == vectors[31]
                and exits.get("real interrupt", 0) == sum(vectors[32:]),
                "the page says %s" % exits)
            rows = rows_of(browse(browser, address + "#tab=faults", "--dump-dom"))
            faults = {n: number(c[0]) for n, c in rows.items()}
            add("faults", faults.get("the Guest's: not present") == stats["fault_absent"] > 0
                and faults.get("the Guest's: not allowed") == stats["fault_protection"],
                "the page says %s" % faults)
            rows = rows_of(browse(browser, address + "#tab=worlds", "--dump-dom"))
            whose = {"user": "the Guest's programs (ring 3)",
                     "kernel": "the Guest's kernel (ring 1)",
                     "both": "the Guest, both of them, changing by themselves",
                     "switcher": "the Switcher"}
            worlds = {w: number(rows.get(n, ["0"])[0]) for w, n in whose.items()}
            counted = {w: stats["ticks_" + w] for w in whose}
            add("worlds", worlds == counted and worlds["kernel"] > 0 < worlds["switcher"],
                "the page says %s, the Host counted %s" % (worlds, counted))
            dom = browse(browser, address + "#tab=stays", "--dump-dom")
            rows = rows_of(dom)
            stays = sum(1 for e in events if e.get("cat") == "stay")
            add("stays", sum(number(c[0]) for c in rows.values()) == stays > 100
                and "%d stays" % stays in dom, "the histogram holds %s, expected %d"
                % (sum(number(c[0]) for c in rows.values()), stays))
            fault = next(i for i, e in enumerate(steps) if e["name"] == "filled for a write"
                         and e["args"]["cr3"] != "00000000" and i > 100)
            want = "frame %x" % (int(steps[fault]["args"]["shadow"], 16) >> 12 & 0xffffffffff)
            dom = browse(browser, address + "#step=%d" % (fault + 1), "--dump-dom")
            here = re.search(r'<tr class="here">(.*?)</tr>', dom, re.S)
            add("page tables", here and want in here.group(1), "expected the row of the fault at "
                "step %d to have the shadow's %s: %s" % (fault + 1, want, here and here.group(1)))

            walk = re.findall(r'<div class="mono[^"]*"><small>([^<]*)</small>([^<]*)</div>', dom)
            a = steps[fault]["args"]
            physical = (int(a["pte"], 16) & 0xffffffffff000) | (int(a["gva"], 16) & 0xfff)
            real = (int(a["shadow"], 16) & 0xffffffffff000) | (int(a["gva"], 16) & 0xfff)
            add("walk", ("cr3", a["cr3"]) in walk and
                ("Guest-physical", "%08x" % physical) in walk and
                ("Host-physical", "%08x" % real) in walk and len(walk) == 7, "shown: %s" % walk)
            k = next(i for i, e in enumerate(steps) if i and e["name"] == "SET_PTE")
            dom = browse(browser, address + "#find=set_pte", "--dump-dom")
            add("find", "step %d of %d," % (k + 1, len(steps)) in dom, "expected step %d" % (k + 1))

            shot = os.path.join(folder, "shot.png")
            browse(browser, address + "#step=%d&span=3000" % (fault + 1), "--window-size=900,400",
                   "--screenshot=" + shot)
            seen = pixels(shot) if os.path.exists(shot) else {}
            add("screenshot", seen.get("ea7317", 0) > 300 and seen.get("2f6fb2", 0) > 100
                and seen.get("9c8b6e", 0) > 300, "page faults, hypercalls and the Switcher have "
                "too few pixels: %s" % collections.Counter(seen).most_common(8))

            # On a narrow screen, and in the dark.
            browse(browser, address + "#step=%d&span=300" % (fault + 1), "--window-size=500,1200",
                   "--force-dark-mode", "--screenshot=" + shot)
            seen = pixels(shot) if os.path.exists(shot) else {}
            dark = sum(n for c, n in seen.items() if int(c, 16) < 0x303030)
            add("narrow and dark", dark > 0.7 * sum(seen.values()) > 0 and
                seen.get("ea7317", 0) > 300, "%d of %d pixels are dark: %s" % (
                    dark, sum(seen.values()), collections.Counter(seen).most_common(4)))

            # Cut off in the middle of a line: all whole lines are there, and it is said.
            cut = text[:len(text) * 2 // 3]
            cut = cut[:cut.rfind("\n") + 40]
            out, said = make("cut.json", cut)
            dom = browse(browser, "file://%s#tab=exits" % out, "--dump-dom")
            left = cut[:cut.rfind("\n")].count('"cat":"stay"')
            got = sum(number(c[0]) for c in rows_of(dom).values())
            add("cut off", "This trace was cut off" in dom and got == left > 50,
                "%d stays shown, expected %d" % (got, left))
            # What a Guest may have said must not become part of the page.
            evil = text.replace('"arguments":""', '"arguments":"</script><h1 id=evil>x</h1>"', 1)
            out, said = make("evil.json", evil)
            dom = browse(browser, "file://%s" % out, "--dump-dom")
            add("no injection", evil != text and 'id="evil"' not in dom
                and 'data-ready="yes"' in dom and "&lt;/script&gt;" in dom,
                "the page is broken", dom)
            out, said = make("other.json", '{"traceEvents": []}\n')
            add("another file", out is None and "this is no trace" in said
                and len(said.strip().splitlines()) == 1, "said: %s" % said)
            status, said = machine.run([tool, "--no-browser", "--out", page, "/nowhere.json"], 30)
            add("no file", status == 1 and said.strip() == "view: /nowhere.json: No such file or "
                "directory", "status %d: %s" % (status, said))
        return results
    return suite
