"""Files that only their owner may read, replaced in one step so that no reader meets half of one."""

import os
import tempfile
from pathlib import Path


def write_private(file: Path, text: str) -> None:
    """Replace the file's content; mode 600."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as new:
            new.write(text)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def tail(file: Path, lines: int = 15, most: int = 16_384) -> str:
    """The last lines of a log."""
    try:
        with file.open("rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(0, log.tell() - most))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""
