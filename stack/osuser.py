"""The operating system's user as whom PostgreSQL runs: it refuses to run as root."""

import os
import pwd
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from stack.errors import DataFolderUnusable, MissingPart

NAME = "perdure"


@dataclass(frozen=True, slots=True)
class OsUser:
    """A user of the operating system."""

    uid: int
    gid: int


def unprivileged_user() -> OsUser | None:
    """Whoever PostgreSQL shall run as; None for ourselves. Made on first need when we are root."""
    if os.geteuid() != 0:
        return None
    entry = _find() or _create()
    return OsUser(entry.pw_uid, entry.pw_gid)


def _find() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(NAME)
    except KeyError:
        return None


def _create() -> pwd.struct_passwd:
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/", NAME]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        entry = _find()  # another process may have made it in the meantime
        if entry:
            return entry
        why = error.stderr.strip() if isinstance(error, subprocess.CalledProcessError) else str(error)
        raise MissingPart(
            f"The unprivileged user `{NAME}`, as whom PostgreSQL runs when Perdure is started by root,",
            f"Create it (`{' '.join(command)}`), or start Perdure as an ordinary user.",
            f"cannot be created: {why}.",
        ) from error
    return pwd.getpwnam(NAME)


def let_through(path: Path) -> None:
    """Let other users pass through the folders above a path: to pass, not to look."""
    for folder in path.resolve().parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            try:
                folder.chmod(mode | stat.S_IXOTH)
            except OSError as error:
                raise DataFolderUnusable(path, f"PostgreSQL's user cannot pass through {folder}: {error}") from error
