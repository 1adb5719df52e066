#!/bin/busybox sh
# SPDX-License-Identifier: MIT
#P:340 The first process
#
# This is /init of the nested machine: the kernel starts it and nothing else.  Four
# serial ports lead out, and each has one purpose, so that nothing that a command
# prints can be taken for a verdict:
#
#     ttyS0  the kernel's own messages
#     ttyS1  the command: its terminal, or its input and output
#     ttyS2  the control line: status, files and logs, each with this run's nonce
#     ttyS3  the command's standard error, if it is wanted apart
#
# When it has told everything it says `end`, and QEMU is stopped from outside.
#:*
export PATH=/bin:/sbin HOME=/root
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
mount -t debugfs none /sys/kernel/debug
mount -t tracefs none /sys/kernel/tracing
mkdir -p /dev/pts /dev/shm
mount -t devpts none /dev/pts
mkdir -p /tmp
ip link set lo up

. /etc/nested.conf

stty -F /dev/ttyS2 115200 raw -echo
exec 3<>/dev/ttyS2

tell() { echo "LG $NONCE $*" >&3; }
# A file goes out as a line with its size, and then its bytes.
send() { tell "$1" "$(stat -c %s "$2")"; cat "$2" >&3; }

# What we are told while the command runs: how large the window is, that somebody wants a
# picture (--map) or a snapshot (--save), and that it is to come to an end.
orders() {
	while read -r word rows cols; do
		case $word in
		winsize)
			stty -F /dev/ttyS1 rows "$rows" cols "$cols"
			;;
		usr1)
			while [ ! -s /run/command ]; do sleep 0.1; done
			kill -USR1 "$(cat /run/command)"
			;;
		usr2)
			[ -s /run/command ] && kill -USR2 "$(cat /run/command)"
			;;
		stop)
			while [ ! -s /run/command ]; do sleep 0.1; done
			kill -TERM "$(cat /run/command)"
			;;
		esac
	done
}

# Our caller's standard input.  It comes in portions, each a line with its size and then
# its bytes (0: that was all), and each only when we have asked for `more`: when the pipe
# to the command is full we don't, and so nothing is ever sent that has no place to go.
input() {
	while tell more && read -r size && [ "$size" -gt 0 ]; do
		dd bs="$size" count=1 iflag=fullblock 2>/dev/null || break
	done
}

# shorten FILE: of one that is too long to be collected, both ends; $short is what to send
shorten() {
	short=$1
	size=$(stat -c %s "$1")
	[ -n "$COLLECT_MOST" ] && [ "$size" -gt "$COLLECT_MOST" ] || return
	half=$((COLLECT_MOST / 2))
	tell "short $size $half $1"
	short=/run/short
	{
		head -c $half "$1"
		printf '\n[nested: %s bytes are left out here, of %s]\n' $((size - 2 * half)) "$size"
		tail -c $half "$1"
	} >$short
}

finish() {
	for i in $COLLECT; do
		eval "path=\$COLLECT_$i ours=\$OURS_$i"
		if [ -n "$ours" ] && [ -f "$path" ] && [ ! "$path" -nt /run/old ]; then
			tell "same $i"
		elif [ -f "$path" ]; then
			shorten "$path"
			send "file $i" "$short"
		else
			tell "nofile $i"
		fi
	done
	if [ -d /sys/module/lg ] && [ -z "$KEEP_MODULE" ]; then
		if error=$(rmmod lg 2>&1); then
			error=ok
		fi
		tell "rmmod $error"
		echo "nested: rmmod lg: $error" >/dev/kmsg
	fi
	read -r tainted </proc/sys/kernel/tainted
	# Bit 5: bad page.  Bit 7: oops.  Bit 9: warning.  Bit 14: soft lock-up.
	complaint=$((tainted & 0x42a0))
	if [ -n "$WANT_LOG" ] || [ $complaint -ne 0 ]; then
		dmesg >/run/dmesg
		send log /run/dmesg
	fi
	tell "complaint $complaint"
	tell "end"
	# Nothing more to do: wait to be switched off.
	sleep 1000
}

# What we were given to be changed is made old: then it shows if somebody has.
touch -d '2000-01-01 00:00:00' /run/old
for i in $COLLECT; do
	eval "path=\$COLLECT_$i ours=\$OURS_$i"
	[ -n "$ours" ] && touch -r /run/old "$path"
done
tell booted
for module in $LOAD; do
	if ! error=$(insmod "$module" 2>&1); then
		tell "nocard $error"
	fi
done
if [ -n "$CARD" ]; then
	# It gets no address: whoever uses it decides.  (With IPv6 it would take one.)
	echo 1 2>/dev/null >/proc/sys/net/ipv6/conf/all/disable_ipv6
	if ! error=$(ip link set eth0 up 2>&1); then
		tell "nocard $error"
	fi
fi
if [ -n "$WIRE" ] &&
   ! error=$(ip link set "$WIRE" up && ip addr add 10.0.9.15/24 dev "$WIRE" 2>&1); then
	tell "nocard $error"
fi
if [ -n "$MODULE" ]; then
	if ! error=$(insmod "$MODULE" $MODULE_ARGS 2>&1); then
		tell "insmod $error"
		WANT_LOG=yes
		finish
	fi
fi
# Where it has come to lie: for somebody who looks in from outside (stuck.py).
for section in /sys/module/lg/sections/.text*; do
	[ -f "$section" ] && tell "section ${section##*/} $(cat "$section")"
done
tell ready

cd "$DIRECTORY"
orders <&3 &
if [ -n "$TTY" ]; then
	{
		# Within these braces the line stays open: closed, it forgets its size.
		stty 115200 sane rows "$ROWS" cols "$COLS"
		# Output that goes to a file or a pipe keeps its line ends.
		[ -n "$RAW_OUTPUT" ] && stty -opost
		setsid -c /etc/command 3>&-
	} </dev/ttyS1 >/dev/ttyS1 2>&1
	status=$?
else
	# Output goes out byte for byte, and input comes in so.
	stty -F /dev/ttyS1 115200 raw -echo -onlcr
	stty -F /dev/ttyS3 115200 raw -echo 2>/dev/null
	stdin=/dev/null
	# From here on the line stays open: what comes in while it is closed is lost.
	exec 4</dev/ttyS1
	if [ -n "$STDIN" ]; then
		mkfifo /run/stdin
		input <&4 >/run/stdin &
		reader=$!
		stdin=/run/stdin
	fi
	if [ -n "$SPLIT" ]; then
		/etc/command <$stdin >/dev/ttyS1 2>/dev/ttyS3 3>&- 4<&-
	else
		/etc/command <$stdin >/dev/ttyS1 2>&1 3>&- 4<&-
	fi
	status=$?
	[ -n "$reader" ] && kill $reader 2>/dev/null
	[ -n "$SPLIT" ] && stty -F /dev/ttyS3 -echo
fi
# Setting a serial line waits until its last byte has left.
stty -F /dev/ttyS1 -echo
tell "status $status"
finish
