"""Files that only their owner may read, replaced in one step so that no reader meets half of one."""

import os
import tempfile
from pathlib import Path

from stack.errors import DataFolderUnusable


def write_private(file: Path, text: str) -> None:
    """Replace the file's content; mode 600. Raises `DataFolderUnusable`."""
    try:
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as new:
                new.write(text)
            Path(name).replace(file)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise DataFolderUnusable(file.parent, str(error)) from error
