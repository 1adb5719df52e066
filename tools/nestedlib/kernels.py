# SPDX-License-Identifier: MIT
#P:320 Where a kernel comes from
#
# The Host needs a Linux kernel to live in, and the headers of exactly that kernel
# to be compiled against.  We take both from the distribution's own packages, but we
# don't install them: a kernel that is meant for a toy machine has no business in
# your /boot.  `apt-get download` fetches the packages as a plain user, into a state
# directory of our own (so the machine's package lists stay as they are), and
# `dpkg-deb` unpacks them under build/kernels/NAME.
#
# The names are short.  On Debian `6.1` is the kernel of bookworm, `6.12` the one of
# bookworm-backports (or of trixie, if that is what you run), `sid` the newest there
# is.  Anywhere, `own` is the kernel of the distribution that you have.  Several can
# stand side by side; `make run HOST_KERNEL=6.12` picks one.
#
# And if you have built a kernel yourself: `KERNEL=path/to/bzImage KDIR=path/to/tree`
# and none of this is used.
#:*
"""Fetch and find the kernels that the nested machine can boot."""

import json
import os
import re
import shutil
import subprocess

from . import modules, toolchain
from .common import (TOP, NestedError, bzimage_release, build_dir, find_program, os_release,
                     say)

# Which suite of Debian carries which kernel, seen from each release of Debian.
# Every entry lists suites; what is in the machine's own sources is preferred.
DEBIAN_SUITES = {
    "6.1": {None: ["bookworm", "bookworm-security"]},
    "6.12": {None: ["trixie", "trixie-security"], "bookworm": ["bookworm-backports"]},
    "sid": {None: ["sid"]},
}
DEBIAN_DEFAULT = {"bookworm": "6.1", "trixie": "6.12"}
METAPACKAGES = {
    "debian": [("linux-image-cloud-amd64", "linux-headers-cloud-amd64")],
    "ubuntu": [
        ("linux-image-virtual", "linux-headers-virtual"),
        ("linux-image-generic", "linux-headers-generic"),
    ],
}
KEYRINGS = {
    "debian": "/usr/share/keyrings/debian-archive-keyring.gpg",
    "ubuntu": "/usr/share/keyrings/ubuntu-archive-keyring.gpg",
}
# Of what headers depend on, these packages hold files that a build reads.
HEADER_PACKAGE = re.compile(r"^linux-(headers|kbuild|[a-z0-9.-]+-headers)-")
# The image itself; since 7.x Debian keeps it in a package beside linux-image-*.
IMAGE_PACKAGE = re.compile(r"^linux-(image|binary)-")
# Where the modules are: with the image on Debian, beside it on Ubuntu.
MODULES_PACKAGE = re.compile(r"^linux-(image|binary|modules)-(?!extra-)")


def distribution():
    """("debian" or "ubuntu", codename); other distributions raise."""
    fields = os_release()
    names = [fields.get("ID", "")] + fields.get("ID_LIKE", "").split()
    codename = fields.get("VERSION_CODENAME") or fields.get("UBUNTU_CODENAME") or "sid"
    for name in names:
        if name in METAPACKAGES:
            if name == "ubuntu" and fields.get("UBUNTU_CODENAME"):
                codename = fields["UBUNTU_CODENAME"]
            return name, codename
    raise NestedError(
        "this is %s, and I know where kernels come from on Debian and Ubuntu only; "
        "give your own: KERNEL=path/to/bzImage KDIR=path/to/headers"
        % (fields.get("PRETTY_NAME") or "an unknown distribution")
    )


def default_name():
    """The kernel that is used when nobody names one."""
    if os.environ.get("HOST_KERNEL"):
        return os.environ["HOST_KERNEL"]
    try:
        family, codename = distribution()
    except NestedError:
        return "own"
    if family == "debian":
        return DEBIAN_DEFAULT.get(codename, "own")
    return "own"


def tested_names():
    """The kernels of a full test run: an old and a newer one on Debian, else the own."""
    try:
        return ["6.1", "6.12"] if distribution()[0] == "debian" else ["own"]
    except NestedError:
        return []


def handout_release():
    """The release that the objects of this handout (labs/STAFF.md) are for, or None."""
    index = os.path.join(TOP, "labs", "reference", "index.json")
    try:
        with open(index, encoding="utf-8") as f:
            return json.load(f)["release"]
    except (OSError, ValueError, KeyError):
        return None


class Kernel:
    """A kernel that can be booted: name, release, image, and headers (or None)."""

    def __init__(self, name, release, image, kdir):
        self.name, self.release, self.image, self.kdir = name, release, image, kdir


def kernels_dir():
    return os.path.join(build_dir(), "kernels")


def unpacked(name):
    """The Kernel unpacked as `name`, or None."""
    home = os.path.join(kernels_dir(), name)
    try:
        with open(os.path.join(home, "kernel.json"), encoding="utf-8") as f:
            info = json.load(f)
    except (OSError, ValueError):
        return None
    return Kernel(
        name,
        info["release"],
        os.path.join(home, info["image"]),
        os.path.join(home, info["kdir"]),
    )


def select(name=None):
    """The Kernel meant by --kernel NAME, by KERNEL= and KDIR=, or by default.

    `name` may be a path to a bzImage.  Nothing is fetched here: a missing kernel
    is an error that says how to get it.
    """
    if not name and os.environ.get("KERNEL"):
        name = os.path.abspath(os.environ["KERNEL"])
    if name and os.sep in name:
        path = os.path.abspath(name)
        return Kernel(path, bzimage_release(path), path, os.environ.get("KDIR"))
    name = name or default_name()
    kernel = unpacked(name)
    if kernel is None:
        check_name(name)
        raise NestedError(
            "kernel %s is not here yet; fetch it with: %s kernel fetch %s"
            % (name, os.path.relpath(os.path.join(TOP, "tools", "nested")), name)
        )
    if os.environ.get("KDIR"):
        kernel.kdir = os.path.abspath(os.environ["KDIR"])
    return kernel


def known_names():
    family, _ = distribution()
    return (list(DEBIAN_SUITES) if family == "debian" else []) + ["own"]


def check_name(name):
    """Raise unless `name` is a kernel that could be fetched here."""
    names = known_names()
    if name not in names:
        raise NestedError(
            "kernel %s: I know %s, or a path to a bzImage" % (name, ", ".join(names)), 2
        )


# -- fetching ---------------------------------------------------------------


def apt_targets():
    """The machine's own package sources, each a dictionary of apt's fields."""
    out = subprocess.run(
        ["apt-get", "indextargets", "Created-By: Packages"],
        stdout=subprocess.PIPE, check=True, universal_newlines=True,
    ).stdout
    targets = []
    for stanza in out.split("\n\n"):
        fields = dict(
            line.split(": ", 1) for line in stanza.splitlines() if ": " in line
        )
        if fields.get("Architecture", "amd64") == "amd64" and "Repo-URI" in fields:
            targets.append(fields)
    return targets


def source_lines(name, arch="amd64"):
    """The lines of a sources.list that carries the kernel called `name`.

    The mirror is always the one that the machine's apt uses already: a suite that
    isn't among its sources is looked for beside the ones that are.
    """
    family, codename = distribution()
    components = "main" if family == "debian" else "main restricted"
    if name == "own":
        suites = [codename, codename + "-updates", codename + "-security"]
    else:
        by_release = DEBIAN_SUITES[name]
        suites = by_release.get(codename, by_release[None])
    keyring = KEYRINGS[family]
    options = "arch=" + arch
    if os.path.exists(keyring):
        options += " signed-by=" + keyring

    have = {}  # suite -> URIs that the machine's apt uses for it
    for target in apt_targets():
        if target.get("Component", "main") != "main":
            continue
        if target.get("Origin", "Debian") not in ("Debian", "Ubuntu"):
            continue
        for suite in {target.get("Release"), target.get("Codename"), target.get("Suite")}:
            if suite and target["Repo-URI"] not in have.setdefault(suite, []):
                have[suite].append(target["Repo-URI"])
    if not have:
        raise NestedError("apt has no Debian or Ubuntu source here; see: man sources.list")

    def main_uris(suite):
        """A mirror that would carry `suite`, judged by the kind of suite it is."""
        kind = "-security" if suite.endswith("-security") else ""
        for own in [codename + kind] + sorted(have):
            if own in have and own.endswith("-security") == bool(kind):
                return have[own]
        return []

    lines = []
    for suite in suites:
        for uri in have.get(suite) or main_uris(suite):
            lines.append("deb [%s] %s %s %s" % (options, uri, suite, components))
    return lines


class PrivateApt:
    """apt with a state directory of its own, run as whoever we are."""

    def __init__(self, name, arch="amd64"):
        self.home = os.path.join(build_dir(), "apt", name)
        self.debs = os.path.join(self.home, "debs")
        for part in ("lists/partial", "cache/archives/partial", "debs", "parts", "preferences.d"):
            os.makedirs(os.path.join(self.home, part), exist_ok=True)
        self.sources = os.path.join(self.home, "sources.list")
        self.conf = os.path.join(self.home, "apt.conf")
        settings = {
            "Dir::State::lists": self.home + "/lists",
            "Dir::Cache": self.home + "/cache",
            "Dir::Etc::sourcelist": self.sources,
            "Dir::Etc::sourceparts": self.home + "/parts",
            "Dir::Etc::preferences": self.home + "/preferences",
            "Dir::Etc::preferencesparts": self.home + "/preferences.d",
            # As root, apt would hand the download to the user _apt, who may
            # not enter the directory that we are in.
            "APT::Sandbox::User": "root",
            "APT::Architecture": arch,
            "APT::Architectures": arch,
            "APT::Default-Release": "",
            "APT::Update::Error-Mode": "any",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
        }
        with open(self.conf, "w", encoding="utf-8") as f:
            # The machine may have hooks that clean its own cache, as root.
            f.write("#clear APT::Update::Post-Invoke;\n")
            f.write("#clear APT::Update::Post-Invoke-Success;\n")
            # Only what we read: the list of packages, nothing for desktops.
            f.write("#clear Acquire::IndexTargets::deb::DEP-11;\n")
            f.write("#clear Acquire::IndexTargets::deb::CNF;\n")
            for key, value in settings.items():
                f.write('%s "%s";\n' % (key, value))

    def run(self, *args, cwd=None):
        """Run an apt program; returns its output, raises with its complaint."""
        done = subprocess.run(
            [args[0], "-q", "-c", self.conf] + list(args[1:]),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            universal_newlines=True, cwd=cwd, env=dict(os.environ, LC_ALL="C"),
        )
        if done.returncode:
            text = [t for t in done.stderr.splitlines() if t.startswith(("E:", "W:"))]
            raise NestedError(
                "E-APT-01: %s failed: %s"
                % (" ".join(args[:2]), "; ".join(text) or "status %d" % done.returncode)
            )
        return done.stdout

    def update(self, lines):
        with open(self.sources, "w", encoding="utf-8") as f:
            f.write("\n".join(lines) + "\n")
        self.run("apt-get", "update")

    def show(self, package):
        """The newest version's fields of a package, or None if there is none."""
        try:
            out = self.run("apt-cache", "show", "--no-all-versions", package)
        except NestedError:
            return None
        fields = {}
        for line in out.split("\n\n")[0].splitlines():
            key, colon, value = line.partition(": ")
            if colon and not line.startswith(" "):
                fields[key] = value
        return fields or None

    def closure(self, package, wanted):
        """`package` and what it depends on, as far as names match `wanted`."""
        found, queue = {}, [package]
        while queue:
            name = queue.pop(0)
            if name in found:
                continue
            fields = self.show(name)
            if fields is None:
                raise NestedError("E-APT-02: package %s is in none of: %s" % (
                    name, open(self.sources, encoding="utf-8").read().replace("\n", "; ")))
            found[name] = fields["Version"]
            for clause in re.split(r"[,|]\s*", fields.get("Depends", "")):
                other = clause.split("(")[0].split(":")[0].strip()
                if wanted.match(other):
                    queue.append(other)
        return found

    def download(self, packages):
        """Fetch packages (name -> version); returns the .deb files."""
        shutil.rmtree(self.debs)
        os.makedirs(self.debs)
        names = ["%s=%s" % item for item in sorted(packages.items())]
        self.run("apt-get", "download", *names, cwd=self.debs)
        return [os.path.join(self.debs, f) for f in sorted(os.listdir(self.debs))]


def unpack(deb, home, exclude):
    """Unpack a .deb below `home`, except what matches `exclude`."""
    first = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE)
    second = subprocess.run(
        ["tar", "-x", "--no-same-owner", "--exclude=" + exclude, "-C", home, "-f", "-"],
        stdin=first.stdout,
    )
    first.stdout.close()
    if first.wait() or second.returncode:
        raise NestedError("E-APT-03: %s doesn't unpack" % deb)


def fix_headers(home, release):
    """Make unpacked headers work where they are; returns KDIR, relative.

    The packages expect to live in /usr/src and /usr/lib.  Their symbolic links
    are relative already (or made so here); the Makefile names its other half by
    an absolute path.
    """
    kdir = os.path.join("usr/src", "linux-headers-" + release)
    if not os.path.isdir(os.path.join(home, kdir)):
        raise NestedError("E-APT-04: the header packages have no %s" % kdir)
    for where, dirs, files in os.walk(os.path.join(home, "usr/src")):
        for entry in dirs + files:
            path = os.path.join(where, entry)
            if os.path.islink(path) and os.readlink(path).startswith("/usr/"):
                target = os.path.relpath(home + os.readlink(path), where)
                os.unlink(path)
                os.symlink(target, path)
    for part in os.listdir(os.path.join(home, "usr/src")):
        makefile = os.path.join(home, "usr/src", part, "Makefile")
        if not os.path.isfile(makefile) or os.path.islink(makefile):
            continue
        with open(makefile, encoding="utf-8") as f:
            text = f.read()
        # Its own directory, whatever that is by then: build/ may be moved.
        fixed = text
        if "/usr/src/" in text and len(text) < 1024:
            fixed = "LG_SRC := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))..)\n"
            fixed += text.replace("/usr/src/", "$(LG_SRC)/")
        if fixed != text:
            with open(makefile, "w", encoding="utf-8") as f:
                f.write(fixed)
    return kdir


def use_machine_gcc(kdir):
    """Headers that name a gcc which is older than the machine's: take the machine's."""
    compiler = toolchain.wanted(kdir)
    if compiler is None or shutil.which(compiler) or toolchain.bin_for(kdir):
        return
    path = os.path.join(kdir, ".kernelvariables")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    with open(path, "w", encoding="utf-8") as f:
        f.write(text.replace(compiler, "gcc"))


def fetch(name, refresh=False):
    """Have kernel `name` under build/kernels; returns it.  Idempotent."""
    kernel = unpacked(name)
    if kernel and not refresh:
        if not toolchain.needed(kernel.kdir):
            return kernel
    check_name(name)
    find_program("apt-get", "apt", "E-APT-00")
    find_program("dpkg-deb", "dpkg", "E-DPKG-01")
    family, _ = distribution()
    say("fetching kernel %s (about 40 MB; unpacked under build/, not installed)" % name)
    try:
        apt = PrivateApt(name)
    except OSError as e:
        raise NestedError("%s: %s; is build/ another user's?" % (e.filename, e.strerror))
    apt.update(source_lines(name))
    # Objects of a handout want the release that they were made for, while it is to be had.
    wanted = handout_release()
    pairs = [("linux-image-" + wanted, "linux-headers-" + wanted)] if wanted else []
    for image_meta, headers_meta in pairs + METAPACKAGES[family]:
        if apt.show(image_meta) and apt.show(headers_meta):
            break
    headers = apt.closure(headers_meta, HEADER_PACKAGE)
    images = apt.closure(image_meta, IMAGE_PACKAGE)
    releases = [p[len("linux-headers-"):] for p in headers]
    exact = (image_meta, headers_meta) in pairs
    release = wanted if exact else next(
        (p[len("linux-image-"):] for p in images
         if p != image_meta and p[len("linux-image-"):] in releases), None
    )
    if release is None:
        raise NestedError("E-APT-05: no image among %s fits the headers %s" % (
            ", ".join(sorted(images)), ", ".join(sorted(headers))))
    packages = {p: v for p, v in images.items() if p.endswith("-" + release)}
    packages.update((p, v) for p, v in headers.items() if exact or p != headers_meta)
    debs = apt.download(packages)

    home = os.path.join(kernels_dir(), name)
    fresh = "%s.new.%d" % (home, os.getpid())
    shutil.rmtree(fresh, ignore_errors=True)
    os.makedirs(fresh)
    try:
        for deb in debs:
            unpack(deb, fresh, exclude="./lib/modules/*/kernel")
        modules.keep([d for d in debs if IMAGE_PACKAGE.match(os.path.basename(d))], fresh)
        images = ["boot/vmlinuz-" + release, "usr/lib/modules/%s/vmlinuz" % release]
        info = {
            "release": release,
            "image": next((i for i in images if os.path.exists(os.path.join(fresh, i))), images[0]),
            "kdir": fix_headers(fresh, release),
            "packages": packages,
        }
        bzimage_release(os.path.join(fresh, info["image"]))
        compiler = toolchain.needed(os.path.join(fresh, info["kdir"]), refresh)
        if compiler:
            kbuild = next((p for p in headers if p.startswith("linux-kbuild-")), compiler)
            toolchain.fetch(compiler, kbuild, apt, unpack)
            toolchain.wrap_kbuild(fresh, compiler)
        use_machine_gcc(os.path.join(fresh, info["kdir"]))
        with open(os.path.join(fresh, "kernel.json"), "w", encoding="utf-8") as f:
            json.dump(info, f, indent=1)
        shutil.rmtree(home, ignore_errors=True)
        os.rename(fresh, home)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(apt.debs, ignore_errors=True)
    kernel = unpacked(name)
    say("kernel %s is %s" % (name, kernel.release))
    return kernel


def modules_for(kernel, names):
    """[(name, bytes)] of the modules to load for `names`, in order.

    Most kernels were fetched with their modules.  Where these are a package of their own
    (Ubuntu), or the kernel was fetched before we kept any, they are fetched now.
    """
    if os.sep in kernel.name:
        return []  # a kernel of the user's own: it has them built in, or it has them not
    home = os.path.join(kernels_dir(), kernel.name)
    if not os.path.isdir(os.path.join(home, "modules")):
        fetch_modules(kernel.name, kernel.release, home)
    return modules.in_order(home, names)


def fetch_modules(name, release, home):
    say("fetching the network modules of kernel %s (about 40 MB, once)" % name)
    apt = PrivateApt(name)
    apt.update(source_lines(name))
    try:
        found = apt.closure("linux-image-" + release, MODULES_PACKAGE)
        debs = apt.download({p: v for p, v in found.items() if p.endswith("-" + release)})
        if not modules.keep(debs, home):
            raise NestedError("E-APT-06: no modules in %s" % ", ".join(sorted(found)))
    except NestedError as e:
        raise NestedError("%s; a newer kernel has them, perhaps: tools/nested kernel fetch "
                          "--refresh %s" % (e, name))
    finally:
        shutil.rmtree(apt.debs, ignore_errors=True)


def listing():
    """All kernels under build/kernels."""
    try:
        names = sorted(os.listdir(kernels_dir()))
    except OSError:
        names = []
    return [k for k in map(unpacked, names) if k]
