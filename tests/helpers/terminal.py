"""Programs run in a pseudo-terminal of a given width, and what they leave on its screen."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

ROOT = Path(__file__).parents[2]
_CONTROL = re.compile(r"\x1b\[(\??[0-9;]*)([A-Za-z])")


def run_in_terminal(script, width, environment=None):
    """All bytes that a Python script writes to a terminal of ``width`` columns, as text."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    variables = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": str(ROOT), **(environment or {})}
    for name in ("COLUMNS", "LINES", "NO_COLOR"):
        variables.pop(name, None)
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdin=follower, stdout=follower, stderr=follower, env=variables, close_fds=True
    )
    os.close(follower)
    parts = []
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        parts.append(part)
    os.close(leader)
    assert process.wait(timeout=60) == 0, b"".join(parts).decode()
    return b"".join(parts).decode()


class _Screen:
    def __init__(self, width):
        self.width, self.lines, self.row, self.column = width, [[]], 0, 0

    def control(self, letter, number):
        if letter == "A":
            self.row = max(0, self.row - int(number or 1))
        elif letter == "K":
            self.lines[self.row] = [] if number == "2" else self.lines[self.row][: self.column]

    def write(self, character):
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self.row += 1
        elif character >= " ":
            self._put(character)
        while len(self.lines) <= self.row:
            self.lines.append([])

    def _put(self, character):
        if self.column == self.width:
            self.row, self.column = self.row + 1, 0
        while len(self.lines) <= self.row:
            self.lines.append([])
        line = self.lines[self.row]
        line += [" "] * (self.column - len(line))
        line[self.column : self.column + 1] = character
        self.column += 1


def screen(output, width):
    """The lines that stay on a terminal of ``width`` columns: cursor moves, erasures and line wraps are carried out."""
    shown, place = _Screen(width), 0
    while place < len(output):
        control = _CONTROL.match(output, place)
        if control:
            shown.control(control[2], control[1])
            place = control.end()
        else:
            shown.write(output[place])
            place += 1
    return ["".join(line).rstrip() for line in shown.lines if "".join(line).strip()]
