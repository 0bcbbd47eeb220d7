"""What is shown of a measurement: its lines as they come, and whether the goals are met."""

import os
import sys


def show(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def machine() -> str:
    """What it is measured on, in a few words."""
    return f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before"


def at_most(name: str, measured: float, wanted: float) -> str:
    """A goal that is met by what is small."""
    return _line(name, measured, wanted, "≤", met=measured <= wanted)


def at_least(name: str, measured: float, wanted: float) -> str:
    """A goal that is met by what is large."""
    return _line(name, measured, wanted, "≥", met=measured >= wanted)


def _line(name: str, measured: float, wanted: float, sign: str, *, met: bool) -> str:
    return f"{'met' if met else 'MISSED':<7}{name}: {measured:,.2f}; goal {sign} {wanted:,}"
