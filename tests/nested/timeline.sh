#!/bin/sh
# SPDX-License-Identifier: MIT
# Inside the nested machine: Guests with --trace, and all that may go wrong with it;
# `short`: only the Guests.
# What it prints as `name: value`, and the files in /tmp/out, is for tests/lib/timeline.py.

t=/sys/kernel/tracing
mkdir -p /tmp/out
cd /root || exit 1

# What the kernel itself shows of the same events, by another way, for one Guest.
echo 30000 >$t/buffer_size_kb
echo 1 >$t/events/lguest/enable
launcher --trace=/tmp/out/syscall.json --stats=/tmp/out/syscall.stats syscall.elf >/dev/null 2>&1
echo "syscall status: $?"
for e in enter exit hypercall page_fault inject irq; do
	echo 0 >$t/events/lguest/lguest_$e/enable
done
awk '{ for (i = 3; i < 7; i++) if ($i ~ /^lguest_/) { n[$i]++; break } }
	END { for (e in n) print "tracefs " e " " n[e] }' $t/trace
# And event for event, with all that is in them, as the kernel prints it.
echo >$t/trace
echo 1 >$t/events/lguest/enable
launcher --trace=/tmp/out/linear.json linear.elf >/dev/null 2>&1
echo 0 >$t/events/lguest/enable
sed -n 's/^.* \(lguest_[a-z_]*: \)/\1/p' $t/trace >/tmp/out/linear.events
echo >$t/trace
echo 1 >$t/buffer_size_kb

for g in interrupts paging2 console kill-no-gate; do
	rings=
	[ $g = paging2 ] && rings=--rings
	launcher --trace=/tmp/out/$g.json --stats=/tmp/out/$g.stats $rings $g.elf </dev/null \
		>/dev/null 2>&1
	echo "$g status: $?"
done
if [ "$1" = short ]; then
	cd /tmp/out && tar c . | gzip -1 >/tmp/out.tar
	exit
fi
launcher --trace=/tmp/out/filter.json --trace-filter=hypercall,fault paging2.elf >/dev/null 2>&1
launcher --trace=- --trace-filter=hypercall,inject syscall.elf 2>/tmp/out/live.txt >/dev/null
echo "instances after seven: $(ls $t/instances | wc -l)"

# Two at once, with a file each; and two with one file.
launcher --trace=/tmp/out/one.json interrupts.elf >/dev/null 2>&1 &
launcher --trace=/tmp/out/two.json paging2.elf >/dev/null 2>&1
wait
launcher --trace=/tmp/same.json --timeout=5 heartbeat.elf 100000 >/dev/null 2>&1 &
until grep -q '"name":"lguest"' /tmp/same.json; do sleep 0.1; done
launcher --trace=/tmp/same.json syscall.elf 2>&1 | sed 's/^/same file: /'
wait

# kill -9 in the middle: the reader finishes the file by itself.
launcher --trace=/tmp/out/killed.json heartbeat.elf 100000 >/dev/null 2>&1 &
until [ "$(grep -c '"cat":"stay"' /tmp/out/killed.json)" -gt 50 ]; do sleep 0.2; done
kill -9 $!
wait
sleep 1
echo "instances after kill -9: $(ls $t/instances | wc -l)"
# Both killed: what stays behind is swept up by the next one.
launcher --trace=/tmp/orphan.json heartbeat.elf 100000 >/dev/null 2>&1 &
until grep -q '"cat":"stay"' /tmp/orphan.json; do sleep 0.2; done
kill -9 $! $(pidof lguest-trace)
wait
sleep 1
echo "instances left by two dead: $(ls $t/instances | wc -l)"
launcher --trace=/tmp/sweeper.json linear.elf >/dev/null 2>&1
echo "instances after the sweep: $(ls $t/instances | wc -l)"

# A disk with room for a little, and none at all.
mkdir /tmp/small
mount -t tmpfs -o size=256k none /tmp/small
launcher --trace=/tmp/small/full.json syscall.elf >/tmp/full.out 2>&1
echo "full status: $?"
sed -n 's/^launcher: /full says: /p' /tmp/full.out
cp /tmp/small/full.json /tmp/out/full.json
launcher --trace=/nowhere/x.json linear.elf 2>&1 | sed 's/^/unwritable: /'
launcher --trace=/tmp linear.elf 2>&1 | sed 's/^/directory: /'

# The reader does not get to run, the rings are small, and the Guest has much to tell.
launcher --trace=/tmp/out/lost.json heartbeat.elf 100000 >/tmp/lost.out 2>&1 &
until grep -q '"cat":"stay"' /tmp/out/lost.json; do sleep 0.1; done
reader=$(pidof lguest-trace)
kill -STOP $reader
echo 16 >$t/instances/lguest-$!/buffer_size_kb
tries=0
until cat $t/instances/lguest-$!/per_cpu/cpu*/stats | grep -qE '^(overrun|dropped events): [1-9]' ||
	[ $tries -gt 200 ]; do
	tries=$((tries + 1))
	sleep 0.1
done
sleep 1
kill -CONT $reader
kill $!
wait
sed -n 's/^launcher: /lost says: /p' /tmp/lost.out

# Nobody's business: not root; no tracefs.
chmod 666 /dev/lguest
echo 'guest:x:1000:1000::/:/bin/sh' >>/etc/passwd
su guest -c "launcher --trace=/dev/null $PWD/linear.elf" 2>&1 | sed 's/^/not root: /'
umount $t
umount /sys/kernel/debug/tracing 2>/dev/null
umount /sys/kernel/debug
launcher --trace=/tmp/x.json linear.elf 2>&1 | sed 's/^/no tracefs: /'
mount -t debugfs none /sys/kernel/debug
cd /tmp/out && tar c . | gzip -1 >/tmp/out.tar
