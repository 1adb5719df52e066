#!/bin/sh
# SPDX-License-Identifier: MIT
#M:422 A look into the cell
#
# What rights.c and sandbox.c promise, asked of somebody who knows: /proc.  A Launcher
# runs a Guest that is silent for ever; we read what the kernel says about each of its
# threads, and in the end we make one of them do what it may not.
#:*
# Needs beside it: silent.elf shutdown-restart.elf hello.elf kill-gdt-index.elf inject
# Prints `ok NAME` or `not ok NAME: why`.

cd /root || exit 1
printf 'root::0:0:root:/root:/bin/sh\nguest:x:1234:2345:::\n' >/etc/passwd
printf 'root:x:0:\nguests:x:2345:\nwheel:x:77:root,guest\nother:x:78:root\n' >/etc/group
echo 1 >/proc/sys/kernel/print-fatal-signals
mkdir -p /jail
dd if=/dev/zero of=disk.img bs=512 count=64 2>/dev/null

check() {	# check NAME GOT EXPECTED
	if [ "$2" = "$3" ]; then echo "ok $1"; else echo "not ok $1: '$2', expected '$3'"; fi
}
says() {	# says NAME FILE WORDS: is it in the file?
	if grep -qF -- "$3" "$2"; then
		echo "ok $1"
	else
		echo "not ok $1: $(tail -n 3 "$2" | tr '\n' '/')"
	fi
}
# A Launcher in the background; waits until it is locked in, and says so.
begin() {
	: >out		# here, and not in the new process: that may come late
	/bin/launcher --verbose --capsule=never "$@" >out 2>&1 </dev/null 9<disk.img 8</etc/passwd &
	pid=$!
	for i in $(seq 100); do
		grep -q "sandbox is shut" out && return
		sleep 0.1
	done
	echo "not ok begin: $(cat out)"
}
# field NAME: from the status of all threads, each different value once
field() { cat /proc/$pid/task/*/status | sed -n "s/^$1:[[:space:]]*//p" | tr '\t' ' ' | sort -u; }
over() { kill "$pid"; wait "$pid"; }
widow() { grep -lxs widow /proc/[0-9]*/comm | cut -d / -f 3; }

begin --block=disk.img --rng --stats=s.json 64 silent.elf
check "threads" "$(ls /proc/$pid/task | wc -l)" 4
check "seccomp" "$(field Seccomp)" 2
check "no new privileges" "$(field NoNewPrivs)" 1
for set in Inh Prm Eff Bnd Amb; do
	check "capabilities: $set" "$(field Cap$set)" 0000000000000000
done
check "user" "$(field Uid)" "0 0 0 0"
check "inherited files" "$(ls -l /proc/$pid/fd | grep -cE 'passwd|[^0-9][89] ->.*disk')" 0
# The second process: locked in before a Guest runs, and nothing but kill -9 is for her.
launcher=$pid
pid=$(widow)
check "widow: seccomp" "$(field Seccomp)" 2
check "widow: files" "$(ls /proc/$pid/fd | tr '\n' ' ')" "0 2 3 "
kill -USR1 "$pid"
kill -USR2 "$pid"
kill "$pid"
usleep 100000
check "widow: deaf" "$(field State)" "S (sleeping)"
pid=$launcher
over
check "ends by SIGTERM" $? 143
usleep 100000
check "widow: goes, too" "$(widow)" ""
check "stats" "$(grep -c '"launcher_status": 143' s.json)" 1

begin --username=guest --chroot=/jail --block=disk.img --rng --stats=s.json 64 silent.elf
check "another user" "$(field Uid)" "1234 1234 1234 1234"
check "another group" "$(field Gid)" "2345 2345 2345 2345"
check "and groups" "$(field Groups | tr -d '\n' | sed 's/ *$//')" "77 2345"
check "another root" "$(readlink /proc/$pid/root)" /jail
check "and directory" "$(readlink /proc/$pid/cwd)" /jail
none=0000000000000000
check "no capabilities" "$(field CapPrm)$(field CapEff)$(field CapBnd)" $none$none$none
check "seccomp there" "$(field Seccomp)" 2
over
check "stats from there" "$(grep -c '"launcher_status": 143' s.json)" 1

if [ -x /bin/usernet ]; then
	begin --username=guest --net=user 16 silent.elf
	launcher=$pid
	pid=$(pidof usernet)
	check "neighbour: user" "$(field Uid)" "1234 1234 1234 1234"
	check "neighbour: capabilities" "$(field CapEff)$(field CapBnd)" 00000000000000000000000000000000
	check "neighbour: no new privileges" "$(field NoNewPrivs)" 1
	pid=$launcher
	over
	begin --net=user,hostfwd=tcp::80-:80 16 silent.elf
	launcher=$pid
	pid=$(pidof usernet)
	check "neighbour of root" "$(field CapEff)$(field CapBnd)" 00000000000000000000000000000000
	pid=$launcher
	over
else
	echo "not ok neighbour: no usernet"
fi

begin --username=99:98 16 silent.elf
check "by number" "$(field Uid)/$(field Gid)" "99 99 99 99/98 98 98 98"
over

/bin/launcher --username=guest --chroot=/jail --timeout=2 16 shutdown-restart.elf >out 2>&1
check "restarts there" $? 5
check "more than once" "$(grep -c 'ok start' out | sed 's/^[2-9]$\|^[0-9][0-9]*$/many/')" many
/bin/launcher --username=guest --chroot=/jail --timeout=5 32 hello.elf one two three >out 2>&1
check "runs there" $? 0
/bin/launcher --username=guest --chroot=/jail --timeout=5 16 kill-gdt-index.elf 99 >out 2>&1
check "dies there" $? 4
says "with symbols" out "<main"

# A plain user has a limit, and no way to be somebody else.
chmod 666 /dev/lguest; chmod 755 /root; chmod 644 ./*.elf
su_guest() { su -s /bin/sh guest -c "$1" >out 2>&1; }
su_guest "ulimit -l 8192; cd /root
	/bin/launcher --capsule=never --timeout=3 32 hello.elf one two three"
check "too little to lock" $? 22
says "and why" out 'has to be locked, 33'
su_guest "ulimit -l 8192; cd /root; /bin/launcher --capsule=never --timeout=1 4 silent.elf"
check "enough to lock" $? 5
su_guest "cd /root; /bin/launcher --capsule=never --username=root 4 silent.elf"
check "only root" $? 27
says "only root, it says" out "--username=root: only root can do that"
su_guest "cd /root; /bin/launcher --capsule=never --chroot=/jail 4 silent.elf"
check "only root, chroot" $? 27
for word in --username=nosuch --username=12x --username=4294967295 --username=: \
	--chroot=/nope --chroot=/etc/passwd; do
	/bin/launcher $word 4 silent.elf >out 2>&1
	check "$word" $? 27
	check "$word in one line" "$(grep -cF -- "$word" out)/$(wc -l <out)" 1/1
done

# Both kinds of thread: the one that runs the Guest, and another.
for number in 59 41 2 257; do		# execve, socket, open, openat
	begin --rng 16 silent.elf
	tid=$pid
	[ $number -gt 41 ] && tid=$(ls /proc/$pid/task | tail -n 1)
	./inject "$tid" $number
	wait "$pid"
	check "forbidden call $number" $? 34
	says "forbidden call $number is named" out "launcher: the sandbox forbids system call $number ("
done
