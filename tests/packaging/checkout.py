"""This checkout, as its packaging tests read it."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
NOT_OURS = {"__pycache__", "build", "dist", "node_modules"}


def text(name: str) -> str:
    """A file's content."""
    return (ROOT / name).read_text(encoding="utf-8")


def pyproject() -> dict[str, Any]:
    """What pyproject.toml says."""
    return tomllib.loads(text("pyproject.toml"))


def compose() -> dict[str, Any]:
    """What docker-compose.temporal.yml says."""
    content: dict[str, Any] = yaml.safe_load(text("docker-compose.temporal.yml"))
    return content


def interpolated() -> set[str]:
    """The variables that docker-compose.temporal.yml takes from the environment."""
    return set(re.findall(r"(?<!\$)\$\{(\w+)", text("docker-compose.temporal.yml")))


def files(folder: Path = ROOT) -> Iterator[Path]:
    """Every file that is part of the project."""
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or path.name in NOT_OURS or path.suffix == ".egg-info":
            continue
        if path.is_file():
            yield path
        elif not (path / "pyvenv.cfg").exists() and (not path.name.startswith(".") or path.name == ".ci"):
            yield from files(path)
