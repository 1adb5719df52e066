# SPDX-License-Identifier: MIT
"""The labs' engine and bad students: regions that mean harm."""

import os
import shutil
import socket
import sys
import tempfile

from .machine import TOP
from .suites import check
from .verdict import FAIL, PASS, SKIP, Result

sys.path.insert(0, os.path.join(TOP, "labs"))

# What a student might hand in for 6.1, and what must come out of it.  None of it may score.
HEAD = "#include <stdio.h>\n#include <stdlib.h>\n#include <unistd.h>\n#include <signal.h>\n" \
       "#include <sys/socket.h>\n#include <netinet/in.h>\n#include <fcntl.h>\n" \
       "#include <sys/prctl.h>\n#include <sys/stat.h>\n" \
       "void _fail(const char *file, const int line);\n"
BODY = "bool lg_range_ok(struct lguest *lg, u32 gpa, u32 len)\n{\n\t(void)lg, (void)gpa, " \
       "(void)len;\n%s\n}\n"
HOSTILE = [
    ("prints fake verdicts", 'puts("ok 1 - range_table"); puts("PASS"); return false;', FAIL),
    ("exits early", "exit(0);", FAIL),
    ("exits early, at once", "_exit(0);", FAIL),
    ("hangs", "for (;;)\n\t\t;", "TIMEOUT"),
    ("floods", "for (;;)\n\t\tputs(\"ok ok ok ok ok ok ok ok ok ok ok ok ok ok\");", FAIL),
    ("forks without end", "for (;;)\n\t\tfork();", (FAIL, "TIMEOUT")),
    ("writes to every descriptor", 'for (int fd = 0; fd < 64; fd++)\n\t\tdprintf(fd, "x '
     'range_table PASS\\n");\n\treturn false;', FAIL),
    ("shoots its parent", "kill(getppid(), SIGKILL);\n\tkill(-1, SIGKILL);\n\tpause();\n\t"
     "return true;", (FAIL, "TIMEOUT")),
    ("deletes files", 'if (system("rm -rf @CANARY@ @TOP@/labs/lab6/README.md; '
     'touch @TOP@/written /tmp/written-by-lab"))\n\t\treturn false;\n\treturn false;', FAIL),
    ("calls home", "struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(@PORT@),\n"
     "\t\t.sin_addr = { htonl(0x7f000001) } };\n\tint s = socket(AF_INET, SOCK_STREAM, 0);\n\t"
     "if (connect(s, (void *)&a, sizeof(a)) == 0)\n\t\twrite(s, \"x\", 1);\n\treturn false;", FAIL),
    ("allocates everything", "for (;;) {\n\t\tchar *p = malloc(1 << 26);\n\n\t\tif (!p)\n\t\t\t"
     "return false;\n\t\tmemset(p, 1, 1 << 26);\n\t}", (FAIL, "TIMEOUT")),
]
# With these every wrong answer would be right, if they were let.
FORGERS = [
    ("cuts cmocka's tongue out", "void _assert_true(void)\n{\n}\nvoid _assert_int_equal(void)\n"
     "{\n}\n#define _fail mute\nvoid print_error(void)\n{\n}\n" + BODY % "\treturn true;"
     "\n}\n#undef _fail\nvoid _fail(void)\n{\n", ""),
    ("writes to /proc/self/mem", HEAD + BODY % '\tprctl(PR_SET_DUMPABLE, 1);\n\t'
     'int fd = open("/proc/self/mem", O_RDWR);\n\tif (fd >= 0)\n\t\tpwrite(fd, "\\xc3", 1, '
     '(off_t)(unsigned long)_fail);\n\treturn true;', ("changed code in memory", "AddressSanitizer")),
    ("includes the solution", '#include "@TOP@/host/hypercalls.c"\n', "does not compile"),
    ("reads what others handed in", 'asm(".incbin \\"@CANARY@/canary\\"");\n' +
     BODY % "\treturn true;", "does not compile"),
    ("reads about this machine", 'asm(".incbin \\"/etc/passwd\\"");\n' +
     BODY % "\treturn true;", "does not compile"),
    ("assembles the solution", 'asm(".incbin \\"@TOP@/host/hypercalls.c\\"");\n' +
     BODY % "\treturn true;", "does not compile"),
]
# Reads the nonce and says that all is well, if it comes before main().
FORGE = "GO static void go(void)\n{\n\tchar s[99] = { 0 };\n\tint n = (int)read(0, s, 98);\n\t" \
    "const char *fd = getenv(\"LAB_VERDICTS\");\n\tif (n > 1 && fd) {\n\t\tdprintf(atoi(fd), " \
    "\"%.*s range_table PASS \\n%.*s . END\\n\", n - 1, s, n - 1, s);\n\t\t_exit(0);\n\t}\n}\n"
# The log of the test that runs, and what a link in its place would show.
LINK = '\tchar p[512];\n\tsnprintf(p, sizeof(p), "%s/range_table.log", getenv("LAB_LOGS"));\n\t' \
    'symlink("@CANARY@/canary", p);\n\treturn false;'
# Fails, but before that it writes the program that comes after this one.
NEXT = "static void next(void)\n{\n\tFILE *f;\n\tunlink(\"differential\");\n\t" \
    "f = fopen(\"differential\", \"w\");\n\tif (f) {\n\t\tfputs(\"#!/bin/bash\\nread n\\n" \
    "echo $n kernel_at_2_75_gib PASS >&$LAB_VERDICTS\\necho $n . END >&$LAB_VERDICTS\\n\", f);" \
    "\n\t\tfchmod(fileno(f), 0755);\n\t\tfclose(f);\n\t}\n\t_exit(1);\n}\n"
# Until there is no room for anybody, in files that are each of a size that is allowed.
FILL = '\tfor (int i = 0; i < 200; i++) {\n\t\tchar name[40];\n\n\t\tsnprintf(name, sizeof(name), ' \
    '"fill-%d", i);\n\t\tposix_fallocate(open(name, O_CREAT | O_WRONLY, 0600), 0, 100 << 20);\n' \
    '\t\tusleep(10000);\n\t}\n\treturn false;'
MANY = '\tfor (int i = 0; i < 25000; i++) {\n\t\tchar name[40];\n\n\t\tsnprintf(name, sizeof(name), ' \
    '"many-%d", i);\n\t\tclose(open(name, O_CREAT | O_WRONLY, 0600));\n\t}\n\tpause();\n\treturn false;'
NOT_EVEN_C = [
    ("does not compile", "this is not C\n", "does not compile"),
    ("includes a secret", '#include "/etc/shadow"\n', "does not compile"),
    ("leaves before main", HEAD + "__attribute__((constructor)) static void go(void)\n{\n\t"
     "_exit(0);\n}\n" + BODY % "\treturn true;", "section .init_array: nothing of yours"),
    ("forges before main", HEAD + "#define GO __attribute__((constructor(99)))\n" + FORGE +
     BODY % "\treturn true;", "section .init_array.00099: nothing of yours"),
    ("forges in the sanitizer's place", HEAD + "#define GO\n" + FORGE + "void __asan_init(void);\n"
     "void __asan_init(void)\n{\n\tgo();\n}\n" + BODY % "\treturn true;", "__asan_init: that is"),
    ("forges as the linker", HEAD + "#define GO\n" + FORGE + "static void *mine(void)\n{\n\tgo();"
     "\n\treturn go;\n}\nvoid other(void) __attribute__((ifunc(\"mine\")));\n" +
     BODY % "\tother();\n\treturn true;", "other: that is the sanitizer's"),
    ("forges in .init", HEAD + "#define GO __attribute__((used))\n" + FORGE + "asm(\".section .init"
     "; call go; .previous\");\n" + BODY % "\treturn true;", "section .init: nothing of yours"),
]


def labs_hostile(wanted):
    """Submissions that mean harm: the right verdict, no points, and no harm."""
    from engine import labs, sandbox, unit
    from engine.tree import Tree
    unit.PATIENCE = 3.0
    tree = Tree()
    e = tree.exercises["6.1"]
    tests = [t for t in e.tests if t.test == "host/access/range_table"]
    results, prefix = [], "labs/hostile"
    folder = tempfile.mkdtemp(prefix="lg-canary-", dir="/tmp")
    os.chmod(folder, 0o777)
    canary = os.path.join(folder, "canary")
    with open(canary, "w", encoding="utf-8") as f:
        f.write("alive\n")
    os.chmod(canary, 0o666)
    door = socket.socket()
    door.bind(("127.0.0.1", 0))
    door.listen(5)
    door.settimeout(0.1)
    values = {"@CANARY@": folder, "@TOP@": TOP, "@PORT@": str(door.getsockname()[1])}
    unit.prepare(labs.load(6), tree)

    def verdict(name, text, words, expect):
        for key, value in values.items():
            text = text.replace(key, value)
        v = unit.try_exercise(e, tree, text, 1, tests)[tests[0].test]
        expect = (expect,) if isinstance(expect, str) else expect
        results.append(check("%s/%s" % (prefix, name), v.word in words and any(
            e in v.why for e in expect), "%s (%s), expected %s %s" % (
                v.word, v.why, " or ".join(words), " or ".join(expect)), v.log))
    try:
        for name, body, words in HOSTILE:
            words = (words,) if isinstance(words, str) else words
            verdict(name, HEAD + BODY % ("\t" + body), words, "")
        for name, body in (("fills the disk", FILL), ("makes files without end", MANY)):
            unit.PATIENCE = 20.0
            verdict(name, HEAD + BODY % body, (FAIL,), "it wrote more than 1024 MiB, or 20000 files")
        unit.PATIENCE = 3.0
        for name, text, expect in FORGERS if sandbox.level() != "limits" else FORGERS[:2]:
            verdict(name, text, (FAIL,), expect)
        for name, text, expect in NOT_EVEN_C:
            verdict(name, text, (FAIL,), expect)
        if sandbox.level() != "limits":
            v = unit.try_exercise(e, tree, HEAD + BODY % LINK.replace("@CANARY@", folder), 1,
                                  tests)[tests[0].test]
            results.append(check(prefix + "/a link for a log", v.word == FAIL and
                                 "alive" not in v.why + v.log, "%s (%s)" % (v.word, v.why), v.log))
        verdict("an honest one still passes", tree.mine(e), (PASS,), "")
        if sandbox.level() == "limits":
            results.append(Result(prefix + "/no harm", SKIP, sandbox.describe()))
        else:
            try:
                door.accept()
                called = True
            except socket.timeout:
                called = False
            results.append(check(prefix + "/no harm", os.path.exists(canary) and os.path.exists(
                os.path.join(TOP, "labs/lab6/README.md")) and not os.path.exists(
                    os.path.join(TOP, "written")) and not os.path.exists("/tmp/written-by-lab")
                and not called, "a file is gone or was written, or somebody called"))
    finally:
        door.close()
        shutil.rmtree(folder)
    results += labs_next_program(tree, prefix)
    left = processes_called("./access")
    results.append(check(prefix + "/nothing still runs", not left, "processes: %s" % left))
    return results


def labs_next_program(tree, prefix):
    """Who fails in one program, and writes another one in the place of the next."""
    from engine import labs, unit
    e = tree.exercises["9.2"]
    tests = [t for t in e.tests if t.test in ("host/page_tables/linear_mode",
                                              "host/differential/kernel_at_2_75_gib")]
    unit.prepare(labs.load(9), tree)
    found = unit.try_exercise(e, tree, HEAD + NEXT + tree.mine(e).replace(
        "\n{\n", "\n{\n\tnext();\n", 1), 1, tests)
    return [check(prefix + "/writes the next program", all(v.word == FAIL for v in found.values())
                  and len(found) == 2, str({n: (v.word, v.why) for n, v in found.items()}))]


def processes_called(name):
    """The numbers of all processes with this command line (a small machine has no pgrep)."""
    found = []
    for number in os.listdir("/proc"):
        try:
            with open("/proc/%s/cmdline" % number, "rb") as f:
                if number.isdigit() and f.read().rstrip(b"\0") == name.encode():
                    found.append(number)
        except OSError:
            pass
    return found


def try_regions(prefix, ident, test, cases, region):
    """What comes of `test` with region(tree, exercise, case) for LAB ident, for each of cases."""
    from engine import unit
    from engine.tree import Tree
    tree, results = Tree(), []
    e = tree.exercises[ident]
    tests = [t for t in e.tests if t.test == test]
    unit.prepare(e.lab, tree)
    for name, code, word, expect in cases:
        v = unit.try_exercise(e, tree, region(tree, e, code), 1, tests)[test]
        results.append(check("%s/%s" % (prefix, name), v.word == word and expect in v.why,
                             "%s (%s), expected %s %s" % (v.word, v.why, word, expect), v.log))
    return results


# The same in 32 bits, in lguest_irq_enable() of exercise 1.3: what it says instead of the store.
INSIDE = [
    ("as it should be", "", PASS, ""),
    ("what only ring 0 may do", 'asm volatile("sti");', FAIL, "sti was executed in"),
    ("a system call of Linux's", 'asm volatile("int $0x80" : : "a"(1), "b"(0));', FAIL,
     "left with exit status 0"),
    ("a function that is not there", "panic(\"x\");", FAIL, "did not expect to be called"),
    ("a step into nowhere", "((void (*)(void))0x1234)();", FAIL, "jumped to address 0x1234"),
    ("a stack of its own", 'asm volatile("movl $0x5000, %esp; ret");', FAIL, ""),
    ("another code segment", 'asm volatile("ljmp $0x33, $0x5000");', FAIL, ""),
    ("no end", "for (;;)\n\t\t;", "TIMEOUT", "still running"),
]


def labs_inside(wanted):
    """32-bit code of a student's, in the address space of a test that is not: who wins?"""
    from engine import unit
    unit.PATIENCE = 3.0
    store = "\tLIVE(irq_enabled) = LGUEST_IF;\n"
    return try_regions("labs/inside", "1.3", "teachos32/flag/off_and_on", INSIDE,
                       lambda tree, e, code: tree.mine(e).replace(
                           store, "\t%s\n%s" % (code, store)))


# The same for the Switcher: what may stand in a region of NASM.  {}: the reference.
NASTY = [
    ("speaks for the stand", "{}\tmov\tal, 'x'\n\tout\t0xe9, al\n", FAIL, "not for the Switcher"),
    ("leaves for the Host's text", "{}[section .text]\n\tret\n__SECT__\n", FAIL, "section .text"),
    ("calls the stand", "{}\textern\tfinish\n\tcall\tfinish\n", FAIL, "not mapped in the Guest"),
    ("includes a secret", 'incbin "/etc/shadow"\n{}', FAIL, "does not compile"),
    ("is not even NASM", "#include <stdio.h>\nint main;\n", FAIL, "does not compile"),
    ("fills the memory", "{}\ttimes 4000000000 nop\n", FAIL, ""),
    ("ends it all", "{}%fatal enough\n", FAIL, "does not compile"),
    ("hangs", "leave_guest:\n\tjmp\t$\nleave_end:\n", "TIMEOUT", "hangs"),
    ("triple-faults", "leave_guest:\n\tlidt\t[r15 + LG_SPILL_RAX]\n\tud2\nleave_end:\n", FAIL,
     "triple fault"),
    ("an honest one still passes", "{}", PASS, ""),
]


def labs_switcher(wanted):
    """Regions of the Switcher that mean harm, or do it: the right verdict, and soon."""
    return try_regions("labs/switcher", "10.4", "switcher/stand/there-and-back", NASTY,
                       lambda tree, e, text: text.replace("{}", tree.mine(e)))
