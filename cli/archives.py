"""Files that `perdure export` wrote."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cli.errors import BadUsage

if TYPE_CHECKING:
    from eventlog.archive import Archive

STDIO = "-"


def read_archive(file: str, purpose: str) -> "Archive":
    """What the file holds, or stdin where it is `-`; `BadUsage` says why it cannot serve the purpose."""
    from eventlog.archive import Damaged, read

    try:
        content = sys.stdin.buffer.read() if file == STDIO else Path(file).read_bytes()
    except OSError as error:
        raise BadUsage(f"{file} cannot be read: {error}") from error
    try:
        return read(content)
    except Damaged as error:
        raise BadUsage(
            f"{file} cannot be {purpose}: {error}", kind="damaged", remedy="export the thread again"
        ) from error
