#!/bin/sh
# SPDX-License-Identifier: MIT
# guest.sh FOLDER TO OBJECT...: links 32-bit objects into the file that gate.c loads.  What is
# missing becomes room that can be written to, and traps when it is called.
set -e
folder=$1 to=$2
shift 2
ld -m elf_i386 -r -o "$to.o" "$@"
{
	echo 'section .data align=16'
	nm -u "$to.o" | while read -r _ name; do
		printf 'global %s\nalign 16\n%s: ud2\n\tret\n\ttimes 2045 db 0\n' "$name" "$name"
	done
} >"$to.asm"
nasm -f elf32 -o "$to.missing.o" "$to.asm"
ld -m elf_i386 -z noexecstack --build-id=none -e 0xC0100000 -T "$folder/guest.ld" \
	-o "$to" "$to.o" "$to.missing.o" 2>&1 |
	grep -v 'RWX permissions' >&2 || :
[ -s "$to" ]
