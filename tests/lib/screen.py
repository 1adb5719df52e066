# SPDX-License-Identifier: MIT
"""What a person would see: as much of a VT100 as our programs use, from its User Guide."""

import re

SEQUENCE = re.compile(rb"\x1b(?:\[(\??[\d;]*)([A-Za-z@])|([78DMc=>])|\(B)|([\x00-\x1a\x7f])|"
                      rb"([^\x00-\x1f\x7f]+)")


class Screen:
    def __init__(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.cell = [[" "] * columns for _ in range(rows)]
        self.reverse = set()            # (row, column) of what is shown so
        self.y = self.x = 0
        self.top, self.bottom = 0, rows - 1
        self.origin, self.wrap, self.inverse = False, True, False
        self.saved = (0, 0, False)
        self.rest = b""

    def resize(self, rows, columns):
        """What stays is at the top left; the scrolling region is gone (as xterm does it)."""
        self.cell = [(line + [" "] * columns)[:columns] for line in self.cell[:rows]]
        self.cell += [[" "] * columns for _ in range(rows - len(self.cell))]
        self.rows, self.columns = rows, columns
        self.reverse = {(y, x) for y, x in self.reverse if y < rows and x < columns}
        self.y, self.x = min(self.y, rows - 1), min(self.x, columns - 1)
        self.top, self.bottom = 0, rows - 1

    def lines(self):
        return ["".join(line).rstrip() for line in self.cell]

    def feed(self, data):
        data, self.rest = self.rest + data, b""
        tail = data.rfind(b"\x1b")
        if tail >= 0 and len(data) - tail < 16 and not SEQUENCE.match(data, tail):
            data, self.rest = data[:tail], data[tail:]
        for m in SEQUENCE.finditer(data):
            parameters, final, short, control, text = m.groups()
            if final:
                self.sequence(parameters.decode(), final.decode())
            elif short == b"7":
                self.saved = (self.y, self.x, self.origin)
            elif short == b"8":
                self.y, self.x, self.origin = self.saved
            elif control == b"\n":
                self.line_feed()
            elif control == b"\r":
                self.x = 0
            elif control == b"\b":
                self.x = max(0, self.x - 1)
            elif text:
                for ch in text.decode("latin1"):
                    self.put(ch)

    def put(self, ch):
        if self.x >= self.columns:
            if not self.wrap:
                self.x = self.columns - 1
            else:
                self.x = 0
                self.line_feed()
        self.cell[self.y][self.x] = ch
        (self.reverse.add if self.inverse else self.reverse.discard)((self.y, self.x))
        self.x += 1

    def line_feed(self):
        if self.y == self.bottom:
            del self.cell[self.top]
            self.cell.insert(self.bottom, [" "] * self.columns)
        else:
            self.y = min(self.rows - 1, self.y + 1)

    def home(self, y, x):
        first, last = (self.top, self.bottom) if self.origin else (0, self.rows - 1)
        self.y = min(last, first + max(0, y - 1))
        self.x = min(self.columns - 1, max(0, x - 1))

    def erase(self, y, first, last):
        for x in range(first, last):
            self.cell[y][x] = " "
            self.reverse.discard((y, x))

    def sequence(self, parameters, final):
        number = [int(n or 0) for n in parameters.lstrip("?").split(";")]
        n = number[0]
        if final in "Hf":
            self.home(n, number[1] if len(number) > 1 else 1)
        elif final == "K":
            self.erase(self.y, 0 if n else min(self.x, self.columns), self.x + 1 if n == 1
                       else self.columns)
        elif final == "J":
            for y in range(0 if n else self.y + 1, self.rows):
                self.erase(y, 0, self.columns)
            if not n:
                self.erase(self.y, min(self.x, self.columns), self.columns)
        elif final == "r":
            self.top = (n or 1) - 1
            self.bottom = (number[1] if len(number) > 1 and number[1] else self.rows) - 1
            self.home(1, 1)
        elif final == "m":
            self.inverse = 7 in number or (self.inverse and 0 not in number)
        elif final in "hl" and parameters == "?6":
            self.origin = final == "h"
            self.home(1, 1)
        elif final in "hl" and parameters == "?7":
            self.wrap = final == "h"
        elif final == "A":
            self.y = max(0, self.y - (n or 1))
        elif final == "B":
            self.y = min(self.rows - 1, self.y + (n or 1))
        elif final == "C":
            self.x = min(self.columns - 1, self.x + (n or 1))
        elif final == "D":
            self.x = max(0, self.x - (n or 1))
        elif final == "G":
            self.x = max(0, (n or 1) - 1)
