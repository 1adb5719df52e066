#!/bin/busybox sh
# SPDX-License-Identifier: MIT
#P:398 The first process, when people come
#
# /init of build/lguest.iso.  No control lines here and no verdicts: it loads the module,
# says hello, and gives a shell to whoever sits there, on the screen, and on the serial
# line if there is one.  Whoever leaves a shell gets a fresh one; `poweroff` ends it all.
#:*
export PATH=/bin:/sbin HOME=/root
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
mount -t debugfs none /sys/kernel/debug
mkdir -p /dev/pts /dev/shm
mount -t devpts none /dev/pts
ip link set lo up

if error=$(insmod /lib/lg.ko 2>&1); then
	loaded="lg.ko is loaded, /dev/lguest is there"
else
	loaded="lg.ko could not be loaded: $error"
fi
cat >/etc/motd <<END

lguest, for the classroom: Linux $(uname -r); $loaded

    launcher teachos.elf              a shell in a Guest; Ctrl-A x leaves it
    launcher teachos-pae.elf selftest
    launcher inmates/syscall.elf      tiny Guests with one opinion each
    launcher --help                   all options
    poweroff                          leaves

END
cat >/etc/profile <<'END'
cd /root
cat /etc/motd
PS1='lguest# '
END
{
	echo "tty1::respawn:-/bin/sh"
	# A port that is not there opens, but has no settings.
	stty -F /dev/ttyS0 >/dev/null 2>&1 && echo "ttyS0::respawn:-/bin/sh"
	echo "::ctrlaltdel:/sbin/reboot"
} >/etc/inittab
exec /bin/init
