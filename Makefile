# SPDX-License-Identifier: MIT
#P:100 Two commands
#
# This file is the front door.  You need two of its targets to begin with:
#
#     make run      sets up what is missing, builds everything, boots a nested Linux
#                   with our Host in it, and gives you TeachOS's shell
#     make test     builds everything and tries all of it
#
# and `make help` lists the rest.  Each folder has a Makefile of its own that does the
# real work and can be used alone; this one only knows in which order to call them.
#:*

BUILD ?= $(CURDIR)/build
override BUILD := $(abspath $(BUILD))
# Which kernel the Host lives in: 6.1, 6.12, sid, own (empty: your distribution's).
HOST_KERNEL ?=
# Or one of your own: KERNEL=path/to/bzImage KDIR=path/to/its/build/tree
KERNEL ?=
KDIR ?=
# The nested machine: QEMU's CPU model, and how many of them.
CPU ?=
SMP ?=
# 1: its time is counted in instructions.
ICOUNT ?=
# In a handout (labs/STAFF.md) what is not yours yet comes from the reference: then the
# sources are put together under build/ first.
SOURCES := $(if $(wildcard labs/reference/index.json),$(BUILD)/labs/tree,$(CURDIR))
BASE ?=
export BUILD HOST_KERNEL KERNEL KDIR CPU SMP ICOUNT SOURCES BASE

# Passed on to tests/run and tests/bench:  make test ARGS="--only switcher"
ARGS ?=
# The kernels that a full test run goes through.
ifndef TEST_KERNELS
TEST_KERNELS := $(shell tools/nested kernel tested 2>/dev/null)
endif
# ... and the one that most single tests want, whatever `make run` takes.
FIRST := $(addprefix host-for-,$(firstword $(TEST_KERNELS)))

PARTS := Preparation Guest Drivers Launcher Host Switcher Mastery
LABS := $(foreach n,0 1 2 3 4 5 6 7 8 9 10 11,lab$(n))
TARGETS := all run setup doctor test test-quick test-sid test-view coverage bench view $(LABS) \
	$(PARTS) Beer Puppy check-story kernel host launcher teachos gdb gdb-host gdb-replay autopsy \
	iso test-iso linux test-linux clean \
	distclean help

MAKEFLAGS += --no-print-directory

.PHONY: $(TARGETS) $(PARTS:%=%!) ready placed composed

#P:105 From sources to a shell
#
# Four things are built: the Host (lg.ko, for one kernel), the Launcher, TeachOS, and
# nothing else.  `ready` has no output of its own: it makes sure that the compiler and
# the others are there, and is quick when they are.
all: host placed
	@echo
	@echo "Everything is built.  Now:"
	@echo "    make run                               TeachOS's shell, in a nested machine"
	@echo "    cd labs && ./launcher teachos.elf      the same, typed by hand"
	@echo "    make test                              try all of it"
	@echo "    make Preparation!                      the story of how it works, part one"
	@echo "    make help                              everything else"

run: host placed
	@tools/nested exec --console --file $(BUILD)/teachos/teachos.elf -- \
		/bin/launcher /root/teachos.elf

setup:
	@tools/setup

ready:
	@QUIET=1 tools/setup

kernel: ready
	@[ -n "$(KDIR)" ] || tools/nested kernel fetch

host: kernel composed
	+@tools/build-host

# The lock is for two terminals with a `make run` in each.
LOCK = flock $(BUILD)/.lock-$@

launcher teachos: ready composed
	@mkdir -p $(BUILD)
	@$(LOCK) $(MAKE) -sqC $(SOURCES)/$@ BUILD=$(BUILD) >/dev/null 2>&1 || \
		$(LOCK) $(MAKE) -C $(SOURCES)/$@ BUILD=$(BUILD)

# The reference's objects belong to one kernel, so the kernel has to be there to be asked.
composed: $(if $(filter $(SOURCES),$(CURDIR)),ready,kernel)
	@[ $(SOURCES) = $(CURDIR) ] || labs/lab compose

# The two names that are typed in labs/.
placed: launcher teachos
	@$(LOCK) $(MAKE) -sC labs place BUILD=$(BUILD)
#:*

doctor:
	@tools/doctor

# -- tests ----------------------------------------------------------------------

.PHONY: inmates $(TEST_KERNELS:%=host-for-%)
$(TEST_KERNELS:%=host-for-%): host-for-%: ready
	@tools/nested kernel fetch $*
	+@HOST_KERNEL=$* KERNEL= KDIR= tools/build-host

inmates: ready
	@mkdir -p $(BUILD)
	@$(LOCK) $(MAKE) -sC tests/inmates BUILD=$(BUILD)

test: host placed inmates $(TEST_KERNELS:%=host-for-%)
	@tests/run $(ARGS)

test-quick: host placed inmates $(FIRST)
	@tests/run --quick $(ARGS)

# The newest kernel that Debian has, compiled by the compiler that it wants: P:380.
test-sid: ready placed inmates
	@tools/nested kernel fetch sid
	+@HOST_KERNEL=sid KERNEL= KDIR= tools/build-host
	@HOST_KERNEL=sid KERNEL= KDIR= tests/run --quick --kernel sid $(ARGS)

# All paths of the Host, and how often each was taken; an empty cell fails.
coverage: host placed inmates $(FIRST)
	@tests/coverage $(ARGS)

# The viewer in a browser without a screen.  Chromium is too large to be installed for
# this alone: without it, the test says what to install, and is skipped.
test-view: host placed inmates $(FIRST)
	@tests/run $(ARGS) view

bench: host placed inmates $(FIRST)
	@tests/bench $(ARGS)
	@tests/bench-disk

# -- debuggers: M:465 -------------------------------------------------------------

# ARGS: words for the Guest's command line.
# THREADS=1: the Guest's processes are gdb's threads.
THREADS ?=
PORT ?= 1234
GUEST ?= teachos
.PHONY: gdb gdb-host gdb-replay autopsy
gdb: host placed
	@tools/gdb/gdb --port $(PORT) --guest $(GUEST) $(if $(THREADS),--threads) \
		$(if $(BATCH),--batch $(BATCH)) -- $(ARGS)

gdb-host: host placed
	@tools/gdb/gdb-host --port $(PORT) --guest $(GUEST) $(if $(BATCH),--batch $(BATCH)) -- $(ARGS)

# What did it die of?  LOG=file, or TeachOS on a bare machine with ARGS: M:470.
LOG ?=
autopsy: teachos
	@tools/autopsy $(if $(LOG),"$(LOG)",--run -- $(ARGS))

gdb-replay: host placed inmates
	@tools/gdb/gdb-replay --port $(PORT) $(if $(BATCH),--batch $(BATCH)) -- $(ARGS)

# -- images that boot by themselves: P:397 ----------------------------------------

iso: host placed inmates
	@ALSO=I QUIET=1 tools/setup
	@tools/iso

test-iso: iso
	@tests/run --iso --only iso/ $(ARGS)

# -- Linux as a Guest: linux/README.md, M:510 --------------------------------------

linux: ready
	@ALSO=L QUIET=1 tools/setup
	@mkdir -p $(BUILD)
	+@$(LOCK) $(MAKE) -C linux BUILD=$(BUILD)

test-linux: linux host placed inmates $(FIRST)
	@tests/run $(ARGS) linux/

# -- see it run -----------------------------------------------------------------

TRACE ?=
view:
	@tools/view/view --out $(BUILD)/view.html $(if $(TRACE),"$(TRACE)")

# -- labs -----------------------------------------------------------------------

$(LABS):
	@$(MAKE) -C labs $@ BUILD=$(BUILD) FROM_TOP=yes

# The rest of the workshop, by the same names: grade6, check6, submit6, handout DEST=...
WORKSHOP := $(foreach n,0 1 2 3 4 5 6 7 8 9 10 11,grade$(n) check$(n) submit$(n)) \
	grade progress handout autograder grade-all mutants
.PHONY: $(WORKSHOP)
$(WORKSHOP):
	@$(MAKE) -C labs $@ BUILD=$(BUILD)

ifeq ($(firstword $(MAKECMDGOALS)),hint)
.PHONY: hint $(word 2,$(MAKECMDGOALS))
hint:
	@$(MAKE) -C labs hint CODE=$(word 2,$(MAKECMDGOALS))
$(word 2,$(MAKECMDGOALS)): ; @:
endif

# -- the story ------------------------------------------------------------------

$(PARTS) Beer Puppy: ready
	@python3 tools/literate $@

$(PARTS:%=%!): %!: %

check-story: ready
	@python3 tools/literate --check

# -- the rest -------------------------------------------------------------------

# The kernels that were downloaded stay; distclean takes them as well.
clean:
	rm -rf $(addprefix $(BUILD)/,host launcher teachos tests inmates)
	rm -f labs/launcher labs/teachos.elf

distclean: clean
	rm -rf $(BUILD)

help:
	@echo "make                builds everything"
	@echo "make run            ... and gives you TeachOS's shell in a nested machine (Ctrl-A x leaves)"
	@echo "make test           the whole test suite;  make test-quick: the part for in between"
	@echo "make test-sid       with the newest kernel of Debian sid"
	@echo "make coverage       which paths of the Host all of this takes, by its own count"
	@echo "make view TRACE=f   shows what ./launcher --trace=f wrote;  make test-view: is it right?"
	@echo "make bench          what things cost, counted in instructions"
	@echo "make gdb            gdb, with a Guest, its symbols, and commands for TeachOS (PORT= GUEST= ARGS=)"
	@echo "make gdb-host       gdb below everything: the nested kernel, lg.ko, and the Switcher"
	@echo "make gdb-replay     ... with a recording of it: reverse-stepi goes back through a world switch"
	@echo "make autopsy LOG=f  what a log tells of a panic, a triple fault or an oops, in lines of the source"
	@echo "make iso            TeachOS, and the lab host, as images that a PC boots by itself"
	@echo "make test-iso       the self-tests from those images"
	@echo "make linux          Linux 6.1 as a Guest (downloads 139 MB, compiles some minutes);  make test-linux"
	@echo "make doctor         is everything here, and which version of it?"
	@echo "make setup          installs what is missing (NO_INSTALL=1: only lists it)"
	@echo "make lab0 ... lab11 builds a lab; then: cd labs && ./launcher teachos.elf"
	@echo "make check6 grade6  a lab's tests: in seconds, or all of them;  cd labs && make help: more"
	@echo "make Preparation!   the story of how it works; and on it goes with"
	@echo "                    Guest! Drivers! Launcher! Host! Switcher! Mastery!"
	@echo "make Beer           all of it, in one go"
	@echo "make clean          removes what was built;  make distclean: and what was downloaded"
	@echo
	@echo "HOST_KERNEL=6.12    another kernel for the Host (6.1, 6.12, sid, own)"
	@echo "KERNEL= KDIR=       a kernel of yours: its bzImage, and its build tree"
	@echo "CPU=max SMP=2       another nested machine: QEMU's CPU model, number of CPUs"
	@echo "ICOUNT=1            ... in which a tick of the TSC is an instruction, the same in each run"
	@echo "NO_INSTALL=1        never install anything, only say what is missing"

# A target that doesn't exist: say so, and what it may have been meant to be.
.DEFAULT:
	@tools/nearest "$@" $(TARGETS) $(WORKSHOP) hint $(PARTS:%=%!)
