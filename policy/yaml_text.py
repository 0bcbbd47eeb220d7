"""YAML with its lines: plain JSON values, and where in the text each of them stands.

Less than all of YAML is taken, so that what is read is what was meant: `yes`, `no` and `on` are text, dates are
text, a key stands once, and there are no tags, anchors and merges.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

LARGEST = 1_000_000
"""Bytes of one file."""
DEEPEST = 60
"""Lists and mappings within each other."""

Location: TypeAlias = tuple[int | str, ...]


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in a text, as editors count: from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something that must be corrected, and where."""

    place: Place
    problem: str


class NotYaml(ValueError):
    """A text that cannot be read at all."""

    def __init__(self, mistake: Mistake) -> None:
        super().__init__(mistake.problem)
        self.mistake = mistake


@dataclass(slots=True)
class Document:
    """What a text says, and where it says it."""

    value: Any = None
    values: dict[Location, Place] = field(default_factory=dict)
    keys: dict[Location, Place] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)
    """What could be read, but is not to be taken."""

    def place_of(self, location: Location, *, key: bool = False) -> Place:
        """Where the value stands, or its key; of what is not there, what it would stand in."""
        if key and location in self.keys:
            return self.keys[location]
        while location and location not in self.values:
            location = location[:-1]
        return self.values.get(location, Place(1, 1))

    def known(self, location: Location) -> Location:
        """The part of a location that leads through the text."""
        while location and location not in self.values:
            location = location[:-1]
        return location


_STANDARD = "tag:yaml.org,2002:"


class _Loader(yaml.SafeLoader):
    """The composer of PyYAML, without what makes YAML surprising or dangerous."""

    yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012 - PyYAML keeps what it resolves on the class
    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """One node, unless it refers to another or stands too deep."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            raise NotYaml(Mistake(_place(event.start_mark), "anchors and aliases are not taken: write it out"))
        if getattr(event, "tag", None) is not None:
            raise NotYaml(Mistake(_place(event.start_mark), f"the tag {event.tag} is not taken: leave it out"))
        self.depth += 1
        if self.depth > DEEPEST:
            raise NotYaml(Mistake(_place(event.start_mark), f"this stands more than {DEEPEST} levels deep"))
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


for _tag, _words, _first in (
    ("bool", r"true|false", "tf"),
    ("null", r"null|~|", ["n", "~", ""]),
    ("int", r"-?(?:0|[1-9][0-9]{0,29})", "-0123456789"),
    ("float", r"-?(?:0|[1-9][0-9]{0,29})\.[0-9]{1,30}(?:[eE][-+]?[0-9]{1,3})?", "-0123456789"),
):
    _Loader.add_implicit_resolver(f"{_STANDARD}{_tag}", re.compile(f"^(?:{_words})$"), list(_first))


def read(text: str) -> Document:
    """The only document in the text; raises `NotYaml` where it is none."""
    if len(text) > LARGEST:
        raise NotYaml(Mistake(Place(1, 1), f"the file is larger than {LARGEST:,} characters"))
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        raise NotYaml(Mistake(_place(error.problem_mark), f"no YAML: {_told(error)}")) from error
    except yaml.YAMLError as error:
        raise NotYaml(Mistake(Place(1, 1), f"no YAML: {' '.join(str(error).split())}")) from error
    document = Document()
    if node is not None:
        document.value = _value(document, (), node)
    return document


def _value(document: Document, location: Location, node: yaml.Node) -> Any:
    document.values[location] = _place(node.start_mark)
    match node:
        case yaml.MappingNode():
            return {key: _value(document, (*location, key), value) for key, value in _pairs(document, location, node)}
        case yaml.SequenceNode():
            return [_value(document, (*location, number), each) for number, each in enumerate(node.value)]
        case _:
            return _scalar(node.tag.removeprefix(_STANDARD), node.value)


def _pairs(document: Document, location: Location, node: yaml.MappingNode) -> Iterator[tuple[str, yaml.Node]]:
    """The keys and values of a mapping; what stands under a key a second time is a mistake."""
    for key, value in node.value:
        place = _place(key.start_mark)
        if not isinstance(key, yaml.ScalarNode):
            document.mistakes.append(Mistake(place, "a key must be a word"))
        elif (first := document.keys.get((*location, key.value))) is not None:
            document.mistakes.append(Mistake(place, f"the key {key.value!r} stood on line {first.line} already"))
        else:
            document.keys[(*location, key.value)] = place
            yield key.value, value


def _scalar(kind: str, text: str) -> Any:
    match kind:
        case "bool":
            return {"true": True, "false": False}[text]
        case "null":
            return None
        case "int":
            return int(text)
        case "float":
            return float(text)
        case _:
            return text


def _place(mark: Any) -> Place:
    return Place(mark.line + 1, mark.column + 1) if mark is not None else Place(1, 1)


def _told(error: yaml.MarkedYAMLError) -> str:
    return ", ".join(part for part in (error.context, error.problem) if part)
