# SPDX-License-Identifier: MIT
"""What a test ended with, and how the points are counted."""

PASS, FAIL, TIMEOUT, ERROR, SKIP = "PASS", "FAIL", "TIMEOUT", "ERROR", "SKIP"


class Verdict:
    def __init__(self, word, why="", log=""):
        self.word = word        # one of the five
        self.why = why          # what was seen, in a line
        self.log = log
        self.warning = ""       # the compiler's first, about the student's lines
        self.metrics = {}       # {name: number}: for the leaderboard


class Line:
    """One test of one exercise, as it is reported."""

    def __init__(self, exercise, test, verdict):
        self.exercise = exercise
        self.test = test
        self.verdict = verdict
        self.log_file = ""

    @property
    def points(self):
        return self.test.points if self.verdict.word == PASS else 0

    @property
    def hint(self):
        return self.exercise.hint_for(self.test, self.verdict.why + "\n" + self.verdict.log)
