"""What is wrong with a file of ours, in words that say what to do: every mistake, with its line and column."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from policy.patterns import shown
from policy.words import Words
from policy.yaml_text import Document, Location, Mistake, NotYaml, Place, read

W = TypeVar("W", bound=Words)


class InvalidFile(ValueError):
    """A file that cannot be used; `mistakes` lists everything that is wrong with it."""

    def __init__(self, file: Path, mistakes: Iterable[Mistake]) -> None:
        self.file = file
        self.mistakes = tuple(sorted(mistakes, key=lambda mistake: mistake.place))
        super().__init__("\n".join(self.lines))

    @property
    def lines(self) -> tuple[str, ...]:
        """The mistakes as compilers write them: file:line:column: what is wrong."""
        return tuple(f"{self.file}:{each.place.line}:{each.place.column}: {each.problem}" for each in self.mistakes)


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads files of one kind."""

    whole: type[Words]
    """What the file is."""
    parts: Mapping[str, type[Words]]
    """What stands under a key, by the key: to tell which other keys may stand beside an unknown one."""

    def read(self, file: Path, kind: type[W]) -> tuple[W, Document]:
        """What the file says, and where it says it; raises `InvalidFile`."""
        document = _document(file)
        if document.value is None:
            raise InvalidFile(file, [Mistake(Place(1, 1), f"it is empty: write {_keys(self.whole)}")])
        try:
            said = kind.model_validate(document.value)
        except ValidationError as error:
            raise InvalidFile(file, [*document.mistakes, *self._mistakes(document, error)]) from error
        if document.mistakes:
            raise InvalidFile(file, document.mistakes)
        return said, document

    def _mistakes(self, document: Document, error: ValidationError) -> Iterator[Mistake]:
        told: set[tuple[Place, str]] = set()
        for details in error.errors(include_url=False, include_context=False):
            location = document.known(details["loc"])
            place = document.place_of(location, key=details["type"] == "extra_forbidden")
            what = str(details["loc"][-1]) if details["type"] == "missing" else ""
            if (place, what) not in told:  # one mistake is often told in several ways
                told.add((place, what))
                yield Mistake(place, self._words(location, details))

    def _words(self, location: Location, details: ErrorDetails) -> str:
        name = next((str(step) for step in reversed(location) if isinstance(step, str)), "the file")
        match details["type"]:
            case "extra_forbidden":
                return _unknown_key(str(location[-1]), self._at(location[:-1]))
            case "missing":
                return f"{details['loc'][-1]} is missing: add {details['loc'][-1]}: …"
            case "value_error":
                return f"{name}: {details['msg'].removeprefix('Value error, ')}"
            case "literal_error":
                return _unknown_word(name, details)
            case kind:
                words = _WORDS.get(kind) or details["msg"].replace("Input should", "must")
                return f"{name} is {shown(details['input'])}: it {words}"

    def _at(self, location: Location) -> type[Words]:
        """What stands at the location, by the last key on the way to it."""
        keys = [step for step in location if isinstance(step, str) and step in self.parts]
        return self.parts[keys[-1]] if keys else self.whole


_NUMBER = "must be a number"
_WORDS = {
    "string_type": "must be text: put it in quotes",
    "bool_type": "must be true or false",
    "int_type": _NUMBER,
    "float_type": _NUMBER,
    "decimal_type": "must be an amount of money, as in 12.50",
    "is_instance_of": "must be an amount of money, as in 12.50",
    "tuple_type": "must be a list: [a, b], or lines that begin with -",
    "dict_type": "must have keys and values, as in {path: report.md}",
    "model_type": "must have keys and values",
    "model_attributes_type": "must have keys and values",
    "too_short": "must not be empty: leave it out where it is to say nothing",
    "string_too_short": "must not be empty: leave it out where it is to say nothing",
    "string_pattern_mismatch": "must be 1 to 64 letters, digits, _, . and -, beginning with a letter or digit",
    "string_unicode": "must be text that can be written as Unicode",
    "datetime_type": "must be a time, as in 2026-11-23T10:00:00+01:00",
}


def _document(file: Path) -> Document:
    try:
        return read(file.read_text(encoding="utf-8"))
    except NotYaml as error:
        raise InvalidFile(file, [error.mistake]) from error
    except UnicodeDecodeError as error:
        raise InvalidFile(file, [Mistake(Place(1, 1), f"no text in UTF-8: {error.reason}")]) from error
    except OSError as error:
        raise InvalidFile(file, [Mistake(Place(1, 1), f"it cannot be read: {error.strerror}")]) from error


def _unknown_key(key: str, kind: type[Words]) -> str:
    names = [field.alias or name for name, field in kind.model_fields.items()]
    return f"there is no key {key!r} here{near(key, names)}"


def near(name: str, names: Iterable[str]) -> str:
    """What might have been meant by a name, as the end of a sentence; else all there are."""
    names = list(names)
    close = difflib.get_close_matches(name, names, n=1)
    return f": did you mean {close[0]}?" if close else f": there are {', '.join(names) or 'none'}"


def _keys(kind: type[Words]) -> str:
    return " or ".join(
        f"{field.alias or name}: …" for name, field in kind.model_fields.items() if name != "description"
    )


def _unknown_word(name: str, details: ErrorDetails) -> str:
    given: Any = details["input"]
    return f"{name} is {shown(given)}: it {details['msg'].replace('Input should', 'must')}"
