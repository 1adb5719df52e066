# SPDX-License-Identifier: MIT
"""Questions of lab 4, with numbers from the student's seed.  Staff only."""

import random


def ask(seed):
    r = random.Random("lab4/%s" % seed)
    mib = r.randrange(9, 200)
    paddr = 0x100000 + r.randrange(1, 100) * 0x1000
    filesz, gap = r.randrange(0x1000, 0x8000), r.randrange(0x100, 0x9000)
    initrd = r.randrange(5000, 900000)
    return [
        ("4.a", """
PT_LOAD: p_vaddr %#x, p_paddr %#x, p_filesz %#x, p_memsz %#x. What is the guest-physical
address of the first byte that is zero because nothing of the file is there?
""" % (0xc0000000 + paddr, paddr, filesz, filesz + gap), paddr + filesz),
        ("4.b", """
A Guest has %d MiB and an initrd of %d bytes. At which guest-physical address does the initrd
begin?
""" % (mib, initrd), (mib << 20) - (initrd + 4095) // 4096 * 4096),
    ]
