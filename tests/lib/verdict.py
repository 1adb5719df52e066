# SPDX-License-Identifier: MIT
"""The five words that a test can end with, and the results that carry them."""

# PASS     what was promised happened
# FAIL     it did not
# TIMEOUT  it was still running when the hang detector lost its patience
# ERROR    the test itself could not be carried out: the machine, not the Host, is at fault
# SKIP     not meant to run here (never: could not run here)
PASS, FAIL, TIMEOUT, ERROR, SKIP = "PASS", "FAIL", "TIMEOUT", "ERROR", "SKIP"


class Result:
    """One test: its name, one of the five words, why, and what to read about it."""

    def __init__(self, name, word, why="", detail=""):
        self.name = name
        self.word = word
        self.why = why
        self.detail = detail

    def line(self):
        if self.word == PASS:
            return "ok %s%s" % (self.name, " # %s" % self.why if self.why else "")
        if self.word == SKIP:
            return "skip %s: %s" % (self.name, self.why)
        return "not ok %s: %s: %s" % (self.name, self.word, self.why)


class Broken(Exception):
    """The test could not be carried out (an ERROR, worth a second try)."""


class Overdue(Exception):
    """The hang detector went off (a TIMEOUT).  detail: what to read about it."""

    def __init__(self, why, detail=""):
        super().__init__(why)
        self.detail = detail
