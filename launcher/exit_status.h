/* SPDX-License-Identifier: MIT */
/*L:890 The last word
 * A program that fails should say how, to people with a sentence and to scripts
 * with a number.  This is the one table of those numbers: the enum, --help and
 * the README's list are all made from it.  The numbers are promises, so a retired
 * one is never used again.
 */
#ifndef LAUNCHER_EXIT_STATUS_H
#define LAUNCHER_EXIT_STATUS_H

#define EXIT_STATUSES(X) \
	X(POWEROFF, 0,		"the Guest powered off, or was saved (or you left with Ctrl-A x)") \
	X(INTERNAL, 1,		"something failed that is nobody's input: please report it") \
	X(USAGE, 2,		"the command line makes no sense") \
	X(CRASHED, 3,		"the Guest crashed: its last words were not \"Power down\"") \
	X(KILLED, 4,		"the Guest broke a rule and was killed") \
	X(TIMEOUT, 5,		"--timeout was over and the Guest still ran") \
	X(NO_KERNEL, 10,	"the kernel file, or the snapshot, is missing or cannot be read") \
	X(EMPTY, 11,		"the kernel file is empty") \
	X(NOT_REGULAR, 12,	"the kernel (or snapshot) is a directory, or another thing that is no file") \
	X(NOT_KERNEL, 13,	"the kernel is no sound ELF file and no bzImage, or the snapshot not sound") \
	X(IS_64BIT, 14,		"the kernel is a 64-bit one") \
	X(WRONG_MACHINE, 15,	"the kernel is for another machine, or not an executable") \
	X(TRUNCATED, 16,	"the kernel file ends too early") \
	X(OVERLAP, 17,		"two segments, or a segment and the boot page, overlap") \
	X(OUTSIDE, 18,		"a segment lies outside the Guest's memory") \
	X(BAD_ENTRY, 19,	"the entry point is in no segment") \
	X(NOT_A_NUMBER, 20,	"the memory is not a number") \
	X(TOO_LITTLE, 21,	"the memory is zero, negative or too small") \
	X(TOO_MUCH, 22,		"more memory than the Host has, or than a Guest can have") \
	X(BAD_INITRD, 23,	"the initrd is missing, unreadable, empty or too large") \
	X(BAD_DISK, 24,		"a disk is missing, unusable or in use") \
	X(NO_NETWORK, 25,	"a network cannot be had: a port in use, a card or usernet missing") \
	X(NET_PERMISSION, 26,	"no permission for a tap, a raw card, or a port below 1024") \
	X(BAD_RIGHTS, 27,	"--username or --chroot cannot be done") \
	X(NO_MACHINE, 30,	"no /dev/lguest, and no nested machine possible") \
	X(NO_PERMISSION, 31,	"no permission to open /dev/lguest") \
	X(INTERFACE, 32,	"lg.ko and the Launcher speak different interfaces") \
	X(CAPSULE, 33,		"the nested machine failed") \
	X(SANDBOX, 34,		"the Launcher did what its sandbox forbids: please report it")

#define STATUS_SIGNAL	128	/* 128 + n: ended by signal n */
/*:*/

#define EXIT_STATUS_ENUM(name, number, text) STATUS_##name = number,
enum exit_status { EXIT_STATUSES(EXIT_STATUS_ENUM) };
#undef EXIT_STATUS_ENUM

#endif
