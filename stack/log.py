"""The end of a server's log, for people who ask what happened."""

import os
from pathlib import Path

MOST = 16_384
"""Bytes looked at."""


def tail(file: Path, lines: int = 15) -> str:
    """The last lines; nothing if the log cannot be read."""
    try:
        with file.open("rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(0, log.tell() - MOST))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""
