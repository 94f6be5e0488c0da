"""The commands of ct2pet, called by benchmarks in their own process."""

from __future__ import annotations

import sys
from importlib import import_module


def run(line: str) -> None:
    """Run a command: its name without ct2pet_, and its arguments. The benchmark ends where the command fails."""
    name, *arguments = line.split()
    if code := import_module(f"ct2pet.cli.{name}").main(arguments):
        sys.exit(f"ct2pet_{line}: exit code {code}")
