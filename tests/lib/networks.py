# SPDX-License-Identifier: MIT
"""Networks: each kind seen from its other end, and TeachOS on one of them."""

import os
import random
import re
import subprocess
import tempfile

from .machine import BUILD, log_results, need, nested_script
from .suites import TEACHOS, built, check, elf

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
        outcome = nested_script(
            config, NETWORKS, [elf("net"), elf("silent"), built("net", "peer")], patience=200,
            extra=["--load", "tun", "--load", "bridge", "--load", "veth"])
        text = outcome.output
        said = dict(re.findall(r"^([A-Za-z-]+): (.*)$", text, re.M))

        def figures(name):
            """What the Launcher counted: for the Guest, from it, lost (four kinds)."""
            found = re.search(r"^%s\| launcher: network \S+: (\d+) packets for the Guest, (\d+) "
                              r"from it; lost: (\d+) without a buffer, (\d+) while nobody "
                              r"listened, (\d+) on the way out, (\d+) of a wrong" % name,
                              text, re.M)
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
            results.append(expect(name + "/ping",
                                  "5 packets received" in said.get(name + "-ping", ""),
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
                              "the kernel sent %s, the Launcher counted %s"
                              % (sent, figures("deaf"))))
        results.append(expect("gone", "lg0" not in said.get("left", "lg0") and
                              not re.search(r" \d+$", said["left"]), said.get("left")))
        for option, says in (("--tunnet=bridge:no", "there is no such bridge"),
                             ("--tunnet=bridge:lo", "it is no bridge"),
                             ("--net=raw:no", "there is no such card")):
            results.append(expect("refuses " + option, "status %s: 25" % option in text and
                                  "launcher: %s: %s" % (option, says) in text, "it does not"))
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
        with tempfile.TemporaryDirectory(prefix="lg-net-") as folder:
            odd = os.path.join(folder, "odd")
            with open(odd, "wb") as f:
                f.write(random.Random(18).randbytes(1300021))
            crc = subprocess.run(["cksum", odd], stdout=subprocess.PIPE, check=True).stdout
            crc = b" ".join(crc.split()[:2]).decode()
            outcome = nested_script(config, "KERNEL=%s.elf\n%s" % (kernel, TEACHOS_NET), [
                odd, need(TEACHOS[kernel], "make -C teachos") + ":/root/%s.elf" % kernel,
                need(os.path.join(BUILD, "teachos", "root", "bin", "httpd"), "make -C teachos"),
                built("net", "dns")], patience=150)
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
