"""Where everything of the embedded system lies: one folder, which is its whole memory."""

import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from stack.errors import DataFolderUnusable

APPLICATION = "perdure"


def default_home() -> Path:
    """`PERDURE_HOME`, else the user's data folder."""
    return Path(os.environ.get("PERDURE_HOME") or platformdirs.user_data_path(APPLICATION)).expanduser().absolute()


def cache_folder() -> Path:
    """`PERDURE_CACHE`, else the user's cache folder; what lies there can be fetched again."""
    return Path(os.environ.get("PERDURE_CACHE") or platformdirs.user_cache_path(APPLICATION)).expanduser().absolute()


@dataclass(frozen=True, slots=True)
class Home:
    """The layout of the folder."""

    folder: Path

    @property
    def postgres(self) -> Path:
        """PostgreSQL's cluster and passwords."""
        return self.folder / "postgres"

    @property
    def temporal(self) -> Path:
        """Temporal's database file."""
        return self.folder / "temporal" / "temporal.db"

    @property
    def ports(self) -> Path:
        """The ports the servers have been given."""
        return self.folder / "ports.json"

    @property
    def stack(self) -> Path:
        """The addresses of what runs."""
        return self.folder / "stack.json"

    @property
    def lock(self) -> Path:
        """Held while the system is being started or stopped."""
        return self.folder / "stack.lock"

    def record(self, name: str) -> Path:
        """The number of a server's process."""
        return self.folder / "run" / f"{name}.json"

    def log(self, name: str) -> Path:
        """A server's output."""
        return self.folder / "logs" / f"{name}.log"

    def make(self) -> None:
        """Make the folder; raises `DataFolderUnusable` when nothing can be written there."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            probe = self.folder / f".probe-{os.getpid()}"
            probe.write_bytes(b"\0" * 4096)
            probe.unlink()
        except OSError as error:
            raise DataFolderUnusable(self.folder, str(error)) from error
