#!/bin/sh
# SPDX-License-Identifier: MIT
# Inside the nested machine: one Guest pays visits to a row of Hosts.  redteam.py says which, and
# judges; we only load, run and write down.  What a Guest prints goes nowhere.
# Usage: redteam.sh MARK BEATS VISIT...
#   A visit is HOST:RUN (/root/hosts/HOST.ko); run 0 is all of them, with a neighbour whose
#   heart beats.  /root/runs has the Guest's arguments, one run a line, /root/good how
#   each ended on the good Host, if that is known; else the first visit must be good:0.
# Writes lines that begin with MARK:
#   begin VISIT
#   ended VISIT WORD...    what was seen: see redteam.py, sentence()
#   good ENDING...         how each run ended on the good Host: status/code
#   stuck HOST             it cannot be removed

mark=$1
beats=$2
shift 2
bad=
debug=/sys/kernel/debug/lguest
mount -t debugfs none /sys/kernel/debug 2>/dev/null
loaded=

k=0
while read -r ending; do
	k=$((k + 1))
	eval "good_$k=\$ending"
done </root/good

# run K ARGUMENTS: one Guest, to its end; -> $ending, and $good as it should be
run() {
	rm -f /tmp/death
	# shellcheck disable=SC2086  # the arguments are words
	timeout -s KILL 15 /bin/launcher --timeout=6 --death=/tmp/death 16 /root/evil.elf $2 \
		>/dev/null 2>&1 </dev/null
	ending=$?
	code=-
	if [ -r /tmp/death ]; then
		code=$(sed -n 's/^.*"code": "\(E-[A-Z]*-[0-9]*\)".*/\1/p' /tmp/death)
	fi
	ending=$ending/${code:--}
	eval "good=\$good_$1"
	if [ -z "$good" ]; then
		eval "good_$1=\$ending"
		good=$ending
	fi
}

# attack RUN: this one, or up to the first that ends in another way than on the good Host
attack() {
	k=0
	while read -r arguments; do
		k=$((k + 1))
		[ "$1" = 0 ] || [ "$1" = $k ] || continue
		run $k "$arguments"
		if [ "$ending" != "$good" ]; then
			seen="ended $k $good $ending"
			return
		fi
	done </root/runs
}

# What the Host still holds, now that all are gone.
holds() {
	[ -r $debug/guests ] || return
	read -r guests <$debug/guests
	read -r pinned <$debug/pinned_pages
	read -r tables <$debug/tables
	[ "$guests $pinned $tables" = "0 0 0" ] || seen="holds $guests $pinned $tables"
}

for visit in "$@"; do
	host=${visit%:*}
	number=${visit#*:}
	seen=nothing
	if [ "$host" != "$loaded" ] && [ -n "$loaded" ] && ! rmmod lg 2>/dev/null; then
		echo "$mark stuck $loaded"
		exit 1
	fi
	echo "$mark begin $visit"
	if [ "$host" != "$loaded" ]; then
		if ! insmod "/root/hosts/$host.ko" 2>/tmp/insmod; then
			echo "$mark ended $visit insmod $(cat /tmp/insmod)"
			exit 1
		fi
		loaded=$host
	fi
	if [ "$number" = 0 ]; then
		/bin/launcher --timeout=60 16 /root/heartbeat.elf "$beats" >/tmp/heart 2>&1 </dev/null &
		heart=$!
		attack 0
		wait "$heart"
		status=$?
		if [ $status -ne 0 ] || grep -q "^not ok" /tmp/heart; then
			seen="heart $status $(grep -m 1 -E "^not ok|E-[A-Z]+-[0-9]" /tmp/heart)"
		fi
	else
		attack "$number"
	fi
	[ "$seen" = nothing ] && holds
	if [ "$visit" = good:0 ]; then
		line= bad=
		for n in $(seq "$(wc -l </root/runs)"); do
			eval "ending=\$good_$n"
			line="$line $ending"
			case $ending in 0/*|3/*|4/*) ;; *) bad=yes ;; esac
		done
		echo "$mark good$line"
	fi
	echo "$mark ended $visit $seen"
	# Who does not end by itself need not try the others.
	[ -z "$bad" ] || break
done
rmmod lg
echo "$mark done"
