"""The schemas that were released, in a folder, and whether what is written today can be read by them and they by us.

A class may change within a version as `compatibility` allows; then its schema is brought up to date. A change that
old data does not survive needs a new version, an upcaster and an example, and the old schema stays where it is.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from eventlog import upcasting
from eventlog.compatibility import narrowings
from eventlog.schema import METADATA, VERSIONS, file_name, schemas
from llm.messages import JsonObject

_NAME = re.compile(r"(?P<name>\w+)\.(?P<version>\d+)\.json")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one schema, and what to do about it."""

    name: str
    problem: str
    remedy: str
    broken: bool = True
    """Whether old data could not be read; else the folder is merely behind."""


class Incompatible(ValueError):
    """A schema would be replaced by one that no longer takes what was released."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{each.name}: {each.problem}" for each in problems))
        self.problems = problems


def problems(folder: Path) -> Iterator[Problem]:
    """What stands between the classes of today and what was released."""
    yield from _unreadable()
    current = schemas()
    released = dict(_released(folder))
    for (name, version), schema in released.items():
        yield from _against(name, version, schema, current)
    for name, newest in VERSIONS.items():
        for version in range(1, newest + 1):
            if (name, version) not in released:
                yield _absent(name, version, newest)


def export(folder: Path) -> list[str]:
    """Write the newest schemas; the names of files that changed. Raises `Incompatible` and writes nothing."""
    wrong = [each for each in problems(folder) if each.broken]
    if wrong:
        raise Incompatible(wrong)
    folder.mkdir(parents=True, exist_ok=True)
    changed = []
    for name, schema in schemas().items():
        file = folder / file_name(name, VERSIONS[name])
        text = written(schema)
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")
            changed.append(file.name)
    return changed


def written(schema: JsonObject) -> str:
    """A schema as it stands in its file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _released(folder: Path) -> Iterator[tuple[tuple[str, int], JsonObject]]:
    for file in sorted(folder.glob("*.json")):
        if found := _NAME.fullmatch(file.name):
            yield (found["name"], int(found["version"])), json.loads(file.read_text(encoding="utf-8"))


def _unreadable() -> Iterator[Problem]:
    for name, version in upcasting.missing(VERSIONS):
        yield Problem(
            name,
            f"nobody makes version {version + 1} of version {version}",
            f"enter an upcaster as ({name!r}, {version}) in eventlog/upcasting.py",
        )


def _against(name: str, version: int, released: JsonObject, current: dict[str, JsonObject]) -> Iterator[Problem]:
    newest = VERSIONS.get(name)
    if newest is None or version > newest:
        yield Problem(
            name,
            f"version {version} was released, and there is no such class any more",
            "put it back: logs hold its events",
        )
    elif version == newest:
        narrower = list(narrowings(released, current[name]))
        for each in narrower:
            yield Problem(name, each, _new_version(name, version))
        if not narrower and released != current[name]:
            yield Problem(name, "has changed since it was exported, compatibly", _BRING_UP_TO_DATE, broken=False)


def _absent(name: str, version: int, newest: int) -> Problem:
    if version == newest:
        return Problem(name, f"version {version} was never exported", _BRING_UP_TO_DATE, broken=False)
    return Problem(
        name,
        f"the schema of version {version} is gone",
        f"put {file_name(name, version)} back: logs hold such events",
        broken=False,
    )


_BRING_UP_TO_DATE = "write it: perdure schema export schemas"


def _new_version(name: str, version: int) -> str:
    if name == METADATA:
        return "leave the field as it was: metadata has one shape for ever"
    return (
        f"leave the field as it was, or: raise {name}.version to {version + 1} in eventlog/events.py, "
        f"enter an upcaster as ({name!r}, {version}) in eventlog/upcasting.py, put an example into "
        f"tests/golden/events/v{version + 1}/{name}.json, and write the schema: perdure schema export schemas"
    )
