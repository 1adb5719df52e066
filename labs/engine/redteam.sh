#!/bin/sh
# SPDX-License-Identifier: MIT
# Inside the nested machine: one Guest pays visits to Hosts.  redteam.py says to which, one after
# the other, and judges; we only load, run and write down.  What a Guest prints goes nowhere.
# Usage: redteam.sh MARK BEATS
#   A line of standard input is a visit, HOST:RUN (/root/hosts/HOST.ko); run 0 is all of them,
#   with a neighbour whose heart beats.  /root/runs has the Guest's arguments, one run a
#   line; /root/good how each ended on the good Host, and how many world switches are too many,
#   if that is known; else the first visit must be good:0.
# Writes lines that begin with MARK:
#   begin VISIT
#   ended VISIT WORD...    what was seen: see redteam.py, sentence()
#   good ENDING:MOST...    how each run ended on the good Host: status/code
#   stuck HOST             it cannot be removed

mark=$1
beats=$2
bad=
debug=/sys/kernel/debug/lguest
mount -t debugfs none /sys/kernel/debug 2>/dev/null
loaded=

k=0
while read -r ending most; do
	k=$((k + 1))
	eval "good_$k=\$ending most_$k=\$most"
done </root/good

# watch PID MOST: end it after 15 s, and as soon as it went home to its Host more often than that
watch() {
	for _ in $(seq 60); do
		usleep 250000
		while read -r name value; do
			[ "$name" = switches ] || continue
			if [ -n "$2" ] && [ "$value" -gt "$2" ]; then
				echo "$value" >/tmp/often
				kill -KILL "$1"
			fi
			break
		done <"$debug/$1/stats"
	done 2>/dev/null
	kill -KILL "$1"
}

# run K ARGUMENTS: one Guest, to its end; -> $ending, and $good as it should be
run() {
	rm -f /tmp/death /tmp/often /tmp/counters
	eval "good=\$good_$1 most=\$most_$1"
	# shellcheck disable=SC2086  # the arguments are words
	/bin/launcher --timeout=6 --death=/tmp/death --stats=/tmp/counters 16 /root/evil.elf $2 \
		>/dev/null 2>&1 </dev/null &
	guest=$!
	watch $guest "$most" &
	watcher=$!
	wait $guest
	ending=$?
	kill $watcher
	wait $watcher
	code=-
	if [ -r /tmp/often ]; then
		read -r code </tmp/often
		ending=often
	elif [ -r /tmp/death ]; then
		code=$(sed -n 's/^.*"code": "\(E-[A-Z]*-[0-9]*\)".*/\1/p' /tmp/death)
	fi
	ending=$ending/${code:--}
	if [ -z "$good" ]; then
		most=$(sed -n 's/^ *"switches": *\([0-9]*\).*/\1/p' /tmp/counters)
		# Twenty times as often is no accident, and as many as take a quarter of a second.
		eval "good_$1=\$ending most_$1=${most:+$((most * 20 + 20000))}"
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

while read -r visit; do
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
			eval "ending=\$good_$n most=\$most_$n"
			line="$line $ending:$most"
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
