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


def screen(output, width):
    """The lines that stay on a terminal of ``width`` columns: cursor moves, erasures and line wraps are carried out."""
    lines, row, column, place = [[]], 0, 0, 0
    while place < len(output):
        control = _CONTROL.match(output, place)
        if control:
            number = int(control[1]) if control[1].isdigit() else 1
            if control[2] == "A":
                row = max(0, row - number)
            elif control[2] == "K":
                lines[row] = [] if control[1] == "2" else lines[row][:column]
            place = control.end()
            continue
        character = output[place]
        place += 1
        if character == "\r":
            column = 0
        elif character == "\n":
            row += 1
        elif character >= " ":
            if column == width:
                row, column = row + 1, 0
            while len(lines) <= row:
                lines.append([])
            lines[row] += [" "] * (column - len(lines[row]))
            lines[row][column : column + 1] = character
            column += 1
        while len(lines) <= row:
            lines.append([])
    return ["".join(line).rstrip() for line in lines if "".join(line).strip()]
