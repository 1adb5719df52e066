# SPDX-License-Identifier: MIT
"""Questions of lab 8, with numbers from the student's seed.  Staff only."""

import random


def ask(seed):
    r = random.Random("lab8/%s" % seed)
    raised = r.sample(range(1, 32), 7)
    masked = r.sample(raised, 2)
    mask = sum(1 << irq for irq in masked)
    late = min(masked)
    left = sorted(set(raised) - set(masked))
    # The handler of the second unmasks `late`: it joins those that are left.
    order = left[:2] + sorted(left[2:] + [late])
    first, more, again = r.randrange(20, 40), r.randrange(3, 9), r.randrange(41, 60)
    return [
        ("8.a", """
With interrupts off a Guest has these raised: %s. blocked_interrupts is %#x. All gates are
interrupt gates, and each handler ends with IRET. Now it turns interrupts on. The second
handler that runs takes interrupt %d out of blocked_interrupts. Which interrupt is delivered
fourth?
""" % (", ".join(str(x) for x in raised), mask, late), order[3]),
        ("8.b", """
With interrupts off, a Guest calls SET_CLOCKEVENT(%d ms) at time 0, again (%d ms) at %d ms, and
(%d ms) at %d ms. At %d ms it calls SET_CLOCKEVENT(0), and then turns interrupts on. Let t be the
sum of all times in ms at which the timer went off, and n the number of interrupts delivered.
What is 1000 * n + t?
""" % (first, more, first - more - 1, 1, again, again + 10),
         1000 + (first - 1) + (again + 1)),
    ]
