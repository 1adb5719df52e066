# SPDX-License-Identifier: MIT
"""
Runs what a student wrote, with as few rights as this machine can take away from it.

Three levels; `level()` says which one this machine offers:

    root        namespaces of its own (network, processes, mounts), everything read-only
                but the scratch folder, nothing of the machine but its programs (emptied()),
                another user id, no capabilities
    user        the same with a user namespace, for people who are not root: the user id
                is still ours inside, but nothing can be written outside the scratch folder
    limits      neither is possible: only limits on time, memory, processes and files
                (and another user id, if we are root)

The nested machine that student code runs in is in there, too, and QEMU says to the kernel
itself that it will never ask for a new process or another user (`-sandbox`).

Whatever the level: CPU time, file size and processes are limited, output beyond a cap is
thrown away, beyond a second cap it ends the run, and so does the hang detector.
"""

import atexit
import os
import random
import resource
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
import time

from .labs import BUILD, TOP

OUTPUT_KEPT = 256 * 1024
OUTPUT_MOST = 32 * 1024 * 1024
FILE_MOST = 256 * 1024 * 1024
# Of all files that it makes, together.  The largest honest run has a tenth of it.
SPACE_MOST = 1024 * 1024 * 1024
FILES_MOST = 20000

# Runs inside the new namespaces.  $1: the scratch folder, $2: folders that are not to be
# seen, $3: those that are empty but for what is in $4, $5...: setpriv and the command.
# Every mount that is not the kernel's own becomes read-only; flags that are there stay.
INSIDE = r"""
scratch=$1 hide=$2 empty=$3 keep=$4; shift 4
mount --make-rprivate / || exit 125
mount --bind "$scratch" "$scratch" || exit 125
if [ -n "$empty" ]; then
	stage=
	for at in /dev/shm /mnt /media; do
		mount -t tmpfs -o mode=755 none "$at" 2>/dev/null && stage=$at && break
	done
	n=0
	while read -r at; do
		n=$((n + 1))
		mkdir "$stage/$n" && mount --rbind "$at" "$stage/$n" || exit 125
	done <<-end
		$keep
	end
	mkdir "$stage/etc" && mount -t tmpfs -o mode=755 none "$stage/etc" || exit 125
	cp -a /etc/alternatives /etc/ld.so.* "$stage/etc" 2>/dev/null
	while read -r at; do
		[ "$at" = "$stage" ] || mount -t tmpfs -o mode=755 none "$at" || exit 125
	done <<-end
		$empty
	end
	mount --move "$stage/etc" /etc || exit 125
	n=0
	while read -r at; do
		n=$((n + 1))
		mkdir -p "$at" && mount --move "$stage/$n" "$at" || exit 125
	done <<-end
		$keep
	end
	umount "$stage"
	echo sandbox >/proc/sys/kernel/hostname
fi 2>/dev/null
while read -r _ at kind flags _; do
	case $kind in proc|sysfs|devpts|cgroup*|mqueue|securityfs|debugfs|tracefs|bpf) continue ;; esac
	case $at in "$scratch"*|/proc*|/sys*|/dev|/dev/pts*|/dev/null) continue ;; esac
	keep=ro
	for f in nosuid nodev noexec noatime nodiratime relatime; do
		case ,$flags, in *,$f,*) keep=$keep,$f ;; esac
	done
	mount -o "remount,bind,$keep" "$at" 2>/dev/null || mount -t tmpfs -o ro none "$at" 2>/dev/null
done </proc/self/mounts
mount -t tmpfs -o size=16m,mode=1777 none /dev/shm 2>/dev/null
while read -r at; do
	[ ! -d "$at" ] || mount -t tmpfs -o ro,mode=0 none "$at" || exit 125
done <<-end
	$hide
end
touch /usr/.writable 2>/dev/null && { echo "sandbox: / can still be written" >&2; exit 125; }
cd "$scratch" && exec "$@"
"""

_level = None


_level_lock = threading.Lock()


def level():
    """'root', 'user' or 'limits': tried once, for real, while all others wait."""
    global _level
    with _level_lock:
        if _level is None:
            _level = _best_level()
    return _level


def _best_level():
    wish = os.environ.get("LAB_SANDBOX")
    for candidate in ([wish] if wish else ["root", "user"]):
        if candidate == "limits" or (candidate == "root") != (os.geteuid() == 0):
            continue
        if not shutil.which("unshare") or not shutil.which("setpriv"):
            continue
        with Scratch() as scratch:
            if run(["true"], scratch, patience=20, at=candidate).status == 0:
                return candidate
    return "limits"


def describe():
    return {"root": "namespaces, read-only files, another user",
            "user": "namespaces, read-only files",
            "limits": "limits only: this machine gives us no namespaces"}[level()]


# What there is to be stopped and removed: ending.py.
_running, _scratches = set(), set()
_over = threading.Event()


def not_over():
    """Other threads wait here for the end of the process, once somebody has called stop_all."""
    if _over.is_set():
        threading.Event().wait()


def stop_all():
    """Nobody who runs here goes on, nobody begins, and no scratch folder stays."""
    _over.set()
    for process, uid in list(_running):
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        if _level == "limits":
            end_all_of(uid)
    for _ in range(100):        # a thread may be writing into one
        for scratch in list(_scratches):
            shutil.rmtree(scratch.path, ignore_errors=True)
        if not any(os.path.exists(s.path) for s in list(_scratches)):
            return
        time.sleep(0.02)


class Scratch:
    """A folder that the sandboxed program may write to; removed in the end."""

    def __enter__(self):
        not_over()
        # Not TMPDIR: it may lie where another user cannot go.
        self.path = tempfile.mkdtemp(prefix="lg-lab-", dir="/tmp")
        self.uid = random.randrange(1 << 20, 1 << 24) if os.geteuid() == 0 else os.getuid()
        _scratches.add(self)
        os.mkdir(os.path.join(self.path, "tmp"))
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)
        _scratches.discard(self)

    def give(self):
        """What we put there belongs to the sandboxed user from now on."""
        if os.geteuid() != 0:
            return
        for where, folders, names in os.walk(self.path):
            for name in folders + names:
                os.lchown(os.path.join(where, name), self.uid, self.uid)
        os.chown(self.path, self.uid, self.uid)     # and nobody else's: mkdtemp made it so


class Ended:
    """How a run ended.  why: '' or TIMEOUT or FLOOD or a sentence."""

    def __init__(self, status, output, why, seconds):
        self.status = status
        self.output = output
        self.why = why
        self.seconds = seconds


def _limits(patience, processes):
    def apply():
        os.setsid()
        def limit(what, value):
            hard = resource.getrlimit(what)[1]
            if hard != resource.RLIM_INFINITY:
                value = min(value, hard)
            resource.setrlimit(what, (value, value))
        limit(resource.RLIMIT_CORE, 0)
        limit(resource.RLIMIT_CPU, int(patience) + 5)
        limit(resource.RLIMIT_FSIZE, FILE_MOST)
        limit(resource.RLIMIT_NOFILE, 512)
        # Counted for the user: with an id of its own the number means these processes.
        limit(resource.RLIMIT_NPROC, processes if os.geteuid() == 0 else 8192)
    return apply


# What is built in the sandbox may need these of BUILD: the kernel's headers, a compiler.
SHOWN = ("kernels", "toolchains")


def hidden():
    """
    Folders that student code has no business to read: where this tree has the solutions and
    the hidden tests, all of it.  (A handout has nothing to hide.)
    """
    if os.path.exists(os.path.join(TOP, "labs", "reference", "index.json")):
        return []
    roots = [TOP, BUILD] + [p for p in os.environ.get("LABS_HIDE", "").split(":") if p]
    found = {os.path.realpath(os.environ["HIDDEN"])} if os.environ.get("HIDDEN") else set()
    builds = {os.path.realpath(b) for b in [BUILD, os.path.join(TOP, "build")] + roots[2:]}
    for root in {os.path.realpath(r) for r in roots}:
        try:
            inside = [os.path.join(root, n) for n in os.listdir(root) if n not in SHOWN]
        except OSError:
            continue
        found.update(p for p in inside if os.path.isdir(p) and not os.path.islink(p)
                     and p not in builds)
    outer = []      # what lies in a folder that is not to be seen is gone already: a seed's tree
    for p in sorted(p for p in found if "\n" not in p):
        if not any(p.startswith(o + os.sep) for o in outer):
            outer.append(p)
    return outer


# What compilers and QEMU are made of, and the kernel's own.  All else in / is this machine's;
# of /etc there is what the dynamic linker and Debian's alternatives need.
SYSTEM = ("bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "nix", "gnu", "proc", "sys",
          "dev", "etc")


def emptied(scratch):
    """
    -> (folders of / that are empty in there: homes, what others handed in, most of /etc; what
    is there all the same).  Again, a handout has nothing to hide.
    """
    if not hidden():
        return [], []
    found = []
    for name in sorted(os.listdir("/")):
        path = "/" + name
        try:
            if name not in SYSTEM and os.path.isdir(path) and not os.path.islink(path) \
                    and os.listdir(path):
                found.append(path)
        except OSError:
            found.append(path)
    qemu_at = os.path.dirname(os.path.realpath(shutil.which(
        os.environ.get("LG_QEMU") or QEMU) or "/"))
    if os.path.basename(qemu_at) == "bin":
        qemu_at = os.path.dirname(qemu_at)      # its firmware is in a folder beside
    kept = {os.path.realpath(p) for p in [scratch.path, os.environ.get("KDIR") or "/", qemu_at]
            + [os.path.join(BUILD, n) for n in SHOWN]}
    return found, sorted(p for p in kept if "\n" not in p and os.path.isdir(p) and any(
        p.startswith(f + os.sep) for f in found))


def confined(words, scratch, at):
    """The command line that runs these words with few rights, at that level."""
    change = []
    if os.geteuid() == 0 and shutil.which("setpriv"):
        change = ["--reuid", str(scratch.uid), "--regid", str(scratch.uid), "--clear-groups"]
    # A process that becomes somebody else forgets whose death it is to follow: hence pdeathsig.
    follow = ["--no-new-privs", "--pdeathsig", "KILL"]
    if at == "limits":
        return (["setpriv"] + follow + change if change else []) + list(words)
    unshare = ["unshare", "--net", "--ipc", "--uts", "--mount", "--pid", "--fork",
               "--kill-child", "--mount-proc"]
    if at == "user":
        unshare.insert(1, "--map-root-user")
    lists = [hidden()] + list(emptied(scratch))
    return unshare + ["--", "sh", "-c", INSIDE, "sh", scratch.path] + \
        ["\n".join(l) for l in lists] + ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] + \
        follow + change + list(words)


# ---- The nested machine -----------------------------------------------------------

QEMU = "qemu-system-x86_64"
SECCOMP = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"
WRAPPER = """#!/bin/sh
# QEMU with few rights: made by labs/engine/sandbox.py, for tools/nested.
for word; do
	case $word in %(image)s) word=%(copy)s ;; esac
	set -- "$@" "$word"
	shift
done
exec %(command)s "$@" %(more)s
"""
_qemu = None
_qemu_lock = threading.Lock()


def qemu(image):
    """
    A program to be called instead of QEMU, which gives rights away and is QEMU then.
    image: the kernel that it will be asked to boot.  Made once a process, and tried.
    """
    global _qemu
    at = level()
    with _qemu_lock:
        if _qemu is None:
            scratch = Scratch().__enter__()
            atexit.register(scratch.__exit__)
            copy = os.path.join(scratch.path, "kernel")
            shutil.copyfile(image, copy)        # where it is another user may not go
            real = shutil.which(os.environ.get("LG_QEMU") or QEMU) or QEMU
            limits = ["prlimit", "--core=0", "--nofile=256", "--fsize=0"]
            limits += ["--nproc=64"] if os.geteuid() == 0 else []
            for more in ("-sandbox " + SECCOMP, ""):        # not every QEMU was built with it
                path = os.path.join(scratch.path, "qemu")
                with open(path, "w", encoding="utf-8") as f:
                    f.write(WRAPPER % {"image": shlex.quote(image), "copy": shlex.quote(copy),
                                       "command": quote(confined(limits + [real], scratch, at)),
                                       "more": more})
                os.chmod(path, 0o755)
                scratch.give()
                os.chmod(copy, 0o644)
                if not subprocess.call([path, "-version"], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
                    _qemu = path
                    break
            else:
                _qemu = real
    return _qemu


def watch_the_disk(folder, done, stop):
    """A limit for one file is none for many.  Looks now and then until `done`."""
    while not done.wait(0.3):
        used = files = 0
        for where, _, names in os.walk(folder):
            for name in names:
                try:
                    used += os.lstat(os.path.join(where, name)).st_blocks * 512
                except OSError:
                    pass                # gone meanwhile
            files += len(names)
            if used > SPACE_MOST or files > FILES_MOST:
                stop("it wrote more than %d MiB, or %d files" % (SPACE_MOST >> 20, FILES_MOST))
                return


def run(words, scratch, patience=60, env=None, stdin=b"", pass_fds=(), processes=200, at=None):
    """Run a command in the sandbox (at: of this level, while it is being found out).  -> Ended"""
    not_over()
    at = at or level()
    scratch.give()
    uid = scratch.uid
    command = confined(words, scratch, at)
    clean = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
             "HOME": scratch.path, "TMPDIR": os.path.join(scratch.path, "tmp"),
             "LC_ALL": "C", "USER": "student"}
    clean.update(env or {})
    begun = time.time()
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, cwd=scratch.path, env=clean,
                               pass_fds=pass_fds, preexec_fn=_limits(patience, processes))
    why, here = [], (process, uid)
    _running.add(here)

    def stop(reason):
        why.append(reason)
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    timer = threading.Timer(patience, stop, ["TIMEOUT"])
    timer.start()
    done = threading.Event()
    threading.Thread(target=watch_the_disk, args=(scratch.path, done, stop), daemon=True).start()
    kept, total = [], 0
    try:
        try:
            process.stdin.write(stdin)
            process.stdin.close()
        except BrokenPipeError:
            pass
        while True:
            piece = os.read(process.stdout.fileno(), 65536)
            if not piece:
                break
            if total < OUTPUT_KEPT:
                kept.append(piece)
            total += len(piece)
            if total > OUTPUT_MOST and not why:
                stop("FLOOD")
        process.wait()
    finally:
        timer.cancel()
        done.set()
        _running.discard(here)
        if process.poll() is None:
            stop("")
            process.wait()
        process.stdout.close()
        if _level == "limits":
            end_all_of(uid)
    text = b"".join(kept)[:OUTPUT_KEPT].decode("utf-8", "replace")
    return Ended(process.returncode, text, why[0] if why else "", time.time() - begun)


def end_all_of(uid):
    """Without a process namespace: whoever still runs under this run's own user id."""
    if os.geteuid() != 0 or uid == 0:
        return
    for _ in range(100):
        found = False
        for name in os.listdir("/proc"):
            try:
                if name.isdigit() and os.stat("/proc/" + name).st_uid == uid:
                    os.kill(int(name), signal.SIGKILL)
                    found = True
            except OSError:
                pass
        if not found:
            return
        time.sleep(0.01)


def quote(words):
    return " ".join(shlex.quote(w) for w in words)
