# SPDX-License-Identifier: MIT
"""
Tier Q: questions whose numbers depend on the student's seed.

labs/labN/questions.py (staff only) makes them: ask(seed) -> [(id, text, answer)].  The
student finds the text in labs/labN/answers.txt, with a line `answer:` below each.  A
handout has no answers, only a slow salted hash of each: enough to say right or wrong.
"""

import hashlib
import importlib.util
import json
import os
import re

from .labs import SEED, LabError, read_text

ROUNDS = 200000


class Asked:
    def __init__(self, ident, most):
        self.id, self.most, self.points, self.said = ident, most, 0, "not answered"


def normal(answer):
    return " ".join(answer.lower().replace(",", " ").split())


def digest(seed, ident, answer):
    return hashlib.pbkdf2_hmac("sha256", normal(answer).encode(),
                               ("%s/%s" % (seed, ident)).encode(), ROUNDS).hex()


def maker(lab):
    path = os.path.join(lab.folder, "questions.py")
    if not os.path.exists(path):
        return None
    spec = importlib.util.spec_from_file_location("questions%d" % lab.lab, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def student_seed(top, needed=False):
    """The seed of this handout, or 1 in the course's own tree.  needed: here it must be one."""
    try:
        seed = read_text(os.path.join(top, "labs", "seed")).strip()
    except OSError as error:
        if needed:
            raise LabError("labs/seed: %s; without it nobody knows which numbers are yours: "
                           "git checkout labs/seed" % error.strerror)
        return os.environ.get("STUDENT_SEED") or "1"
    if needed and not SEED.match(seed):
        raise LabError("labs/seed says %r; expected a word of letters, digits and .@+-_: "
                       "git checkout labs/seed" % seed[:40])
    return seed


def sheet(lab, seed):
    """The text of answers.txt."""
    module = maker(lab)
    text = ["# Lab %d: predict first, then run. One answer in each line that begins with" % lab.lab,
            "# `answer:`. Numbers in decimal or 0x..., words as the question says.", ""]
    for ident, ask, _ in module.ask(seed):
        text += ["[%s]" % ident] + ask.strip().splitlines() + ["answer:", ""]
    return "\n".join(text)


def hashes(lab, seed):
    return {ident: digest(seed, ident, str(a)) for ident, _, a in maker(lab).ask(seed)}


def given(text):
    """{id: answer} from a filled sheet."""
    found, current = {}, None
    for line in text.splitlines():
        m = re.match(r"^\[(\S+)\]\s*$", line)
        if m:
            current = m.group(1)
        elif current and line.lower().startswith("answer:"):
            found[current] = line.split(":", 1)[1].strip()[:200]
    return found


def as_number(text):
    try:
        return str(int(text.replace("_", ""), 0))
    except ValueError:
        return text


def judge(lab, text, tree, seed=None):
    """-> [Asked] for the answers in `text`."""
    asked = []
    seed = seed or student_seed(tree.top)
    module = maker(lab)
    if module:
        known = {i: digest(seed, i, str(a)) for i, _, a in module.ask(seed)}
    else:
        try:
            with open(os.path.join(lab.folder, "answers.hash"), encoding="utf-8") as f:
                known = json.load(f)
        except OSError:
            known = {}
    answers = given(text or "")
    for q in (lab.questions or {}).get("ask", []):
        a = Asked(q["id"], q["points"])
        answer = answers.get(q["id"], "")
        if answer:
            right = digest(seed, q["id"], as_number(answer)) == known.get(q["id"])
            a.points = a.most if right else 0
            a.said = "right" if right else "'%s' is not it" % answer[:60]
            if not right and not all(as_number(w).lstrip("-").isdigit()
                                     for w in normal(answer).split()):
                a.said += ", and no number: those are written 20, or 0x14"
        asked.append(a)
    return asked
