"""The way from the workspace down to one file, one name at a time.

Every folder on the way is opened without following links and held open, and the next name is looked up in it: so
nobody can put a link in the way between the check and the use. Links are read and walked by the same rules, and `..`
goes back to the folder held before; above the first there is nothing. A path can thus not even name what is outside.
"""

import errno
import os
import stat
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tools.errors import ToolFailed
from tools.private_names import is_private

MOST_LINKS = 40
DEEPEST = 64
"""Folders held open at once."""
LONGEST_PATH = 4096
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_LINK = (errno.ELOOP, errno.EMLINK)
"""What systems say of a link that is not to be followed."""


class Descent:
    """A place in the workspace: a folder held open, and a name in it. To be used in a `with` statement."""

    def __init__(self, root: Path, path: str, *, writing: bool = False) -> None:
        self._root = root
        self._path = path
        self._writing = writing
        self._links = 0
        self._held = [os.open(root, _FOLDER)]
        self.name: str | None = None
        """The last name, if it is not a folder's own: the file or folder may or may not exist. It is no link."""

    def __enter__(self) -> Self:
        try:
            with in_words(self._path):
                self._walk(deque(self._relative(self._path)))
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of every folder."""
        while self._held:
            os.close(self._held.pop())

    @property
    def folder(self) -> int:
        """The folder that holds the name, as a file descriptor."""
        return self._held[-1]

    def stat(self) -> os.stat_result | None:
        """What stands at the place; None where nothing does."""
        if self.name is None:
            return os.fstat(self.folder)
        try:
            return os.stat(self.name, dir_fd=self.folder, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def open_file(self) -> int:
        """The regular file at the place, open for reading; devices, pipes and folders are refused and never block."""
        found = self.stat()
        if found is None:
            raise ToolFailed(f"there is no file {self._path!r} in the workspace")
        refuse_irregular(found, self._path)
        file = os.open(self.name or ".", _FILE, dir_fd=self.folder)
        try:
            refuse_irregular(os.fstat(file), self._path)
        except ToolFailed:
            os.close(file)
            raise
        return file

    def open_folder(self) -> int:
        """The folder at the place, open for listing."""
        found = self.stat()
        if found is not None and not stat.S_ISDIR(found.st_mode):
            raise ToolFailed(f"{self._path!r} is a file, not a folder")
        return os.open(self.name or ".", _FOLDER, dir_fd=self.folder)

    def _relative(self, path: str) -> list[str]:
        """The names a path or a link's target is made of, from the workspace's top if it is absolute."""
        if "\0" in path:
            raise ToolFailed("a path cannot contain a NUL character")
        if len(path) > LONGEST_PATH:
            raise ToolFailed(f"the path is too long: {len(path):,} characters, {LONGEST_PATH:,} at most")
        parts = [part for part in path.split("/") if part not in ("", ".")]
        if path.startswith("/"):
            root = list(self._root.parts[1:])
            if parts[: len(root)] != root:
                raise _outside(self._path)
            parts = parts[len(root) :]
        if private := next(filter(is_private, parts), None):
            raise ToolFailed(f"{self._path!r} stays closed: {private} may hold secrets, and no file tool opens it")
        return parts

    def _walk(self, names: deque[str]) -> None:
        while names:
            name = names.popleft()
            if name == "..":
                self._up()
                continue
            target = self._link(name)
            if target is not None:
                names.extendleft(reversed(self._follow(target)))
            elif names:
                self._down(name)
            else:
                self.name = name

    def _up(self) -> None:
        if len(self._held) == 1:
            raise _outside(self._path)
        os.close(self._held.pop())

    def _down(self, name: str) -> None:
        if len(self._held) > DEEPEST:
            raise ToolFailed(f"{self._path!r} lies more than {DEEPEST} folders deep")
        if self._writing:
            with suppress(FileExistsError):
                os.mkdir(name, dir_fd=self.folder)
        self._held.append(os.open(name, _FOLDER, dir_fd=self.folder))

    def _link(self, name: str) -> str | None:
        """Where the link of this name leads; None where it is no link, or nothing at all."""
        try:
            return os.readlink(name, dir_fd=self.folder)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno == errno.EINVAL:
                return None
            raise

    def _follow(self, target: str) -> list[str]:
        self._links += 1
        if self._writing:
            raise ToolFailed(f"{self._path!r} leads over a link; write to the place the link stands for")
        if self._links > MOST_LINKS:
            raise ToolFailed(f"{self._path!r} leads over more than {MOST_LINKS} links, perhaps in a circle")
        names = self._relative(target)
        if target.startswith("/"):
            while len(self._held) > 1:
                self._up()
        return names


def refuse_irregular(found: os.stat_result, path: str) -> None:
    """Raise `ToolFailed` for what is no regular file."""
    if stat.S_ISDIR(found.st_mode):
        raise ToolFailed(f"{path!r} is a folder, not a file")
    if not stat.S_ISREG(found.st_mode):
        raise ToolFailed(f"{path!r} is not a regular file (a device, pipe, socket or link), and is not opened")


def _outside(path: str) -> ToolFailed:
    return ToolFailed(f"{path!r} leads out of the workspace; give a path inside it, relative to its top folder")


@contextmanager
def in_words(path: str) -> Iterator[None]:
    """Whatever the operating system says against the path becomes `ToolFailed` in plain words."""
    try:
        yield
    except UnicodeEncodeError as error:
        raise ToolFailed(f"{path!r} holds characters no file name can have") from error
    except FileNotFoundError as error:
        raise ToolFailed(f"there is no {path!r} in the workspace") from error
    except NotADirectoryError as error:
        raise ToolFailed(f"there is no {path!r} in the workspace: a part of the path is not a folder") from error
    except OSError as error:
        if error.errno in _LINK:
            raise ToolFailed(f"{path!r} changed into a link while it was opened") from error
        raise ToolFailed(f"{path!r}: {error.strerror or type(error).__name__}") from error
