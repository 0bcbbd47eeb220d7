"""Secrets by name, read at the moment of use, and struck out of everything a tool says afterwards.

A value that was given out once is looked for, from then on, in whatever any tool of this worker returns, raises, beats
or records, and in the worker's log lines and spans: as it is, and as it looks when it was encoded on the way. This
keeps honest tools from spilling one by mistake. Against a tool that hides what it says there is no such remedy.
"""

import base64
import html
import json
import os
import re
import threading
from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote, quote_plus

from tools.capabilities import SECRET_NAME
from tools.errors import ToolError

VARIABLE = "PERDURE_SECRET_"
"""The environment variable of a secret begins so."""
SHORTEST = 8
"""Characters: a shorter value is also a part of innocent words, and cannot be struck out."""
LARGEST = 64 * 1024
"""Bytes."""
_PERCENT = re.compile(r"%[0-9A-F]{2}")
_LINE = 20
"""Characters of a line that is looked for by itself, where a secret has several."""

Json: TypeAlias = Any


class NoSecret(ToolError):
    """A secret is not there, or may not be given out. The message never holds a value."""


class Vault:
    """The secrets of one worker: files in a folder, then variables of the environment."""

    def __init__(self, folder: Path | None = None, environment: Mapping[str, str] | None = None) -> None:
        self._folder = folder
        self._environment = os.environ if environment is None else environment
        self._lock = threading.Lock()
        self._struck: dict[str, str] = {}
        self._order: tuple[tuple[str, str], ...] = ()

    def give(self, name: str, named: Container[str]) -> str:
        """The value as it is now, for a tool whose manifest has named these; raises `NoSecret` in words."""
        if name not in named:
            raise NoSecret(f"the tool's capabilities do not name the secret {str(name)[:64]!r}")
        value = self._read(name)
        if len(value) < SHORTEST:
            raise NoSecret(
                f"the secret {name} has fewer than {SHORTEST} characters, and could not be kept out of texts"
            )
        self._remember(name, value)
        return value

    def strike(self, value: Json) -> Json:
        """The same with `[secret NAME]` in the place of every value that was given out; it may be any JSON."""
        if not self._order:
            return value
        match value:
            case str():
                return self.strike_text(value)
            case dict():
                return {self.strike(key): self.strike(each) for key, each in value.items()}
            case list() | tuple():
                return [self.strike(each) for each in value]
            case int() | float():
                told = str(value)
                struck = self.strike_text(told)
                return value if struck == told else struck
            case _:
                return value

    def strike_text(self, text: str) -> str:
        """The same for text."""
        for form, instead in self._order:
            text = text.replace(form, instead)
        return text

    def _read(self, name: str) -> str:
        if not SECRET_NAME.fullmatch(name):
            raise NoSecret(f"{name[:64]!r} is no name of a secret: use A-Z, 0-9 and _")
        found = self._filed(name)
        if found is None:
            found = self._environment.get(VARIABLE + name)
        if found is None:
            places = f"the file {name} in PERDURE_SECRETS_DIR, or the variable {VARIABLE}{name}"
            raise NoSecret(f"the secret {name} is not set: give the worker {places}")
        return found

    def _filed(self, name: str) -> str | None:
        if self._folder is None:
            return None
        try:
            with (self._folder / name).open("rb") as file:
                data = file.read(LARGEST + 1)
            if len(data) > LARGEST:
                raise NoSecret(f"the secret {name} has more than {LARGEST:,} bytes")
            return data.decode().removesuffix("\n").removesuffix("\r")
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            raise NoSecret(f"the secret {name} is no text in UTF-8") from None
        except OSError as error:
            raise NoSecret(f"the secret {name} cannot be read: {error.strerror}") from error

    def _remember(self, name: str, value: str) -> None:
        with self._lock:
            if value not in self._struck:
                self._struck.update(dict.fromkeys(_forms(value), f"[secret {name}]"))
                # The longest first: the encoded form may hold the plain one.
                self._order = tuple(sorted(self._struck.items(), key=lambda item: len(item[0]), reverse=True))


def _forms(value: str) -> set[str]:
    """The value, and how it looks when it was encoded by the usual ways."""
    lines = [line for line in value.splitlines() if len(line) >= _LINE and not line.startswith("-----")]
    plain = {value, value.strip(), *(lines if "\n" in value else ())}
    return {form for each in plain for form in _encoded(each) if len(form) >= SHORTEST}


def _encoded(value: str) -> Iterable[str]:
    escaped = {value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1]}
    yield from escaped
    yield from (json.dumps(each)[1:-1] for each in escaped)
    quoted = {quote(value), quote(value, safe=""), quote_plus(value)}
    yield from quoted
    yield from (_PERCENT.sub(lambda found: found[0].lower(), each) for each in quoted)
    yield from (each.replace("%", "%25") for each in quoted)
    yield html.escape(value)
    data = value.encode()
    yield from (data.hex(), data.hex().upper())
    yield from _in_base64(data)


def _in_base64(data: bytes) -> Iterable[str]:
    """As it stands in base64 of anything it is a part of: by what comes before it, there are three ways."""
    for before in range(3):
        padded = bytes(before) + data
        whole = base64.b64encode(padded).decode()
        # The first characters also tell of what comes before, and the last ones of what follows.
        inner = whole[-(-before * 8 // 6) : len(padded) * 8 // 6]
        yield from (inner, inner.replace("+", "-").replace("/", "_"))
