"""The report's place in the folder: whether the demo may write there, and whose file stands there already."""

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cli.errors import BadUsage
from stack.files import write_private
from stack.scripted.report import NAME

MARK = b"by an agent of Perdure with a scripted model."
"""Stands near the top of every report that the scripted model writes."""
HEAD = 1024
"""Bytes in which the mark is looked for."""


@dataclass(frozen=True, slots=True)
class ReportFile:
    """The file the demo writes; what it wrote is remembered, so that a file of somebody else's is told apart."""

    folder: Path
    memory: Path
    """Where it is remembered: the SHA-256 of the last report, by path."""

    @classmethod
    def within(cls, folder: Path, home: Path) -> "ReportFile":
        """The report's place in a folder; raises `BadUsage` where the demo can or may not write it."""
        file = cls(Path(os.path.abspath(folder.expanduser())), home / "demo.json")  # noqa: PTH100 - keeps links
        file.require_folder()
        file.require_ours()
        return file

    @property
    def path(self) -> Path:
        """Where the report stands."""
        return self.folder / NAME

    def require_folder(self) -> None:
        """Raise `BadUsage` unless the folder can be listed and written to."""
        folder = self.folder
        try:
            os.fsencode(folder).decode()
            with os.scandir(folder) as found:
                next(found, None)
        except UnicodeDecodeError as error:
            raise _unusable(f"the name of the folder {folder} is not UTF-8") from error
        except FileNotFoundError as error:
            raise _unusable(f"there is no folder {folder}") from error
        except NotADirectoryError as error:
            raise _unusable(f"{folder} is a file, not a folder") from error
        except OSError as error:
            raise _unusable(f"the folder {folder} cannot be read: {error.strerror}") from error
        try:
            tempfile.TemporaryFile(dir=folder).close()
        except OSError as error:
            raise _unusable(f"nothing can be written into {folder}: {error.strerror}") from error

    def require_ours(self) -> None:
        """Raise `BadUsage` where a file of somebody else's stands in the report's place."""
        path = self.path
        if not os.path.lexists(path) or self._is_ours():
            return
        raise BadUsage(
            f"{path} is not the demo's, or was changed since: the demo never writes over a file of yours",
            kind="folder",
            remedy="move it away, or give another folder: perdure demo FOLDER",
        )

    def _is_ours(self) -> bool:
        if self.path.is_symlink() or not self.path.is_file():
            return False
        known = self._known().get(str(self.path))
        return known == self.sha256() if known else MARK in (self.content() or b"")[:HEAD]

    def content(self) -> bytes | None:
        """What stands there now; None where nothing does."""
        try:
            return self.path.read_bytes()
        except OSError:
            return None

    def sha256(self) -> str | None:
        """The same as a digest."""
        content = self.content()
        return None if content is None else hashlib.sha256(content).hexdigest()

    def remember(self) -> None:
        """Know it again the next time."""
        sha256 = self.sha256()
        if sha256 is not None:
            self.memory.parent.mkdir(parents=True, exist_ok=True)
            write_private(self.memory, json.dumps({**self._known(), str(self.path): sha256}, indent=2))

    def _known(self) -> dict[str, str]:
        try:
            known = json.loads(self.memory.read_bytes())
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}


def _unusable(problem: str) -> BadUsage:
    return BadUsage(problem, kind="folder", remedy="give a folder you may write to: perdure demo FOLDER")
