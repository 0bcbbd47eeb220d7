"""The folder an agent's file tools work in, with no way out of it."""

import contextlib
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from tools.descent import DEEPEST, Descent, in_words, refuse_irregular
from tools.errors import ToolFailed
from tools.private_names import is_hidden, is_private

Kind = Literal["file", "folder", "link", "other"]
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a folder."""

    path: str
    """Relative to the folder that was listed."""
    kind: Kind
    size: int
    """Bytes, of a file."""


class Workspace:
    """Opens, lists and writes files by paths that come from a model."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    @contextmanager
    def open_file(self, path: str) -> Iterator[BinaryIO]:
        """A regular file inside the workspace, open for reading; links are followed as long as they stay inside."""
        with Descent(self._root, path) as place, in_words(path):
            file = os.fdopen(place.open_file(), "rb")
        with file:
            yield file

    def is_file(self, path: str) -> bool:
        """Whether a regular file stands there."""
        with Descent(self._root, path) as place:
            found = place.stat()
        return found is not None and stat.S_ISREG(found.st_mode)

    def entries(self, path: str, *, recursive: bool, hidden: bool) -> Iterator[Entry]:
        """What stands in a folder, by name; links are shown and not followed, private folders are not entered."""
        with Descent(self._root, path) as place, in_words(path):
            folder = place.open_folder()
        yield from _entries(folder, "", DEEPEST if recursive else 0, hidden=hidden)

    def write(self, path: str, content: bytes, key: str) -> int | None:
        """Put a whole file in place at once; the size of what stood there, or None.

        Whoever reads meanwhile sees the old file or the new one. Attempts with the same key clear away what an
        earlier one left when its process died.
        """
        with Descent(self._root, path, writing=True) as place, in_words(path):
            if place.name is None:
                raise ToolFailed(f"{path!r} is a folder, not a file")
            old = place.stat()
            if old is not None:
                _refuse_overwriting(old, path)
            mode = 0o666 if old is None else stat.S_IMODE(old.st_mode)
            _replace(place.folder, place.name, content, _Draft(key, mode, keep_mode=old is not None))
        return None if old is None else old.st_size


def _refuse_overwriting(old: os.stat_result, path: str) -> None:
    refuse_irregular(old, path)
    if not old.st_mode & 0o222:
        raise ToolFailed(f"{path!r} is read-only")


def _entries(folder: int, prefix: str, deeper: int, *, hidden: bool) -> Iterator[Entry]:
    """The entries of an open folder, which is closed at the end."""
    try:
        with os.scandir(folder) as found:
            names = sorted((entry for entry in found), key=lambda entry: entry.name)
        for each in names:
            if hidden or not is_hidden(each.name):
                entry = _entry(folder, prefix, each.name)
                yield entry
                if entry.kind == "folder" and deeper and not is_private(each.name):
                    yield from _inside(folder, each.name, prefix, deeper, hidden=hidden)
    finally:
        os.close(folder)


def _inside(folder: int, name: str, prefix: str, deeper: int, *, hidden: bool) -> Iterator[Entry]:
    try:
        below = os.open(name, _FOLDER, dir_fd=folder)
    except OSError:  # gone meanwhile, or closed to us: it is listed, and that is all
        return
    yield from _entries(below, f"{prefix}{name}/", deeper - 1, hidden=hidden)


def _entry(folder: int, prefix: str, name: str) -> Entry:
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return Entry(prefix + name, "other", 0)
    kinds: dict[int, Kind] = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link"}
    return Entry(prefix + name, kinds.get(stat.S_IFMT(found.st_mode), "other"), found.st_size)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A file being written beside the one it will replace."""

    key: str
    mode: int
    keep_mode: bool

    @property
    def prefix(self) -> str:
        return f".perdure-{hashlib.sha256(self.key.encode(errors='replace')).hexdigest()[:16]}-"


def _replace(folder: int, name: str, content: bytes, draft: _Draft) -> None:
    for left in os.listdir(folder):
        if left.startswith(draft.prefix):
            _remove(folder, left)
    temporary = draft.prefix + secrets.token_hex(4)
    try:
        _write_new(folder, temporary, content, draft)
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        _remove(folder, temporary)
        raise
    os.fsync(folder)


def _write_new(folder: int, name: str, content: bytes, draft: _Draft) -> None:
    with os.fdopen(os.open(name, _NEW, draft.mode, dir_fd=folder), "wb") as file:
        if draft.keep_mode:
            os.fchmod(file.fileno(), draft.mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _remove(folder: int, name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)
