# SPDX-License-Identifier: MIT
"""The suites: each is a function that carries something out and returns Results."""

import glob
import hashlib
import json
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

from . import inmates as inmates_of
from . import machine, native
from .machine import BUILD, TOP, Config, batch, counter_result, log_results, need, nested
from .verdict import ERROR, FAIL, PASS, SKIP, Broken, Overdue, Result

INMATES = os.path.join(TOP, "tests", "inmates")
LAUNCHER = os.path.join(BUILD, "launcher", "launcher")
TEACHOS = {"teachos": os.path.join(BUILD, "teachos", "teachos.elf"),
           "teachos-pae": os.path.join(BUILD, "teachos", "teachos-pae.elf")}


def elf(name):
    return need(os.path.join(BUILD, "inmates", name + ".elf"), "make inmates")


def check(name, good, why, detail=""):
    """A Result from a condition."""
    return Result(name, PASS) if good else Result(name, FAIL, why, detail)


# ---- User space -------------------------------------------------------------------

def make_unit(folder):
    """A folder of user-space tests that prints TAP-like lines."""
    prefix = "unit/" + os.path.basename(folder)

    def suite(wanted):
        need(os.path.join(folder, "Makefile"), "this suite is part of the repository")
        status, output = machine.run(
            ["make", "--no-print-directory", "-C", folder, "run", "BUILD=" + BUILD], 300)
        results = []
        for line in output.splitlines():
            m = re.match(r"^(ok|not ok|skip) ([^:#]+?)(?::\s*(.*))?(?:\s*#.*)?$", line)
            if not m:
                continue
            name = m.group(2)
            name = name if name.startswith("unit/") else "unit/" + name
            if m.group(1) == "ok":
                results.append(Result(name, PASS))
            elif m.group(1) == "skip":
                results.append(Result(name, SKIP, m.group(3) or "it did not say why"))
            else:
                results.append(Result(name, FAIL, m.group(3) or "see above"))
        failed = [r for r in results if r.word not in (PASS, SKIP)]
        if not results:
            return [Result(prefix, ERROR, "no test was run: %s" % machine.tail(output, 3), output)]
        if status != 0 and not failed:
            results.append(Result(prefix + "/status", FAIL, "make ended with status %d: %s"
                                  % (status, machine.tail(output, 2)), output[-4000:]))
        return results
    return suite


def literate_tool(wanted):
    """tools/literate finds what it should find; each problem is planted here first."""
    tool = os.path.join(TOP, "tools", "literate")
    prefix = "literate/tool"
    opening, ending = "/*" + "%s:%s", ":" + "*/"

    def run_on(files, *arguments):
        with tempfile.TemporaryDirectory(prefix="lg-story-") as folder:
            for name, text in files.items():
                path = os.path.join(folder, name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "w", encoding="utf-8") as f:
                    f.write(text)
            p = subprocess.run([tool, "--root", folder] + list(arguments),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
            return p.returncode, p.stdout.decode(), p.stderr.decode()

    def block(letter, number, title="Title", text=" * text\n"):
        return opening % (letter, number) + " " + title + "\n" + text + " " + ending + "\n"

    whole = {"story/%s.c" % letter: block(letter, "100") for letter in "PGDLHSM"}
    planted = [
        ("clean", {}, 0, "0 problems"),
        ("duplicate", {"host/x.c": block("H", "100")}, 1, "H:100 is taken"),
        ("unterminated", {"host/x.c": (opening % ("H", "200")) + " T\n */\nint x;\n"}, 1,
         "host/x.c:1: H:200 never ends"),
        ("nested", {"host/x.c": (opening % ("H", "200")) + " T\n */\n" + block("H", "210")}, 1,
         "host/x.c:3: H:210 opens inside H:200"),
        ("unknown letter", {"host/x.c": block("Q", "100")}, 1, "unknown part letter 'Q'"),
        ("two digits", {"host/x.c": block("H", "20")}, 1, "three digits"),
        ("too long", {"host/x.c": block("H", "200", text=" * " + "word " * 601 + "\n")}, 1,
         "more than 600"),
        ("silent file", {"host/x.c": "int x;\n"}, 1, "host/x.c:1: no fragment"),
        ("silent test", {"tests/x.c": "int x;\n"}, 0, "0 problems"),
        ("stray end", {"host/x.c": block("H", "200") + "/*" + ending + "\n"}, 1,
         "no fragment is open"),
        ("no title", {"host/x.c": block("H", "200", title="")}, 1, "H:200 has no title"),
        ("NASM", {"switcher/x.asm": ";S" + ":200 T\n; text\nnop\n;" + ":*\n"}, 0, "8 fragments"),
        ("NASM, no end", {"switcher/x.asm": ";S" + ":200 T\n; text\nnop\n"}, 1, "S:200 never ends"),
        ("hash", {"Makefile": "#P" + ":200 T\n# text\nall:\n#" + ":*\n"}, 0, "8 fragments"),
    ]
    results = []
    for name, files, status, text in planted:
        got, out, err = run_on(dict(whole, **files), "--check")
        results.append(check("%s/%s" % (prefix, name), got == status and text in out,
                             "status %d, expected %d with '%s': %s" % (got, status, text, out)))
    for typo, part in (("Hots", "Host"), ("preperation", "Preparation"), ("Switch", "Switcher"),
                       ("Drivers!", "Drivers"), ("beer", "Beer")):
        got, out, err = run_on(whole, typo)
        named = part in err or part.lower() == typo.rstrip("!").lower()
        results.append(check("%s/typo %s" % (prefix, typo), got == 0 and ":100" in out and named,
                             "status %d: %s" % (got, err)))
    got, out, err = run_on(whole, "xyzzy")
    results.append(check(prefix + "/no such part", got == 2 and "xyzzy" in err
                         and len(err.splitlines()) == 1, "status %d: %s" % (got, err)))
    got, out, err = run_on({"b.c": block("H", "110", "Second") + block("H", "090", "First")
                            + "int z;\n", "a.asm": ";H" + ":100 Between\n; hello\nret\n;" + ":*\n"},
                           "Host")
    order = [out.find(t) for t in ("H:090", "H:100", "H:110")]
    results.append(check(prefix + "/order across files", order == sorted(order) and -1 not in order
                         and "\nhello\n" in out and "\nret\n" in out and "int z" not in out,
                         "got: " + out))
    return results


def literate_check(wanted):
    """The story of this very tree."""
    status, output = machine.run([os.path.join(TOP, "tools", "literate"), "--check"], 60)
    return [check("literate/check", status == 0, machine.tail(output, 1), output)]


# ---- Inmates ----------------------------------------------------------------------

def make_inmates(config, most=1000, beats=150):
    """
    All inmates in one boot: the good ones alone, the others with a heartbeat beside.
    most: how many runs an inmate gets that wants many (the first of them, and the last).
    """
    prefix = "inmates/%s" % config

    def suite(wanted):
        known = inmates_of.load(INMATES)
        chosen = [n for n in known if wanted(prefix + "/" + n)]
        good = [n for n in chosen if not known[n].expect and known[n].status != {0, 3, 4, 5}]
        bad = [n for n in chosen if n not in good and n != "heartbeat"]
        good = [n for n in good if n != "heartbeat"]
        plan, runs = [], []

        def add(name):
            inmate = known[name]
            for k, arguments in enumerate(thin(inmate.runs, most)):
                ident = "%s.%d" % (name, k)
                runs.append((ident, name, arguments))
                plan.append(("exec", ident, inmate.patience + 10, inmate.command(arguments)))

        for name in good:
            add(name)
        files = [elf(n) for n in chosen]
        if bad:
            heart = known["heartbeat"]
            if "heartbeat" not in chosen:
                files.append(elf("heartbeat"))
            plan.append(("start", "heartbeat.0", heart.patience + 10,
                         heart.command(str(beats))))
        for name in bad:
            add(name)
        if bad:
            plan.append(("join", "heartbeat.0"))
            runs.append(("heartbeat.0", "heartbeat", str(beats)))
        elif "heartbeat" in chosen:
            add("heartbeat")
        if not plan:
            return []

        results = []
        with tempfile.TemporaryDirectory(prefix="lg-disks-") as folder:
            disks = {n: os.path.join(folder, n + ".img") for n in chosen if known[n].disk}
            for name, path in disks.items():
                with open(path, "wb") as f:
                    f.write(known[name].disk_before())
            # All of them are expected to be quick: the sum of the patiences would be an hour.
            outcome, steps, last = batch(
                config, plan, files + list(disks.values()), 300,
                collect=[("/root/%s.img" % n, p) for n, p in disks.items()])
            for name, path in disks.items():
                with open(path, "rb") as f:
                    why = known[name].judge_disk(f.read())
                results.append(check("%s/%s/disk" % (prefix, name), why is None, why))
        for name in good + bad + (["heartbeat"] if any(r[1] == "heartbeat" for r in runs) else []):
            mine = [(a, i) for i, n, a in runs if n == name]
            missing = [i for _, i in mine if i not in steps]
            if missing:
                results.append(Result("%s/%s" % (prefix, name), ERROR,
                                      "%s was not carried out" % missing[0]))
                continue
            results.append(known[name].result(
                prefix, [(a, steps[i].output, steps[i].status) for a, i in mine]))
        # After each Guest but those beside the heartbeat nothing may be left.
        for name in good:
            held = [s for i, s in steps.items() if i.startswith(name + ".")
                    and (s.guests, s.pinned, s.tables) != ("0", "0", "0")]
            if held:
                results.append(Result("%s/%s/counters" % (prefix, name), FAIL,
                                      "after it the Host held %s guests, %s pinned pages, %s tables"
                                      % (held[0].guests, held[0].pinned, held[0].tables)))
        results.append(counter_result(prefix, last))
        return results + log_results(prefix, outcome.log)

    suite.parts = lambda: [prefix + "/" + n for n in inmates_of.load(INMATES)]
    return suite


def thin(runs, most):
    """At most so many runs of each kind (the fuzzer's modes are kinds)."""
    kinds = {}
    for arguments in runs:
        kinds.setdefault(" ".join(arguments.split()[:-1]), []).append(arguments)
    return [a for kind in kinds.values() for a in (kind if len(kind) <= most
                                                   else kind[:most - 1] + kind[-1:])]


# Reasons that no Guest can be made to die of, and why.
UNREACHABLE = {
    "E-HOST-01": "a bug of the Host",
}
# ... and the one that takes a Launcher of another kind: the suite device.
ELSEWHERE = {"E-MEM-04"}


def make_reasons(config):
    """Every reason code of the Host has an inmate that dies of it."""
    def suite(wanted):
        table = need(os.path.join(TOP, "host", "reasons.h"), "part of the repository")
        with open(table, encoding="utf-8") as f:
            codes = re.findall(r'X\(\w+,\s*"(E-[A-Z]+-\d+)"', f.read())
        if not codes:
            return [Result("reasons", ERROR, "host/reasons.h: no codes found")]
        known = inmates_of.load(INMATES)
        plan = [("exec", "%s.%d" % (n, k), i.patience + 10, i.command(a))
                for n, i in known.items() if i.expect for k, a in enumerate(i.runs)]
        # A Host without memory for tables is one that was told to have none.
        limit = "/sys/module/lg/parameters/table_limit"
        plan.append(("run", "no-tables", 30, "echo 1 >%s; %s; echo 2047 >%s" % (
            limit, known["hello"].command(""), limit)))
        files = [elf(n) for n, i in known.items() if i.expect] + [elf("hello")]
        outcome, steps, last = batch(config, plan, files, 200)
        seen = set()
        for step in steps.values():
            seen.update(inmates_of.CODE.findall(step.output))
        return [Result("reasons/" + code, SKIP, UNREACHABLE[code])
                if code in UNREACHABLE and code not in seen
                else check("reasons/" + code, code in seen, "no inmate dies of it")
                for code in codes if code not in ELSEWHERE]
    return suite


def device_program():
    status, output = machine.run(["make", "-sC", os.path.join(TOP, "tests", "device"),
                                  "BUILD=" + BUILD], 60)
    if status != 0:
        raise Broken("tests/device does not build: %s" % machine.tail(output, 2))
    return need(os.path.join(BUILD, "tests", "device"), "make -C tests/device")


def make_device(config):
    """/dev/lguest itself: what it says to a Launcher that does everything wrong."""
    prefix = "device/%s" % config

    def suite(wanted):
        outcome = nested(config, ["./device"], files=[device_program() + ":/root/device"],
                         patience=60)
        lines = re.findall(r"^(ok|not ok) ([^:\n]+)(?:: (.*))?$", outcome.output, re.M)
        results = [check("%s/%s" % (prefix, name), word == "ok", why) for word, name, why in lines]
        if outcome.status != 0 or len(lines) < 42:
            results.append(Result(prefix, FAIL, "status %d after %d tests: %s" % (
                outcome.status, len(lines), machine.tail(outcome.output, 2)), outcome.output))
        return results + log_results(prefix, outcome.log)
    return suite


# ---- Networks ---------------------------------------------------------------------

# One boot.  The Guest (inmate net, as a neighbour) echoes UDP and answers pings; the nested
# Linux is the other side, and its own counters are the oracle.
NETWORKS = """
# New cards would say good morning by IPv6, whenever they like.
for which in all default; do echo 1 >/proc/sys/net/ipv6/conf/$which/disable_ipv6; done

# guest NAME OPTIONS...: starts it, and waits until it listens
guest() {
	name=$1; shift
	/bin/launcher --timeout=60 --verbose "$@" 16 net.elf 1 >/tmp/$name 2>&1 &
	for i in $(seq 300); do
		grep -q listening /tmp/$name && return
		usleep 100000
	done
	echo "not ok $name: the Guest does not listen"
}
# over NAME: it has been told to quit
over() { wait; sed "s/^/$1| /" /tmp/$1; echo; }

guest user --net=user,hostfwd=udp::7007-:7 --username=1234:2345
cell=/proc/$(pidof usernet)/status
for field in Uid Gid CapPrm CapBnd NoNewPrivs Seccomp; do
	echo "cell-$field: $(sed -n "s/^$field:[[:space:]]*//p" $cell | tr '\\t' ' ')"
done
echo "user: $(./peer 127.0.0.1 7007)"
over user

guest tap --tunnet=192.168.19.1
echo "tap-address: $(ip -4 -o addr show dev lg0)"
echo "tap-ping: $(ping -c 5 -i 0.2 -s 1400 192.168.19.77 | grep received)"
echo "tap: $(./peer 192.168.19.77 7)"
over tap

brctl addbr br0
ip addr add 192.168.20.1/24 dev br0
ip link set br0 up
guest bridge --tunnet=bridge:br0,mac=02:00:00:00:00:42
echo "bridge-ports: $(ls /sys/class/net/br0/brif)"
ping -c 1 192.168.20.9 >/dev/null
echo "bridge-mac: $(grep '^192.168.20.9 ' /proc/net/arp)"
echo "bridge: $(./peer 192.168.20.9 7)"
over bridge

ip link add v0 type veth
ip addr add 192.168.21.1/24 dev v0
ip link set v0 up
ip link set veth0 up
guest raw --net=raw:veth0
echo "raw-ping: $(ping -c 5 -i 0.2 192.168.21.2 | grep received)"
echo "raw: $(./peer 192.168.21.2 7)"
over raw

# A Guest without a driver: what is sent to it is lost, and counted.
/bin/launcher --timeout=4 --verbose --tunnet=192.168.22.1/30 16 silent.elf >/tmp/deaf 2>&1 &
for i in $(seq 50); do [ -e /sys/class/net/lg0 ] && break; usleep 100000; done
arp -s 192.168.22.2 02:00:00:00:00:01
ping -c 3 -W 1 192.168.22.2 >/dev/null
echo "deaf-sent: $(cat /sys/class/net/lg0/statistics/tx_packets)"
over deaf

echo "left: $(ls /sys/class/net | tr '\\n' ' ') $(pidof usernet)"
for option in --tunnet=bridge:no --tunnet=bridge:lo --net=raw:no; do
	/bin/launcher $option net.elf
	echo "status $option: $?"
done 2>&1
"""


def make_net(config):
    """Each kind of network, seen from its other end."""
    prefix = "net/%s" % config

    def suite(wanted):
        status, output = machine.run(["make", "-sC", os.path.join(TOP, "tests", "net"),
                                      "BUILD=" + BUILD], 60)
        if status != 0:
            return [Result(prefix, ERROR, "tests/net does not build: %s"
                           % machine.tail(output, 2), output)]
        with tempfile.NamedTemporaryFile("w", prefix="lg-net-", suffix=".sh") as f:
            f.write(NETWORKS)
            f.flush()
            outcome = nested(config, ["sh", "/root/net.sh"], patience=200, files=[
                f.name + ":/root/net.sh", elf("net"), elf("silent"),
                os.path.join(BUILD, "tests", "peer") + ":/root/peer"],
                extra=["--load", "tun", "--load", "bridge", "--load", "veth"])
        text = outcome.output
        said = dict(re.findall(r"^([A-Za-z-]+): (.*)$", text, re.M))

        def figures(name):
            """What the Launcher counted: for the Guest, from it, lost (four kinds)."""
            found = re.search(r"^%s\| launcher: network \S+: (\d+) packets for the Guest, (\d+) "
                              r"from it; lost: (\d+) without a buffer, (\d+) while nobody "
                              r"listened, (\d+) on the way out, (\d+) of a wrong" % name, text, re.M)
            return tuple(map(int, found.groups())) if found else (-1,) * 6

        def expect(name, good, what):
            return check("%s/%s" % (prefix, name), good, what, text)

        results = []
        for name in ("user", "tap", "bridge", "raw"):
            results.append(expect(name, "ok 93 datagrams came back" in said.get(name, ""),
                                  "the other end says: %s" % said.get(name)))
            results.append(expect(name + "/guest", "%s| ok somebody spoke to us" % name in text
                                  and "%s| 1..7" % name in text, "the Guest did not finish"))
            # Each datagram, and at least one ARP or, with usernet, only what it knows already.
            came, went, *lost = figures(name)
            results.append(expect(name + "/counted", came >= 94 and went >= 93 and
                                  lost[0] == lost[2] == lost[3] == 0,
                                  "the Launcher counted %s" % (figures(name),)))
        none = "0" * 16
        for field, wanted in (("Uid", "1234 1234 1234 1234"), ("Gid", "2345 2345 2345 2345"),
                              ("CapPrm", none), ("CapBnd", none), ("NoNewPrivs", "1"),
                              ("Seccomp", "2")):
            results.append(expect("usernet/" + field, said.get("cell-" + field) == wanted,
                                  "%s, expected %s" % (said.get("cell-" + field), wanted)))
        for name in ("tap", "raw"):
            results.append(expect(name + "/ping", "5 packets received" in said.get(name + "-ping", ""),
                                  said.get(name + "-ping")))
        results.append(expect("tap/address", "192.168.19.1/24" in said.get("tap-address", ""),
                              said.get("tap-address")))
        results.append(expect("bridge/port", said.get("bridge-ports", "").startswith("lg"),
                              said.get("bridge-ports")))
        results.append(expect("bridge/mac", "02:00:00:00:00:42" in said.get("bridge-mac", ""),
                              "the other end sees " + said.get("bridge-mac", "nothing")))
        sent = int(said.get("deaf-sent") or 0)
        came, went, *lost = figures("deaf")
        results.append(expect("lost", sent == 3 == lost[1] and came == went == 0,
                              "the kernel sent %s, the Launcher counted %s" % (sent, figures("deaf"))))
        results.append(expect("gone", "lg0" not in said.get("left", "lg0") and
                              not re.search(r" \d+$", said["left"]), said.get("left")))
        for option, says in (("--tunnet=bridge:no", "there is no such bridge"),
                             ("--tunnet=bridge:lo", "it is no bridge"),
                             ("--net=raw:no", "there is no such card")):
            results.append(expect("refuses " + option, "status %s: 25" % option in text and
                                  "launcher: %s: %s" % (option, says) in text, "it does not"))
        return results + log_results(prefix, outcome.log)
    return suite


def make_sandbox(config):
    """What a Launcher may still do while its Guest runs: read in /proc, and tried out."""
    prefix = "sandbox/%s" % config

    def suite(wanted):
        status, output = machine.run(["make", "-sC", os.path.join(TOP, "tests", "device"),
                                      "BUILD=" + BUILD], 60)
        if status != 0:
            return [Result(prefix, ERROR, "tests/device does not build: %s"
                           % machine.tail(output, 2), output)]
        files = [os.path.join(TOP, "tests", "nested", "sandbox.sh"),
                 need(os.path.join(BUILD, "tests", "inject"), "make -C tests/device")]
        files += [elf(n) for n in ("silent", "shutdown-restart", "hello", "kill-gdt-index")]
        outcome = nested(config, ["sh", "sandbox.sh"], files=files, patience=100)
        lines = re.findall(r"^(ok|not ok) ([^\n]+?)(?:: ('.*|.*/))?$", outcome.output, re.M)
        results = [check("%s/%s" % (prefix, name), word == "ok", why) for word, name, why in lines]
        if outcome.status != 0 or len(lines) < 50:
            results.append(Result(prefix, FAIL, "status %d after %d tests: %s" % (
                outcome.status, len(lines), machine.tail(outcome.output, 2)), outcome.output))
        return results + log_results(prefix, outcome.log)
    return suite


# One boot.  TeachOS is the Guest, and what it is told stands in /tmp/keys; the nested Linux
# has a web server for it to ask, and asks its.
TEACHOS_NET = r"""
ip link set lo up
mkdir -p /tmp/www
cp /root/odd /tmp/www/odd
: >/tmp/www/empty
busybox httpd -p 127.0.0.1:8000 -h /tmp/www
echo nameserver 127.0.0.1 >/etc/resolv.conf
./dns &
cat >/tmp/keys <<EOF
ping -c 3 -i 1000 10.0.2.2
get http://10.0.2.2:8000/odd | cksum
get http://10.0.2.2:8000/odd /tmp/odd
cksum /tmp/odd
get http://10.0.2.2:8000/empty | cksum
get http://10.0.2.2:8000/none
get http://10.0.2.2:8001/
get http://10.0.2.77/
ping -c 1 -i 300 10.0.2.77
host host.test nobody.test
random 4
random 4
httpd &
echo words from the Guest | nc -l 90
sleep 1
ip
poweroff
EOF
/bin/launcher --timeout=100 --verbose --rng \
	--net=user,hostfwd=tcp:127.0.0.1:8080-:80,hostfwd=tcp:127.0.0.1:8090-:90 \
	/root/$KERNEL </tmp/keys >/tmp/said 2>&1 &
guest=$!
for i in $(seq 400); do
	grep -q '^teachos. echo words' /tmp/said && break
	usleep 100000
done
usleep 500000
wget -q -O /tmp/got http://127.0.0.1:8080/bin/httpd && cmp /tmp/got /root/httpd &&
	echo "served: the same"
wget -q -O /tmp/got http://127.0.0.1:8080/no/such 2>&1 | sed 's/^/absent: /'
wget -q -O /tmp/got http://127.0.0.1:8080/../etc/motd 2>&1 | sed 's/^/above: /'
printf 'GET /etc/motd' | busybox nc -w 1 127.0.0.1 8080 >/tmp/half	# it never ends its line
wget -q -O - http://127.0.0.1:8080/etc/motd | sed 's/^/motd: /'
echo words for the Guest | busybox nc -w 5 127.0.0.1 8090 | sed 's/^/nc: /'
wait $guest
cat /tmp/said
"""


def make_teachos_net(config, kernel="teachos"):
    """TeachOS on a network, by what others see of it."""
    prefix = "teachos-net/%s/%s" % (kernel, config)

    def suite(wanted):
        status, output = machine.run(["make", "-sC", os.path.join(TOP, "tests", "net"),
                                      "BUILD=" + BUILD], 60)
        if status != 0:
            return [Result(prefix, ERROR, "tests/net does not build: %s"
                           % machine.tail(output, 2), output)]
        with tempfile.TemporaryDirectory(prefix="lg-net-") as folder:
            odd, script = os.path.join(folder, "odd"), os.path.join(folder, "net.sh")
            with open(odd, "wb") as f:
                f.write(random.Random(18).randbytes(1300021))
            with open(script, "w", encoding="utf-8") as f:
                f.write("KERNEL=%s.elf\n%s" % (kernel, TEACHOS_NET))
            crc = subprocess.run(["cksum", odd], stdout=subprocess.PIPE, check=True).stdout
            crc = b" ".join(crc.split()[:2]).decode()
            outcome = nested(config, ["sh", "/root/net.sh"], patience=150, files=[
                script, odd, need(TEACHOS[kernel], "make -C teachos") + ":/root/%s.elf" % kernel,
                need(os.path.join(BUILD, "teachos", "root", "bin", "httpd"), "make -C teachos"),
                os.path.join(BUILD, "tests", "dns")])
        text = outcome.output.replace("\r", "")

        def says(name, what, times=1):
            """what, a regular expression, is there at the beginning of so many lines."""
            found = len(re.findall("^" + what, text, re.M))
            return check("%s/%s" % (prefix, name), found == times,
                         "'%s' %d times, expected %d" % (what, found, times), text)

        results = [
            says("ping", r"64 bytes from 10\.0\.2\.2: number \d, \d+\.\d+ ms$", 3),
            says("ping/sum", r"3 sent, 3 answered, 0 % lost; ms: shortest \d+\.\d+, average"),
            says("get", crc + r" standard input$"),
            says("get/file", crc + r" /tmp/odd$"),
            says("get/rate", r"get: 1300021 bytes in \d+\.\d+ s, \d+ KB/s$", 2),
            says("get/empty", r"4294967295 0 standard input$"),
            says("get/absent", r"get: http://10\.0\.2\.2:8000/none: the server says: 404"),
            says("get/refused", r"get: 10\.0\.2\.2, port 8001: nobody listens there$"),
            says("get/nobody", r"get: 10\.0\.2\.77, port 80: nobody is there$"),
            says("ping/nobody", r"1 sent, 0 answered, 100 % lost$"),
            says("host", r"host\.test is 192\.0\.2\.7$"),
            says("host/unknown", r"host: nobody\.test: there is no such name$"),
            says("random", r"[0-9a-f]{8}$", 2),
            says("httpd", r"served: the same$"),
            says("httpd/absent", r"absent: .* 404 Not Found$"),
            says("httpd/above", r"above: .* 400 Bad Request$"),
            says("httpd/goes on", r"motd: .*TeachOS"),
            says("nc", r"nc: words from the Guest$"),
            says("nc/back", r"words for the Guest$"),
        ]
        drawn = re.findall("^([0-9a-f]{8})$", text, re.M)
        results.append(check(prefix + "/random/differs", len(set(drawn)) == 2,
                             "twice the same: %s" % drawn))
        # Both sides of the ring have counted.
        guest = [re.findall(r"^packets %s (\d+)$" % word, text, re.M)
                 for word in ("received", "sent")]
        found = re.search(r"launcher: network \S+: (\d+) packets for the Guest, (\d+) from it; "
                          r"lost: (\d+) without", text)
        counted = found.groups() if found else ("0", "none", "0")
        results.append(check(prefix + "/counters", guest == [[counted[0]], [counted[1]]]
                             and int(counted[0]) > 1000 and counted[2] == "0",
                             "received, sent: the Guest counted %s, the Launcher %s"
                             % (guest, counted), text))
        return results + log_results(prefix, outcome.log)
    return suite


# ---- What the Host counts -----------------------------------------------------------

def make_stats(config):
    """--stats tells what really happened: the inmates' own numbers are the oracle."""
    prefix = "stats/%s" % config

    def suite(wanted):
        known = inmates_of.load(INMATES)

        def line(name, arguments=""):
            command = known[name].command(arguments)
            return ("run", name, 60, command.replace(
                "/bin/launcher", "/bin/launcher --stats=/tmp/s.json") + "; cat /tmp/s.json")
        names = ["ring", "syscall", "paging2", "pagingpae", "linear", "interrupts"]
        # Three Guests: two with a heart, one that only burns time.
        three = ("run", "lgtop", 60, "cd /root; "
                 "launcher heartbeat.elf 100000 >/dev/null 2>&1 & a=$!; "
                 "launcher --memory=24 --rings --stats=/tmp/x ./heartbeat.elf 100000 >/dev/null "
                 "2>&1 & b=$!; launcher 32 /root/map.elf 1 >/dev/null 2>&1 & c=$!; sleep 2; "
                 "lgtop 2 | tail -4; echo ids $a $b $c; "
                 "echo pinned $(cat /sys/kernel/debug/lguest/pinned_pages); kill $a $b $c; wait")
        outcome, steps, last = batch(config, [line(n) for n in names] + [three],
                                     [elf(n) for n in names + ["heartbeat", "map"]], 120)
        stats = {}
        for n in names:
            text = steps[n].output
            start = text.find("{")
            try:
                stats[n] = json.loads(text[start:text.rfind("}") + 1])
            except ValueError as error:
                return [Result(prefix, FAIL, "%s: --stats wrote no JSON: %s" % (n, error), text)]
        flat = {n: dict(flatten(s)) for n, s in stats.items()}

        def figure(name, *words):
            for key, value in flat[name].items():
                if all(w.lower() in key.lower() for w in words) and isinstance(value, int):
                    return value
            return None
        expected = [
            ("ring", ("ring_runs",), lambda v: v >= 1000, "at least 1000 runs of the ring"),
            ("paging2", ("fill_dirty",), lambda v: v >= 3, "pages made writable by a first write"),
            ("paging2", ("root_misses",), lambda v: v >= 11, "at least eleven blank roots"),
            ("paging2", ("tables_recycled",), lambda v: v is not None, "a counter"),
            ("paging2", ("fault_protection",), lambda v: v >= 8, "at least eight"),
            ("paging2", ("fault_absent",), lambda v: v >= 200, "two hundred demand faults"),
            ("pagingpae", ("fault_absent",), lambda v: v >= 200, "two hundred demand faults"),
            ("linear", ("in_emulated",), lambda v: v >= 9, "at least nine IN"),
            ("linear", ("out_emulated",), lambda v: v >= 7, "at least seven OUT"),
            ("linear", ("cli_skipped",), lambda v: v == 1, "one CLI"),
            ("linear", ("fill_linear",), lambda v: v >= 10, "linear fills"),
            ("interrupts", ("irq_woke",), lambda v: v >= 50, "fifty HALTs ended"),
            ("interrupts", ("timer_fired",), lambda v: v >= 60, "the clock fired"),
            ("interrupts", ("irq_coalesced",), lambda v: v >= 1, "one coalesced"),
            ("interrupts", ("irq_in_noirq",), lambda v: v >= 1, "one held back by the range"),
            ("interrupts", ("irq_no_gate",), lambda v: v >= 1, "one without a gate"),
        ]
        results = []
        for n, words, good, text in expected:
            value = figure(n, *words)
            results.append(check("%s/%s/%s" % (prefix, n, words[0]),
                                 value is not None and good(value),
                                 "got %s, expected %s" % (value, text)))
        text = steps["lgtop"].output
        rows = [line.split() for line in re.findall(r"^ *\d+(?: +[\d.]+){7}  \S+$", text, re.M)]
        ids = re.findall(r"^ids (\d+) (\d+) (\d+)$", text, re.M)
        pinned = re.search(r"^pinned (\d+)$", text, re.M)
        by = {r[0]: r for r in rows}
        results.append(check(
            prefix + "/lgtop", len(rows) == 3 and ids and sorted(by) == sorted(ids[0])
            and [by[i][8] for i in ids[0]] == ["heartbeat.elf", "heartbeat.elf", "map.elf"]
            and all(int(by[i][4]) > 2 for i in ids[0][:2]) and by[ids[0][2]][4] == "0"
            and [int(r[1]) for r in rows] == sorted([int(r[1]) for r in rows], reverse=True)
            and abs(sum(float(r[6]) for r in rows) - int(pinned.group(1)) / 256) < 0.2,
            "it says: %s" % text, text))
        # int 0x80 through a trap gate from ring 3 never reaches the Host.
        direct = [v for k, v in flat["syscall"].items() if "direct" in k and
                  (k.endswith(".128") or k.endswith("[128]") or k.endswith(".0x80"))]
        results.append(check(prefix + "/syscall/direct",
                             bool(direct) and max(direct) >= 10000,
                             "int 0x80 delivered directly: %s, expected at least 10000" % direct))
        return results
    return suite


def make_worlds(kernel):
    """Whose time was it?  Work whose length is known is counted to the last instruction."""
    prefix = "worlds/%s" % kernel

    def suite(wanted):
        known = inmates_of.load(INMATES)["worlds"]
        plan = [("run", way.strip() + word, 60, known.command(word).replace(
            "/bin/launcher", "/bin/launcher --stats=/tmp/s.json " + way) + "; cat /tmp/s.json")
            for way in ("", "--rings ") for word in ("0", "100", "10", "1")]
        # What does it cost?  The inmate's own stopwatch knows, before, meanwhile and after.
        free = {"before": "", "stats": "--stats=/tmp/s ", "trace": "--trace=/tmp/t ", "after": ""}
        plan += [("run", name, 60, known.command("1000").replace("launcher ", "launcher " + way))
                 for name, way in free.items()]
        outcome, steps, last = batch(Config(kernel, "qemu64", 1), plan, [elf("worlds")], 120,
                                     extra=["--icount"])
        ticks, cost = {}, {}
        for name, step in steps.items():
            if name in free:
                found = re.search(r"^# ticks for a thousand calls: (\d+)$", step.output, re.M)
                cost[name] = int(found.group(1)) if found else 0
                continue
            start = step.output.find("{")
            try:
                stats = json.loads(step.output[start:step.output.rfind("}") + 1])
            except ValueError as error:
                return [Result(prefix, FAIL, "%s: --stats wrote no JSON: %s" % (name, error),
                               step.output)]
            if "not ok" in step.output or stats["launcher_status"]:
                return [Result(prefix, FAIL, "%s: the inmate failed" % name, step.output)]
            ticks[name] = {k[6:]: v for k, v in stats.items() if k.startswith("ticks_")}
        results = []
        # A loop: two instructions, 99,999 times more than without; reading one more digit of
        # the argument takes eight, taking it off one or two.  A call: mov, int, dec, jnz.
        loop = 2 * 99999
        # Without --rings an interrupt may divide ring 3's loop: the rest of it is `user` then.
        for t in ticks.values():
            t["program"] = t["user"] + t["both"]
        for way in ("", "--rings "):
            title = "%s/%s" % (prefix, "rings " if way else "")

            def more(word, world):
                return ticks[way.strip() + word][world] - ticks[way.strip() + "0"][world]
            for word, expected in (("100", {"kernel": loop + 2 * 8 + 2, "program": 0}),
                                   ("10", {"kernel": 8 + 2, "program": loop}),
                                   ("1", {"kernel": 4 * 999 + 1, "program": 0})):
                got = {world: more(word, world) for world in expected}
                results.append(check(title + word, got == expected,
                                     "%s instructions more, expected %s" % (got, expected)))
        # An interrupt makes it a trip more: the shorter one of two runs has none, most likely.
        calls = min(ticks[w + "1"]["switcher"] - ticks[w + "0"]["switcher"] for w in ("", "--rings"))
        results.append(check(prefix + "/switcher", 80 * 999 < calls < 200 * 999,
                             "999 trips take %d instructions" % calls))
        results.append(check(
            prefix + "/free", 0 < cost["before"] == cost["after"] < cost["stats"] < cost["trace"],
            "ticks for a thousand calls: %s" % cost))
        results.append(check(prefix + "/all", all(
            t["host"] > 0 and (t["both"] == 0) == name.startswith("--")
            for name, t in ticks.items()), "the Host's time, or time of both: %s" % ticks))
        return results
    return suite


def flatten(value, prefix=""):
    if isinstance(value, dict):
        for k, v in value.items():
            yield from flatten(v, "%s.%s" % (prefix, k))
    elif isinstance(value, list):
        for k, v in enumerate(value):
            yield from flatten(v, "%s[%d]" % (prefix, k))
    else:
        yield prefix, value


def make_trace(config):
    """The tracepoints tell what the counters tell, event by event."""
    prefix = "trace/%s" % config

    def suite(wanted):
        script = (
            "mount -t tracefs none /sys/kernel/tracing 2>/dev/null\n"
            "t=/sys/kernel/tracing\n"
            "echo 20000 >$t/buffer_size_kb\n"
            "echo 1 >$t/events/lguest/enable || exit 20\n"
            "/bin/launcher --stats=/tmp/s.json syscall.elf >/dev/null 2>&1; "
            "/bin/launcher kill-no-gate.elf >/dev/null 2>&1\n"
            "echo 0 >$t/events/lguest/enable\n"
            "for e in enter exit hypercall page_fault inject kill; do\n"
            "  echo \"event $e $(grep -c lguest_$e: $t/trace)\"\n"
            "done\n"
            "first=$(sed -n 's/^ *launcher-\\([0-9]*\\).*/\\1/p' $t/trace | head -1)\n"
            "echo \"event first-hypercall $(grep launcher-$first $t/trace | grep -c hypercall:)\"\n"
            "echo \"event first-inject $(grep launcher-$first $t/trace | grep -c inject:)\"\n"
            "cat /tmp/s.json\n")
        with tempfile.NamedTemporaryFile("w", prefix="lg-trace-", suffix=".sh") as f:
            f.write(script)
            f.flush()
            outcome = nested(config, ["sh", "/root/trace.sh"],
                             files=[f.name + ":/root/trace.sh", elf("syscall"),
                                    elf("kill-no-gate")], patience=150)
        seen = {n: int(v) for n, v in re.findall(r"^event (\S+) (\d+)", outcome.output, re.M)}
        text = outcome.output
        try:
            stats = dict(flatten(json.loads(text[text.find("{"):text.rfind("}") + 1])))
        except ValueError as error:
            return [Result(prefix, ERROR, "no trace and no counters: %s" % error, text)]

        def total(name):
            return sum(v for k, v in stats.items() if ".%s[" % name in k)
        calls = total("hypercall_direct") + total("hypercall_ring")
        given = total("reflected") + sum(v for k, v in stats.items() if k.endswith(".irq_delivered"))
        return [
            check(prefix + "/hypercalls", seen.get("first-hypercall") == calls > 0,
                  "%s traced, %d counted" % (seen.get("first-hypercall"), calls), text),
            check(prefix + "/injections", seen.get("first-inject") == given > 0,
                  "%s traced, %d counted" % (seen.get("first-inject"), given), text),
            check(prefix + "/kills", seen.get("kill") == 1, "%s traced, one happened"
                  % seen.get("kill"), text),
            check(prefix + "/entries", seen.get("enter", 0) >= seen.get("exit", 1) > 0,
                  "%s entries, %s exits" % (seen.get("enter"), seen.get("exit")), text),
        ] + log_results(prefix, outcome.log)
    return suite


# ---- NMIs -------------------------------------------------------------------------

def make_nmi(config, seconds_between=0.004):
    """Non-maskable interrupts from outside, as many as the monitor takes, into everything."""
    prefix = "nmi/%s" % config

    def suite(wanted):
        known = inmates_of.load(INMATES)
        names = ["registers", "syscall", "ring", "paging2", "fpu", "traps"]
        count = "grep NMI: /proc/interrupts"
        plan = [("run", "before", 5, count), ("say", "nmi-start")]
        # Each one now gets an extra load; give it time.
        for n in names:
            command = known[n].command(known[n].runs[0])
            plan.append(("run", n, 120, command.replace(
                "/bin/launcher", "/bin/launcher --stats=/tmp/%s.json" % n)))
        plan += [("say", "nmi-stop"), ("run", "after", 5, count),
                 ("run", "json", 5, "cat /tmp/*.json")]
        with machine.NmiRain(seconds_between) as rain:
            outcome, steps, last = batch(
                Config(config.kernel, config.cpu, config.smp, "loglevel=0"), plan,
                [elf(n) for n in names], 300, rain.on_line, rain.extra)
        results = []
        for n in names:
            if n not in steps:
                results.append(Result("%s/%s" % (prefix, n), ERROR, "was not carried out"))
            else:
                results.append(known[n].result(prefix, [
                    (known[n].runs[0], steps[n].output, steps[n].status)]))

        def total(step):
            return sum(int(w) for w in step.output.split() if w.isdigit())
        got = total(steps["after"]) - total(steps["before"])
        # Some fall together while one is being handled; most must arrive.
        results.append(check(prefix + "/counted", rain.sent >= 100 and got >= rain.sent // 3,
                             "%d sent, the nested kernel counted %d" % (rain.sent, got)))
        hits = {k: sum(int(v) for v in re.findall(r'"%s":\s*(\d+)' % k, steps["json"].output))
                for k in ("nmi_exits", "nmi_switcher", "entry_aborts")}
        results.append(check(prefix + "/hits", hits["nmi_exits"] > 0,
                             "no NMI hit a Guest: %s" % hits))
        if results[-1].word == PASS:
            results[-1].why = "%d NMIs: %s" % (got, ", ".join("%s %d" % h for h in hits.items()))
        results.append(counter_result(prefix, last))
        return results + log_results(prefix, outcome.log, also_harmless=[machine.NMI_SURPRISE])
    return suite


# ---- The debugger -------------------------------------------------------------------

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

    def __init__(self, config, options, words, patience=90):
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

    def end(self, patience=60):
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


# ---- The module -------------------------------------------------------------------

def module_of(kernel):
    """The lg.ko of a kernel of the matrix, found by its release."""
    found = [p for p in glob.glob(os.path.join(BUILD, "host", "*", "lg.ko"))
             if re.match(re.escape(kernel) + r"(\.|-|$)", os.path.basename(os.path.dirname(p)))]
    if not found:
        raise Broken("no lg.ko for kernel %s under build/host: make test builds it" % kernel)
    return max(found, key=os.path.getmtime)


def make_module(config, rounds=10):
    """insmod, run, rmmod, again and again; and rmmod while a Guest runs is refused."""
    prefix = "module/%s" % config

    def suite(wanted):
        script = (
            "set -e\n"
            "cat /proc/modules >/dev/null\n"
            "for i in $(seq %d); do\n"
            "  insmod /root/lg.ko\n"
            "  /bin/launcher 32 hello.elf one two three >/tmp/out 2>&1 || { cat /tmp/out; exit 21; }\n"
            "  grep -q '^1[.][.]' /tmp/out || { cat /tmp/out; exit 22; }\n"
            "  rmmod lg\n"
            "  [ ! -e /dev/lguest ] || { echo '/dev/lguest is still there'; exit 23; }\n"
            "done\n"
            "insmod /root/lg.ko\n"
            "/bin/launcher --timeout=30 16 silent.elf >/dev/null 2>&1 &\n"
            "pid=$!\n"
            "sleep 1\n"
            "if rmmod lg 2>/dev/null; then echo 'rmmod worked under a running Guest'; exit 24; fi\n"
            "kill $pid; wait $pid || true\n"
            "echo survived\n" % rounds)
        with tempfile.NamedTemporaryFile("w", prefix="lg-mod-", suffix=".sh") as f:
            f.write(script)
            f.flush()
            outcome = nested(config, ["sh", "/root/mod.sh"],
                             files=[f.name + ":/root/mod.sh", module_of(config.kernel)
                                    + ":/root/lg.ko", elf("hello"), elf("silent")],
                             patience=120, extra=["--no-module"])
        ok = outcome.status == 0 and "survived" in outcome.output
        return [check("%s/insmod-run-rmmod" % prefix, ok, "status %d: %s" % (
            outcome.status, machine.tail(outcome.output, 3)), outcome.output)] + \
            log_results(prefix, outcome.log)
    return suite


def make_starts(config, count):
    """Guest starts in a row: nothing may be lost on the way."""
    prefix = "starts/%s" % config

    def suite(wanted):
        script = (
            "free() { awk '/^MemAvailable/ { print $2 }' /proc/meminfo; }\n"
            "run() { /bin/launcher 4 unaligned.elf >/tmp/out 2>&1 || { cat /tmp/out; exit 21; }; }\n"
            "i=0; while [ $i -lt 20 ]; do run; i=$((i+1)); done\n"
            "sync; echo 3 >/proc/sys/vm/drop_caches; echo before $(free)\n"
            "i=0; while [ $i -lt %d ]; do run; i=$((i+1)); done\n"
            "sync; echo 3 >/proc/sys/vm/drop_caches; sleep 1; echo after $(free) done $i\n"
            "cd /sys/kernel/debug/lguest; echo held $(cat guests pinned_pages tables)\n" % count)
        with tempfile.NamedTemporaryFile("w", prefix="lg-starts-", suffix=".sh") as f:
            f.write(script)
            f.flush()
            outcome = nested(config, ["sh", "/root/starts.sh"],
                             files=[f.name + ":/root/starts.sh", elf("unaligned")],
                             patience=60 + count // 2)
        text = outcome.output
        m = re.search(r"before (\d+)\s+after (\d+) done (\d+)\s+held (.*)", text)
        if not m or outcome.status != 0:
            return [Result(prefix + "/all", FAIL, "status %d: %s" % (
                outcome.status, machine.tail(text, 3)), text)]
        lost = int(m.group(1)) - int(m.group(2))
        # A page lost per start would be 4 KiB * count; the kernel's own caches move, too.
        limit = max(1024, 2 * count)
        return [check(prefix + "/all", int(m.group(3)) == count, "only %s" % m.group(3)),
                check(prefix + "/memory", lost < limit,
                      "%d KiB less after %d starts, allowed are %d" % (lost, count, limit)),
                check(prefix + "/counters", m.group(4).split() == ["0", "0", "0"],
                      "the Host holds %s (guests, pages, tables)" % m.group(4))] + \
            log_results(prefix, outcome.log)
    return suite


def make_pairs(config):
    """Two Guests at once: separate consoles, separate FPUs, separate memory."""
    prefix = "pairs/%s" % config

    def suite(wanted):
        known = inmates_of.load(INMATES)
        pairs = [("fpu", "1", "fpu", "77777"), ("registers", "1", "registers", "5"),
                 ("paging2", "", "pagingpae", ""), ("hello", "one two  three", "linear", ""),
                 ("syscall", "", "interrupts", "")]
        plan, who = [], []
        for k, (a, aa, b, ba) in enumerate(pairs):
            plan.append(("start", "%s.%d.a" % (a, k), 200, known[a].command(aa)))
            plan.append(("run", "%s.%d.b" % (b, k), 200, known[b].command(ba)))
            plan.append(("join", "%s.%d.a" % (a, k)))
            who += [("%s.%d.a" % (a, k), a, aa), ("%s.%d.b" % (b, k), b, ba)]
        # And four at once.
        four = [("fpu", "3"), ("fpu", "4"), ("traps", ""), ("ring", "")]
        for k, (n, a) in enumerate(four):
            plan.append(("start", "%s.four.%d" % (n, k), 200, known[n].command(a)))
            who.append(("%s.four.%d" % (n, k), n, a))
        plan += [("join", "%s.four.%d" % (n, k)) for k, (n, a) in enumerate(four)]
        outcome, steps, last = batch(config, plan, [elf(n) for n in {w[1] for w in who}], 300)
        results = []
        for ident, name, arguments in who:
            if ident not in steps:
                results.append(Result("%s/%s" % (prefix, ident), ERROR, "was not carried out"))
                continue
            why = known[name].judge(arguments, steps[ident].output, steps[ident].status)
            results.append(check("%s/%s" % (prefix, ident), why is None, why,
                                 steps[ident].output))
        results.append(counter_result(prefix, last))
        return results + log_results(prefix, outcome.log)
    return suite


def make_killed(config):
    """kill -9 for Launchers in the middle: at every age, in every state."""
    prefix = "killed/%s" % config

    def suite(wanted):
        script = (
            "held() { echo $(cat /sys/kernel/debug/lguest/guests "
            "/sys/kernel/debug/lguest/pinned_pages /sys/kernel/debug/lguest/tables); }\n"
            "for guest in silent heartbeat registers paging2 fpu; do\n"
            "  for delay in 0 0.01 0.03 0.1 0.3; do\n"
            "    /bin/launcher 16 $guest.elf 1000 >/dev/null 2>&1 &\n"
            "    pid=$!\n"
            "    sleep $delay\n"
            "    kill -9 $pid 2>/dev/null\n"
            "    wait $pid 2>/dev/null\n"
            "    n=0; while [ \"$(held)\" != '0 0 0' ] && [ $n -lt 50 ]; do sleep 0.1; n=$((n+1)); done\n"
            "    echo \"$guest $delay: $(held)\"\n"
            "  done\n"
            "done\n"
            # The others go on: one of two is killed.
            "/bin/launcher 16 heartbeat.elf 60 >/tmp/one 2>&1 &\n"
            "one=$!\n"
            "/bin/launcher 16 silent.elf >/dev/null 2>&1 &\n"
            "two=$!\n"
            "sleep 0.5; kill -9 $two; wait $two; wait $one; echo \"other $?\"; echo last $(held)\n"
            # Polite signals: the Launcher ends with 128 + n.
            "timeout -s INT 1 /bin/launcher 16 silent.elf >/dev/null 2>&1; echo \"signal INT $?\"\n"
            "for s in TERM HUP; do\n"
            "  /bin/launcher 16 silent.elf >/dev/null 2>&1 & pid=$!\n"
            "  sleep 0.3; kill -$s $pid; wait $pid; echo \"signal $s $?\"\n"
            "done\n"
            "echo end $(held)\n")
        names = ["silent", "heartbeat", "registers", "paging2", "fpu"]
        with tempfile.NamedTemporaryFile("w", prefix="lg-kill-", suffix=".sh") as f:
            f.write(script)
            f.flush()
            outcome = nested(config, ["sh", "/root/kill.sh"],
                             files=[f.name + ":/root/kill.sh"] + [elf(n) for n in names],
                             patience=120)
        text = outcome.output
        results = []
        for n in names:
            mine = re.findall(r"^%s [\d.]+: (.*)$" % n, text, re.M)
            results.append(check("%s/%s" % (prefix, n),
                                 len(mine) == 5 and all(m.strip() == "0 0 0" for m in mine),
                                 "the Host held (guests, pages, tables): %s" % mine))
        results.append(check(prefix + "/neighbour", "other 0" in text and "last 0 0 0" in text,
                             machine.tail(text, 5)))
        for name, number in (("INT", 130), ("TERM", 143), ("HUP", 129)):
            got = re.search(r"^signal %s (\d+)" % name, text, re.M)
            results.append(check("%s/SIG%s" % (prefix, name), bool(got)
                                 and int(got.group(1)) == number,
                                 "exit status %s, expected %d" % (
                                     got.group(1) if got else "none", number)))
        results.append(check(prefix + "/end", "end 0 0 0" in text, machine.tail(text, 2)))
        return results + log_results(prefix, outcome.log)
    return suite


def descendants(pid):
    """All living processes below pid, from /proc."""
    children = {}
    for stat in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(stat) as f:
                text = f.read()
        except OSError:
            continue
        mine, rest = text.split(" ", 1)[0], text.rsplit(")", 1)[1].split()
        children.setdefault(int(rest[1]), []).append(int(mine))
    found, todo = [], [pid]
    while todo:
        for child in children.get(todo.pop(), []):
            found.append(child)
            todo.append(child)
    return found


def qemu_killed(wanted):
    """kill -9 for QEMU in the middle: one clear message, its own status, nothing left."""
    prefix = "qemu-killed"
    config = Config("6.1", "qemu64", 1)
    with tempfile.TemporaryDirectory(prefix="lg-tmp-") as folder:
        env = dict(os.environ, TMPDIR=folder)
        process = subprocess.Popen(
            [machine.NESTED, "exec"] + config.options() + ["--timeout", "60", "--file",
             elf("heartbeat"), "--", "/bin/launcher", "16", "heartbeat.elf", "2000"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True, env=env)
        machine.RUNNING.add(process)
        try:
            qemu, deadline = None, time.time() + 30
            while qemu is None and time.time() < deadline and process.poll() is None:
                time.sleep(0.2)
                for pid in descendants(process.pid):
                    try:
                        with open("/proc/%d/cmdline" % pid, "rb") as f:
                            if b"qemu-system" in f.read().split(b"\0")[0]:
                                qemu = pid
                    except OSError:
                        pass
            if qemu is None:
                raise Broken("no QEMU was started: %s" % process.stdout.read()[-300:])
            time.sleep(4)
            os.kill(qemu, signal.SIGKILL)
            try:
                output = process.communicate(timeout=20)[0].decode("utf-8", "replace")
            except subprocess.TimeoutExpired:
                return [Result(prefix, FAIL, "tools/nested did not notice within 20 s")]
            left = os.listdir(folder)
            return [check(prefix + "/status", process.returncode == 125,
                          "exit status %d, expected 125" % process.returncode, output),
                    check(prefix + "/message", bool(output.strip()), "it said nothing"),
                    check(prefix + "/nothing left", not left and not descendants(process.pid),
                          "left in TMPDIR: %s" % left)]
        finally:
            machine.stop(process)
            machine.RUNNING.discard(process)


# ---- Bad input --------------------------------------------------------------------

def make_elf(segments, entry, machine_number=3, kind=2, klass=1, cut=None):
    """An ELF file from [(paddr, bytes, memsz)]."""
    import struct
    offset = 52 + 32 * len(segments)
    headers, body = b"", b""
    for paddr, data, memsz in segments:
        headers += struct.pack("<8I", 1, offset + len(body), paddr, paddr, len(data), memsz, 7, 4096)
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
                     ">>/etc/passwd; su -s /bin/sh nobody -c '/bin/launcher --capsule=never 16 /tmp/g'"))
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
    outcome = nested(config, ["sh", "-c", "/bin/launcher --capsule=never 16 unaligned.elf; echo rc $?"],
                     files=[elf("unaligned")], extra=["--no-module"], patience=60)
    m = re.search(r"rc (\d+)", outcome.output)
    lines = [l for l in outcome.output.splitlines() if l.strip() and not l.startswith("rc ")]
    return [check("without-host/message", bool(m) and int(m.group(1)) == 30 and len(lines) == 1
                  and "/dev/lguest" in lines[0], "status and lines: %s" % outcome.output)]


def other_module(wanted):
    """A module built for another kernel: refused, with one clear message and no machine."""
    config = Config("6.1", "qemu64", 1)
    words = [machine.NESTED, "exec"] + config.options() + [
        "--timeout", "60", "--module", module_of("6.12"), "--", "true"]
    status, output = machine.run(words, 90)
    return [check("other-module/status", status == 125, "exit status %d: %s"
                  % (status, machine.tail(output, 2)), output),
            check("other-module/message", "lg" in output and len(output.strip()) > 0,
                  "said: " + machine.tail(output, 2))]


# ---- Outside ----------------------------------------------------------------------

def capsule(wanted):
    """The Launcher started where there is no /dev/lguest: the same, in a nested machine."""
    prefix = "capsule"
    need(LAUNCHER, "make -C launcher")
    if os.path.exists("/dev/lguest"):
        raise Broken("/dev/lguest exists on this machine: the capsule would not be used")
    results = []
    with tempfile.TemporaryDirectory(prefix="lg-capsule-") as folder:
        stats = os.path.join(folder, "stats.json")
        status, output = machine.run([LAUNCHER, "--stats=" + stats, "32", elf("hello"), "one",
                                      "two", "three"], 90)
        known = inmates_of.load(INMATES)["hello"]
        why = known.judge("", output, status)
        results.append(check(prefix + "/hello", why is None, why, output))
        results.append(check(prefix + "/stats come out", os.path.exists(stats)
                             and os.path.getsize(stats) > 100, "no %s" % stats))
        death = os.path.join(folder, "death.json")
        status, output = machine.run([LAUNCHER, "--death=" + death, elf("kill-gdt-index"), "99"],
                                     90)
        results.append(check(prefix + "/killed", status == 4 and "too many gdt" in output.lower(),
                             "exit status %d, expected 4: %s" % (status, machine.tail(output, 2))))
        try:
            with open(death, encoding="utf-8") as f:
                told = json.load(f)
        except (OSError, ValueError) as error:
            told = {"code": str(error)}
        results.append(check(prefix + "/--death comes out", told["code"] == "E-SEG-01"
                             and len(told.get("registers", ())) == 16
                             and "too many gdt" in told.get("text", ""), str(told)))
        status, output = machine.run([LAUNCHER, elf("shutdown-crash")], 90)
        results.append(check(prefix + "/crashed", status == 3 and "the sky fell" in output,
                             "exit status %d, expected 3: %s" % (status, machine.tail(output, 2))))
        status, output = machine.run([LAUNCHER, "--timeout=1", elf("silent")], 90)
        results.append(check(prefix + "/time-out", status == 5,
                             "exit status %d, expected 5: %s" % (status, machine.tail(output, 2))))
        results += capsule_network(prefix + "/net")
        begun = time.time()
        status, output = machine.run([LAUNCHER, os.path.join(folder, "missing")], 90)
        results.append(check(prefix + "/missing file, before any machine",
                             status == 10 and time.time() - begun < 1.5,
                             "exit status %d after %.1f s" % (status, time.time() - begun)))
        env = dict(os.environ, LG_QEMU="qemu-system-that-is-not-there")
        status, output = machine.run([LAUNCHER, elf("hello")], 90, env=env)
        lines = [l for l in output.splitlines() if l.strip()]
        results.append(check(prefix + "/no QEMU", status in (30, 33) and 1 <= len(lines) <= 2,
                             "exit status %d, expected 30: %s" % (status, output)))
    return results


def capsule_network(prefix):
    """--net=user in a capsule: a port of *this* machine is the Guest's, and the Guest's MAC."""
    status, output = machine.run(["make", "-sC", os.path.join(TOP, "tests", "net"),
                                  "BUILD=" + BUILD], 60)
    if status != 0:
        return [Result(prefix, ERROR, "tests/net does not build", output)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
        taken = machine.run([LAUNCHER, "--net=user,hostfwd=udp:127.0.0.1:%d-:7" % port,
                             elf("net"), "1"], 60)
    said = []
    peer = threading.Thread(target=lambda: said.append(machine.run(
        [os.path.join(BUILD, "tests", "peer"), "127.0.0.1", str(port)], 120)))

    def on_line(line):
        if "listening" in line:
            peer.start()
    status, output = machine.run(
        [LAUNCHER, "--timeout=60", "--net=user,hostfwd=udp:127.0.0.1:%d-:7" % port, "16",
         elf("net"), "1"], 120, on_line)
    if peer.ident:
        peer.join()
    asked = machine.run([LAUNCHER, "--timeout=60", "--net=user", "16", elf("net")], 120)
    return [
        check(prefix, status == 0 and "ok somebody spoke to us" in output,
              "exit status %d: %s" % (status, machine.tail(output, 2)), output),
        check(prefix + "/from outside", said and "ok 93 datagrams came back" in said[0][1],
              "the other end says %s" % said, output),
        check(prefix + "/to the gateway", asked[0] == 0 and "ok 300 pings came back" in asked[1],
              "exit status %d: %s" % (asked[0], machine.tail(asked[1], 2)), asked[1]),
        check(prefix + "/port in use", taken[0] == 25 and "Address already in use" in taken[1]
              and len(taken[1].splitlines()) == 1, "%s" % (taken,)),
    ]


def flow(wanted):
    """Much input for slow readers and much output for slow writers: no byte is lost."""
    config = Config("6.1", "qemu64", 1)
    results = []
    with tempfile.TemporaryDirectory(prefix="lg-flow-") as folder:
        def noise(name, size):
            path = os.path.join(folder, name)
            with open(path, "wb") as f:
                f.write(os.urandom(size))
            return path

        def checksum(path):
            with open(path, "rb") as f:
                return hashlib.sha256(f.read()).hexdigest()

        # Through a Guest, a megabyte in and out again; the pipe's other end sleeps first.
        megabyte = noise("megabyte", 1 << 20)
        script = ("/bin/launcher --timeout=60 16 echo.elf 1048576 <megabyte >out; echo status $?; "
                  "sha256sum <out; cat megabyte | /bin/launcher --timeout=60 16 echo.elf 1048576 | "
                  "{ sleep 2; sha256sum; }")
        outcome = nested(config, ["sh", "-c", script], files=[megabyte, elf("echo")], patience=100)
        sums = re.findall(r"^([0-9a-f]{64}) ", outcome.output, re.M)
        for k, name in enumerate(("file", "slow pipe")):
            results.append(check("flow/1 MB through a Guest, " + name, len(sums) == 2 and
                                 sums[k] == checksum(megabyte), machine.tail(outcome.output, 3)))
        # By the serial line, to somebody who does not read for a while.
        part = noise("part", 200 << 10)
        words = [machine.NESTED, "exec"] + config.options() + [
            "--timeout", "60", "--stdin", "--split", "--", "sh", "-c",
            "sleep 6; echo now; sha256sum"]
        taken = []
        with open(part, "rb") as f:
            status, output = machine.run(words, 90, stdin=f, on_line=lambda line: taken.append(
                os.lseek(f.fileno(), 0, os.SEEK_CUR)))
        results.append(check("flow/exec --stdin", status == 0 and checksum(part) in output,
                             "status %d: %s" % (status, machine.tail(output, 2))))
        # What a pipe can hold, and a portion or two; without flow control it is all.
        results.append(check("flow/exec --stdin waits", taken and 0 < taken[0] <= 128 << 10,
                             "%s bytes were taken before anybody read" % taken[:1]))
        # The capsule: everything between a file here and a Guest in there.
        part = noise("small", 48 << 10)
        out = os.path.join(folder, "out")
        with open(part, "rb") as f:
            status, output = machine.run(["sh", "-c", "exec %s 16 %s 49152 >%s" % (
                LAUNCHER, elf("echo"), out)], 90, stdin=f)
        results.append(check("flow/capsule, there and back", status == 0 and
                             checksum(out) == checksum(part), "status %d: %d bytes: %s" % (
                                 status, os.path.getsize(out), machine.tail(output, 2))))
    return results


def capsule_disks(wanted):
    """What a Guest wrote comes back, however it ended; and half a disk never does."""
    from .terminal import Terminal
    known = inmates_of.load(INMATES)["block"]
    results = []
    with tempfile.TemporaryDirectory(prefix="lg-disks-") as folder:
        disk = os.path.join(folder, "disk.img")
        words = [LAUNCHER, "--block=" + disk, "16", elf("block"), "1"]

        def fresh():
            with open(disk, "wb") as f:
                f.write(known.disk_before())

        def is_written():
            with open(disk, "rb") as f:
                return known.judge_disk(f.read())

        def is_whole():
            with open(disk, "rb") as f:
                if f.read() != known.disk_before():
                    return "the disk has changed"
            return "files were left: %s" % os.listdir(folder) if len(os.listdir(folder)) > 1 else None

        def started(merge=True):
            p = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, start_new_session=True)
            seen = b""
            while b"and it stays" not in seen:
                part = os.read(p.stdout.fileno(), 4096)
                if not part:
                    break
                seen += part
            return p

        fresh()
        with Terminal(words) as t:
            t.expect(rb"and it stays", 60)
            t.send(b"\x01x")
            status = t.wait(60)
            why = is_written() or (status != 0 and "exit status %s: %r" % (status, t.tail()))
            results.append(check("capsule-disks/Ctrl-A x", not why, why))
        fresh()
        p = started()
        p.terminate()
        output = p.communicate(timeout=60)[0].decode()
        why = is_written() or (p.returncode != 143 and "exit status %d: %s" % (
            p.returncode, machine.tail(output, 2)))
        results.append(check("capsule-disks/SIGTERM", not why, why, output))
        # The machine dies: QEMU is the one descendant of that name.
        fresh()
        p = started()
        for pid in descendants(p.pid):
            with open("/proc/%d/comm" % pid, encoding="ascii") as f:
                if f.read().startswith("qemu-system"):
                    os.kill(pid, signal.SIGKILL)
        output = p.communicate(timeout=60)[0].decode()
        why = is_whole() or (disk + ": what was written in the machine did not come out; it is as "
                             "it was" not in output and "it is not said: " + machine.tail(output, 3))
        results.append(check("capsule-disks/the machine dies", not why and p.returncode == 33,
                             why or "exit status %d" % p.returncode, output))
    return results


def disk_trouble(wanted):
    """Real trouble with a disk, under a real Guest: it hears of it, and the Launcher lives."""
    config = Config("6.1", "qemu64", 1)
    script = """
mkdir /small; mount -t tmpfs -o size=64k none /small
say() { echo "status $1 $2"; sed "s/^/$1| /" out; }
# Sparse, and no room for the sectors that are written.
dd if=/dev/zero of=/small/full.img bs=1 count=0 seek=1M 2>/dev/null
dd if=/dev/zero of=/small/rest bs=4k 2>/dev/null
/bin/launcher --timeout=20 --block=/small/full.img 16 block.elf >out 2>&1; say full $?
rm /small/rest
# Read-only by its permissions.
cp block.img ro.img; chmod 444 ro.img; sha256sum ro.img >before
/bin/launcher --timeout=20 --block=ro.img 16 block.elf >out 2>&1; say ro $?
sha256sum -c before >out 2>&1; say unchanged $?
# An odd size, and none at all.
cp block.img odd.img; printf odd >>odd.img
/bin/launcher --timeout=20 --block=odd.img 16 block.elf >out 2>&1; say odd $?
echo "tail $(tail -c 3 odd.img) $(stat -c %s odd.img)"
: >none.img
/bin/launcher --timeout=20 --block=none.img 16 block.elf >out 2>&1; say none $?
# Two Launchers; then the file goes away under the first one, then it shrinks.
/bin/launcher --timeout=30 --block=block.img 16 block.elf 1 >first 2>&1 &
first=$!
while ! grep -q stays first; do sleep 0.1; done
/bin/launcher --timeout=20 --block=block.img 16 block.elf >out 2>&1; say second $?
rm block.img
kill $first; wait $first; status=$?; cp first out; say removed $status
# Somebody cuts the file short as soon as it is being written to.
dd if=/dev/zero of=cut.img bs=512 count=64 2>/dev/null
/bin/launcher --timeout=30 --block=cut.img 16 diskcut.elf >out 2>&1 &
first=$!
while ! grep -q 'cut it now' out; do sleep 0.05; done
dd if=/dev/null of=cut.img bs=512 seek=6 2>/dev/null
wait $first; say cut $?
"""
    with tempfile.TemporaryDirectory(prefix="lg-disks-") as folder:
        image = os.path.join(folder, "block.img")
        with open(image, "wb") as f:
            f.write(inmates_of.load(INMATES)["block"].disk_before())
        outcome = nested(config, ["sh", "-c", script.replace("diskcut.elf", "block.elf 2")],
                         files=[image, elf("block")], patience=100)
    # (name, exit status, what must be said)
    table = [
        ("full", 3, ["not ok write two sectors", "disk full.img: could not write at sector 5: "
                     "No space left on device"]),
        ("ro", 3, ["ro.img: cannot be written to, so the Guest gets a read-only disk",
                   "not ok write two sectors"]),
        ("unchanged", 0, ["ro.img: OK"]),
        ("odd", 0, ["1..21"]),
        ("none", 24, ["none.img: the disk has 0 bytes; expected at least one sector"]),
        ("second", 24, ["block.img: the disk is in use"]),
        ("removed", 143, ["it stays"]),
        ("cut", 3, ["not ok read two sectors", "disk cut.img: could not read at sector 5:"]),
    ]
    results = []
    for name, status, words in table:
        said = "\n".join(re.findall(r"^%s\| (.*)$" % name, outcome.output, re.M))
        got = re.search(r"^status %s (\d+)$" % name, outcome.output, re.M)
        missing = [w for w in words if w not in said]
        good = got and int(got.group(1)) == status and not missing
        results.append(check("disk-trouble/" + name, good, "status %s, expected %d; '%s' is missing: %s" % (
            got and got.group(1), status, missing[:1], said[-500:]), outcome.output))
    results.append(check("disk-trouble/odd end", "tail odd 32771" in outcome.output, "the last 3 bytes"))
    return results + log_results("disk-trouble", outcome.log)


def typos(wanted):
    """Wrong words on the make command line get the nearest right one."""
    results = []
    for word, right in (("Preperation", "Preparation"), ("tset", "test"), ("lab33", "lab3"),
                        ("Swicher", "Switcher"), ("rnu", "run")):
        status, output = machine.run(["make", "--no-print-directory", word], 60)
        results.append(check("typos/make %s" % word, status != 0 and right in output,
                             "status %d, expected '%s' to be named: %s"
                             % (status, right, machine.tail(output, 2))))
    for word in ("Puppy", "Host"):
        status, output = machine.run(["make", "--no-print-directory", word], 60)
        results.append(check("typos/make %s works" % word, status == 0 and len(output) > 100,
                             "status %d: %s" % (status, machine.tail(output, 2))))
    return results


# ---- TeachOS ----------------------------------------------------------------------

# All that a Launcher can offer, for a self-test that leaves nothing out.
SELFTEST_DEVICES = "--rng --net=user --block=/root/disk.img"


def selftest_files():
    """The disk of SELFTEST_DEVICES: an ext2 file system, fresh."""
    path = os.path.join(BUILD, "tests", "selftest-disk.img")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.truncate(4 << 20)
    subprocess.run(["mkfs.ext2", "-q", "-F", path], check=True, timeout=30)
    return [path + ":/root/disk.img"]


def make_selftest(config):
    """TeachOS's own self-test, both builds."""
    prefix = "teachos/%s" % config

    def suite(wanted):
        plan = [("run", n, 150, "/bin/launcher --timeout=120 64 /root/%s.elf selftest" % n)
                for n in TEACHOS]
        files = ["%s:/root/%s.elf" % (need(p, "make -C teachos"), n) for n, p in TEACHOS.items()]
        outcome, steps, last = batch(config, plan, files, 330)
        results = []
        for n in TEACHOS:
            text = steps[n].output
            bad = [l for l in text.splitlines() if re.match(r"^(not ok|FAIL)\b", l)]
            good = [l for l in text.splitlines() if re.match(r"^ok\b", l)]
            why = None
            if bad:
                why = bad[0]
            elif steps[n].status != 0:
                why = "exit status %d: %s" % (steps[n].status, machine.tail(text, 3))
            elif not good:
                why = "no test was run: %s" % machine.tail(text, 3)
            results.append(check("%s/%s" % (prefix, n), why is None, why, text[-6000:]))
            if why is None:
                results[-1].why = "%d tests" % len(good)
        results.append(counter_result(prefix, last))
        return results + log_results(prefix, outcome.log)
    return suite


def make_shell(config):
    """TeachOS's shell on a terminal, typed at by a script."""
    prefix = "shell/%s" % config

    def suite(wanted):
        from .terminal import Terminal
        words = [machine.NESTED, "exec"] + config.options() + [
            "--timeout", "100", "--tty", "--file",
            need(TEACHOS["teachos"], "make -C teachos") + ":/root/teachos.elf", "--",
            "/bin/launcher", "64", "/root/teachos.elf"]
        results = []
        with Terminal(words) as t:
            prompt = t.expect(rb"[$#>] $", 60)
            results.append(check(prefix + "/prompt", prompt, "no prompt: %r" % t.tail()))
            if prompt:
                t.send(b"echo hello from the $ shell\r")
                results.append(check(prefix + "/echo", t.expect(
                    rb"echo hello[^\n]*\n[^\n]*hello from", 20), "got %r" % t.tail()))
                t.expect(rb"[$#>] $", 10)
                t.send(b"no-such-program\r")
                results.append(check(prefix + "/no such program", t.expect(
                    rb"no-such-program: (not found|no such)", 20), "got %r" % t.tail()))
                t.expect(rb"[$#>] $", 10)
                t.send(b"help\r")
                results.append(check(prefix + "/help", t.expect(rb"help\r?\n[^$#>]*\w", 20),
                                     "got %r" % t.tail()))
                t.expect(rb"[$#>] $", 10)
                # A line of 80 columns, and one more below it; go up, to the begin, search.
                t.send(b"edit /tmp/note\r")
                t.expect(rb"A new file", 20)
                t.send(b"a" * 85 + b"\rsecond\x1b[A\x1b[HX\x06sec\r2 \x13")
                results.append(check(prefix + "/edit: saved", t.expect(rb"Saved: 95 bytes", 20),
                                     "got %r" % t.tail()))
                t.send(b"\x11")
                t.expect(rb"[$#>] $", 10)
                t.send(b"cat /tmp/note; wc /tmp/note\r")
                results.append(check(prefix + "/edit: the file", t.expect(
                    rb"\nXa{85}\r?\n2 second +1 +3 +95", 20), "got %r" % t.tail()))
                t.expect(rb"[$#>] $", 10)
                t.send(b"sleep 100\r")
                t.expect(rb"\n", 10)
                time.sleep(0.5)
                t.send(b"\x1a")
                results.append(check(prefix + "/Ctrl-Z", t.expect(rb"stopped  sleep 100", 20),
                                     "got %r" % t.tail()))
                t.expect(rb"[$#>] $", 10)
                # Pasted, faster than anybody reads.
                t.send(b"echo " + b"x" * 9990 + b" | wc\r")
                results.append(check(prefix + "/ten thousand characters", t.expect(
                    rb"1 +1 +9991\r?\n", 60), "got %r" % t.tail()))
                t.expect(rb"[$#>] $", 10)
                t.send(b"\x01x")
                status = t.wait(30)
                results.append(check(prefix + "/Ctrl-A x", status == 0,
                                     "exit status %s, expected 0: %r" % (status, t.tail())))
                results.append(check(prefix + "/terminal restored", t.same_settings(),
                                     "the terminal's settings have changed"))
        return results
    return suite


# ---- The bare machine: no Guest, no Host, the same kernel ----------------------------

def make_native(cpu):
    """TeachOS's self-test in ring 0, both builds; the verdict is QEMU's exit status."""
    prefix = "native/%s" % cpu

    def suite(wanted):
        results = []
        for name in TEACHOS:
            status, output = native.run(name, "selftest", cpu=cpu, patience=90)
            results.append(native.verdict("%s/%s" % (prefix, name), status, output))
        return results
    return suite


def native_devices(wanted):
    """All virtio devices over PCI, two and two on one interrupt line, the same drivers."""
    checker = shutil.which("e2fsck", path=os.environ.get("PATH", "") + ":/sbin:/usr/sbin")
    if not checker:
        raise Broken("no e2fsck here: sudo apt-get install e2fsprogs")
    with tempfile.TemporaryDirectory(prefix="lg-native-") as folder:
        path, disk = os.path.join(folder, "console"), os.path.join(folder, "disk")
        native.make_disk(disk)
        # Slots 4 and 8 are wired to the same line on this board, and 5 and 9.
        status, output = native.run("teachos", "selftest", patience=120, more=[
            "-chardev", "file,id=c,path=" + path,
            "-device", "virtio-serial-pci,addr=4,max_ports=1," + native.LEGACY,
            "-device", "virtconsole,chardev=c",
            "-device", "virtio-rng-pci,addr=5," + native.LEGACY,
            *native.disk(disk, 8), *native.network(9)])
        with open(path, encoding="utf-8", errors="replace") as f:
            text = f.read()
        checked, complaint = machine.run([checker, "-fn", disk], 60)
    results = [native.verdict("native/virtio-pci", status, text),
               check("native/virtio-pci/e2fsck", checked == 0, complaint)]
    for word, what in (("the console interrupts", "console"), ("on a disk", "disk"),
                       ("answers an echo", "network"), ("random numbers", "rng")):
        results.append(check("native/virtio-pci/" + what, re.search(
            "^ok .*" + word, text, re.M), "no test '%s' was passed" % word, text))
    return results


def native_ends(wanted):
    """Each way a machine can end has its own status, also without any console."""
    results = []
    for name, arguments, cpu, expected, says in (
            ("power off", "init=/bin/poweroff", "qemu64", native.WELL, None),
            ("restart", "init=/bin/reboot", "qemu64", native.RESTART, None),
            ("panic", "panic", "qemu64", native.CRASHED, "page fault (vector 14"),
            ("no such program", "init=/bin/nonsense", "qemu64", native.CRASHED,
             "cannot run /bin/nonsense: no such file")):
        status, output = native.run("teachos", arguments, cpu=cpu)
        results.append(check("native/ends/" + name, status == expected and (says or "") in output,
                             "status %d, expected %d: %s" % (
                                 status, expected, machine.tail(output, 3)), output))
    # The battery's clock, on a day that not every year has.
    status, output = native.run("teachos", "init=/bin/stat /etc/motd", more=[
        "-rtc", "base=2028-02-29T23:58:00"])
    results.append(check("native/ends/date", "changed 2028-02-29 23:5" in output,
                         machine.tail(output, 1), output))
    # Without the test's port: the board's own switch (QEMU ends with 0), and a real reset.
    words = native.command(more=["-no-reboot"]) + ["-kernel", TEACHOS["teachos"], "-append"]
    for name, program in (("ACPI", "/bin/poweroff"), ("reset", "/bin/reboot")):
        status, output = machine.run(words + ["init=" + program], 60)
        # Where neither happens the machine stands still, and that is Overdue.  What it prints
        # does not count: on a busy machine QEMU lets it run on for a while.
        results.append(check("native/ends/" + name, status == 0,
                             "status %d: %s" % (status, machine.tail(output, 3)), output))
    # A processor that is too old is told so.  It stops there: the line must come, not the end.
    for name, cpu in (("teachos", "pentium"), ("teachos-pae", "pentium")):
        said = threading.Event()

        def look(line):
            if "needs a processor with" in line:
                said.set()
        try:
            machine.run(native.command(cpu) + native.kernel(name, ""), 4, on_line=look)
        except Overdue:
            pass
        results.append(check("native/ends/%s on a Pentium" % name, said.is_set(),
                             "it did not complain"))
    return results


def native_keys(wanted):
    """A person at the machine: the serial line, then the keyboard."""
    from .terminal import Terminal
    results = []
    with tempfile.TemporaryDirectory(prefix="lg-native-") as folder:
        path = os.path.join(folder, "monitor")
        words = native.command(more=["-no-reboot", "-vga", "std", "-monitor",
                                     "unix:%s,server=on,wait=off" % path])
        words[0] = shutil.which(words[0]) or words[0]
        with Terminal(words + native.kernel("teachos", "")) as t:
            if not t.expect(rb"\$ $", 60):
                return [Result("native/keys", FAIL, "no prompt: %r" % t.tail())]
            t.send(b"echo from the $ line | wc\r")
            results.append(check("native/keys/serial line", t.expect(rb"\n +1 +4 +16", 20),
                                 "got %r" % t.tail()))
            t.expect(rb"\$ $", 10)
            # More than the UART and the terminal's line can hold, with nobody reading.
            t.send(b"sleep 1\r" + b"echo " + b"x" * 900 + b" | wc\r")
            results.append(check("native/keys/typed ahead", t.expect(rb"\n +1 +1 +901", 30),
                                 "got %r" % t.tail()))
            t.expect(rb"\$ $", 10)
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(path)
                keys = ["shift-h", "i", "backspace", "backspace", "e", "c", "h", "o", "spc",
                        "shift-q", "semicolon", "up", "down", "c", "backspace", "ret"]
                s.sendall("".join("sendkey %s 10\n" % k for k in keys).encode())
                results.append(check("native/keys/keyboard", t.expect(rb"\nQ\r*\n", 20),
                                     "got %r" % t.tail()))
            t.expect(rb"\$ $", 10)
            t.send(b"poweroff\r")
            status = t.wait(30)
            results.append(check("native/keys/poweroff", status == native.WELL,
                                 "status %s, expected %d" % (status, native.WELL)))
    return results


# ---- The images of `make iso` --------------------------------------------------------

def image(name):
    return need(os.path.join(BUILD, name), "make iso")


def from_cd(path, cpu="qemu64", memory=64):
    """QEMU's command line for an image, with the program as a full path."""
    words = native.command(cpu, memory, more=["-no-reboot", "-boot", "d", "-cdrom", path])
    return [shutil.which(words[0]) or words[0]] + words[1:]


def make_iso_teachos(cpu):
    """GRUB loads what it would load on a real machine; the verdict is QEMU's status."""
    prefix = "iso/teachos/%s" % cpu

    def suite(wanted):
        from .terminal import Terminal
        results = []
        for kernel in TEACHOS:
            name = "%s/%s" % (prefix, kernel)
            with Terminal(from_cd(image("teachos.iso"), cpu)) as t:
                if not t.expect(rb"Self-test, PAE", 60):
                    results.append(Result(name, FAIL, "no menu: %r" % t.tail()))
                    continue
                # GRUB's own command line: the menu knows nothing of the test's port.
                t.send(b"c")
                t.expect(rb"grub> ", 20)
                t.send(b"multiboot /boot/%s.elf exit=%s selftest\r"
                       % (kernel.encode(), native.EXIT_PORT.encode()))
                t.expect(rb"grub> ", 20)
                t.send(b"boot\r")
                status = t.wait(90)
                text = t.seen.decode("utf-8", "replace")
            results.append(native.verdict(name, -1 if status is None else status, text))
        # And the menu's first entry, as it stands.
        with Terminal(from_cd(image("teachos.iso"), cpu)) as t:
            t.expect(rb"Self-test, PAE", 60)
            t.send(b"\r")
            good = t.expect(rb"TeachOS \(native, 2-level.*\$ ", 60)
            t.send(b"poweroff\r")
            status = t.wait(30)
            results.append(check(prefix + "/menu", good and status == 0,
                                 "status %s: %r" % (status, t.tail())))
        return results
    return suite


def iso_lguest(wanted):
    """The lab host from its image: a Guest in it passes its self-test."""
    from .terminal import Terminal
    results = []
    with Terminal(from_cd(image("lguest.iso"), memory=512)) as t:
        t.expect(rb"The lab host", 60)
        t.send(b"\r")
        if not t.expect(rb"lguest# ", 90):
            return [Result("iso/lguest", FAIL, "no prompt: %r" % t.tail())]
        for guest in TEACHOS:
            # What is typed is echoed: the status must not look like what is typed.
            t.send(b"launcher %s.elf selftest; echo ended=$?.\r" % guest.encode())
            good = t.expect(rb"ended=\d+\.", 120)
            results.append(check("iso/lguest/" + guest, good and b"ended=0." in t.seen[t.at - 12:],
                                 "got %r" % (re.findall(rb"not ok [^\r\n]*", t.seen)[:1]
                                             or t.tail())))
        t.send(b"launcher inmates/syscall.elf; echo ended=$?.\r")
        results.append(check("iso/lguest/inmate", t.expect(rb"ended=0\.", 30),
                             "got %r" % t.tail()))
        t.send(b"poweroff\r")
        status = t.wait(60)
        results.append(check("iso/lguest/poweroff", status == 0, "status %s" % status))
    return results
