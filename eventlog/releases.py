"""The schemas that were released, in a folder, and whether what is written today can be read by them and they by us.

A class may change within a version as `compatibility` allows; then its schema is brought up to date. A change that
old data does not survive needs a new version, an upcaster and an example, and the old schema stays where it is.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from eventlog import upcasting
from eventlog.compatibility import narrowings
from eventlog.custom import NAME
from eventlog.schema import METADATA, VERSIONS, file_name, schemas, versions
from eventlog.vocabulary import NO_EVENTS, Vocabulary
from llm.messages import JsonObject

_NAME = re.compile(r"(?P<name>\w+(?:\.\w+)?)\.(?P<version>\d+)\.json")


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


class NotASchema(ValueError):
    """A file among the released schemas holds none; the message says which."""


def problems(folder: Path, vocabulary: Vocabulary = NO_EVENTS) -> Iterator[Problem]:
    """What stands between the classes of today, plugins' events too, and what was released. Raises `NotASchema`."""
    yield from _unreadable()
    current, newest = schemas(vocabulary), versions(vocabulary)
    released = dict(_released(folder))
    for (name, version), schema in released.items():
        yield from _against(name, version, schema, current, newest.get(name, 0))
    for name, last in newest.items():
        for version in range(_first(name, last, released), last + 1):
            if (name, version) not in released:
                yield _absent(name, version, last)


def _first(name: str, last: int, released: Iterable[tuple[str, int]]) -> int:
    """The oldest version whose schema must be there: a plugin's event may be exported first when it has had others."""
    if not NAME.fullmatch(name):
        return 1
    return min((version for each, version in released if each == name), default=last)


def export(folder: Path, vocabulary: Vocabulary = NO_EVENTS) -> list[str]:
    """Write the newest schemas; the names of files that changed.

    Raises `Incompatible` or `NotASchema`, and writes nothing then.
    """
    wrong = [each for each in problems(folder, vocabulary) if each.broken]
    if wrong:
        raise Incompatible(wrong)
    folder.mkdir(parents=True, exist_ok=True)
    changed, newest = [], versions(vocabulary)
    for name, schema in schemas(vocabulary).items():
        file = folder / file_name(name, newest[name])
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
            yield (found["name"], int(found["version"])), _read(file)


def _read(file: Path) -> JsonObject:
    try:
        schema = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise NotASchema(f"{file} is no JSON: {error}") from error
    if not isinstance(schema, dict):
        raise NotASchema(f"{file} is no JSON Schema: it holds no object")
    return schema


def _unreadable() -> Iterator[Problem]:
    for name, version in upcasting.missing(VERSIONS):
        yield Problem(
            name,
            f"nobody makes version {version + 1} of version {version}",
            f"enter an upcaster as ({name!r}, {version}) in eventlog/upcasting.py",
        )


def _against(
    name: str, version: int, released: JsonObject, current: dict[str, JsonObject], newest: int
) -> Iterator[Problem]:
    if version > newest:
        yield Problem(name, f"version {version} was released, and there is no such class any more", _put_back(name))
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


_BRING_UP_TO_DATE = "write it: perdure schema export FOLDER, with the same folder"


def _put_back(name: str) -> str:
    plugin = ", or name its plugin in PERDURE_PLUGINS" if NAME.fullmatch(name) else ""
    return f"put it back{plugin}: logs hold its events"


def _new_version(name: str, version: int) -> str:
    if name == METADATA:
        return "leave the field as it was: metadata has one shape for ever"
    if NAME.fullmatch(name):
        return (
            f"leave the field as it was, or: write version = {version + 1} in the class, enter what makes such data "
            f"of version {version} in its upcasts under {version}, and export the schema again"
        )
    return (
        f"leave the field as it was, or: raise {name}.version to {version + 1} in eventlog/events.py, "
        f"enter an upcaster as ({name!r}, {version}) in eventlog/upcasting.py, put an example into "
        f"tests/golden/events/v{version + 1}/{name}.json, and write the schema: perdure schema export schemas"
    )
