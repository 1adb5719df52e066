#!/bin/sh
# SPDX-License-Identifier: MIT
# A double of a Launcher that can save and restore, for the test of the judge: what it calls
# a snapshot is a process that it has stopped.  MODE says in which way it is wrong.
MODE=right

save='' restore='' rest=''
for word in "$@"; do
	case $word in
	--save=*) save=${word#*=} ;;
	--restore=*) restore=${word#*=} ;;
	*) rest="$rest $word" ;;
	esac
done
frozen=/tmp/frozen

# From byte $at on, as it comes, until the Guest has ended.
show() {
	while :; do
		over=$(cat $frozen.status 2>/dev/null)
		size=$(wc -c <$frozen.out)
		if [ "$size" -gt "$at" ]; then
			tail -c +$((at + 1)) $frozen.out | head -c $((size - at))
			at=$size
		fi
		[ -n "$over" ] && exit "$over"
		usleep 50000
	done
}

if [ -n "$restore" ]; then
	read -r pid at sum <"$restore"		# without a newline: it says 1, and has read
	want=$(printf '%s %s' "$pid" "$at" | md5sum | cut -c 1-32)
	if [ "$MODE" != trusting ] && [ "$(cat "$restore")" != "$pid $at $want" ]; then
		[ $MODE = crash ] && kill -SEGV $$
		[ $MODE = silent ] || echo "snapshot: $restore: this is none" >&2
		exit 13
	fi
	case $MODE in
	anew)	# shellcheck disable=SC2046,SC2086
		exec /bin/launcher $(cat $frozen.words) ;;
	trusting) [ "$(cat "$restore")" = "$pid $at $want" ] || exit 0 ;;
	esac
	kill -CONT "$pid" || exit 13
	if [ $MODE = forgetful ]; then
		show | sed 's/^done 0x.*/done 0x00000000/'
		exit 0
	fi
	show
fi

echo "$rest" >$frozen.words
[ $MODE = deaf ] && trap '' USR1
rm -f $frozen.status
: >$frozen.out
# shellcheck disable=SC2086
{ sh -c 'echo $$ >/tmp/frozen.pid; exec /bin/launcher $0 "$@"' $rest >$frozen.out 2>&1 </dev/null
  echo $? >$frozen.status; } &
at=0
freeze() {
	read -r pid <$frozen.pid
	kill -STOP "$pid"
	tail -c +$((at + 1)) $frozen.out
	at=$(wc -c <$frozen.out)
	printf '%s %s %s' "$pid" "$at" "$(printf '%s %s' "$pid" "$at" | md5sum | cut -c 1-32)" >"$save"
	[ $MODE = empty ] && : >"$save"
	exit 0
}
[ $MODE = deaf ] || trap freeze USR1
show
