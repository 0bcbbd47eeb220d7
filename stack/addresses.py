"""What the embedded system shall consist of, and where its parts are."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stack.files import write_private
from stack.home import cache_folder, default_home


class Options(BaseModel):
    """What the system shall consist of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    home: Path = Field(default_factory=default_home)
    cache: Path = Field(default_factory=cache_folder)
    temporal_address: str | None = None
    """A Temporal server from outside; then none is started."""
    temporal_namespace: str = "default"
    database_url: str | None = None
    """A PostgreSQL with Message DB from outside; then none is started."""
    artifacts: str | None = None
    """The bucket for large content; None where the database keeps it."""
    scripted_model: bool = True

    def wanted(self) -> list[str]:
        """The servers to be started, by name."""
        from_outside = {
            "postgres": self.database_url is not None,
            "temporal": self.temporal_address is not None,
            "model": not self.scripted_model,
        }
        return [name for name, outside in from_outside.items() if not outside]


class Addresses(BaseModel):
    """Where everything is."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    temporal: str
    temporal_ui: str | None
    database: str
    """Connects as the restricted role; the embedded one's password stands in a file that it names."""
    model: str | None
    """The scripted model's base URL."""
    pids: dict[str, int]
    """The processes that were started here, by name."""

    def save(self, file: Path) -> None:
        """Keep them where only their owner may read."""
        write_private(file, self.model_dump_json(indent=2))

    @classmethod
    def load(cls, file: Path) -> "Addresses | None":
        """What was kept, if it can be read."""
        try:
            return cls.model_validate_json(file.read_bytes())
        except (OSError, ValidationError):
            return None
