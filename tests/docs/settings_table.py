"""The README's table of settings, made of the settings themselves: `python -m tests.docs.settings_table` writes it."""

import ast
import inspect
import json
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from settings import Settings, variable_of
from tests.packaging.checkout import ROOT

README = ROOT / "README.md"
PLACE = re.compile(r"(?<=checked by a test -->\n).*?(?=<!-- /settings -->)", re.DOTALL)
FACTORIES = {"home": "a folder of your user's", "workspace": "the current folder", "principal": "your user's name"}
"""Defaults that depend on the machine, in words."""


def table() -> str:
    """Every setting with its default and what it means."""
    meanings = explained()
    rows = [_row(name, field, meanings[name]) for name, field in Settings.model_fields.items()]
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *rows, ""])


def explained() -> Mapping[str, str]:
    """What stands in the source below each setting; pydantic could tell, but would look for it in every process."""
    [settings] = ast.parse(inspect.getsource(Settings)).body
    assert isinstance(settings, ast.ClassDef)
    return {
        field.target.id: " ".join(str(meaning.value.value).split())
        for field, meaning in pairwise(settings.body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(meaning, ast.Expr) and isinstance(meaning.value, ast.Constant)
    }


def _row(name: str, field: FieldInfo, meaning: str) -> str:
    return f"| `{variable_of(name)}` | {_default(name, field)} | {meaning} |"


def _default(name: str, field: FieldInfo) -> str:
    if field.default_factory is not None:
        return FACTORIES[name]
    return "" if field.default in (None, ()) else f"`{_plain(field.default)}`"


def _plain(default: Any) -> str:
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    return default if isinstance(default, str) else json.dumps(default)


def written() -> str:
    """The table that stands in the README."""
    found = PLACE.search(README.read_text(encoding="utf-8"))
    return found.group() if found else ""


def write(readme: Path = README) -> None:
    """Put the table into the README."""
    text = readme.read_text(encoding="utf-8")
    readme.write_text(PLACE.sub(lambda _: table(), text, count=1), encoding="utf-8")


if __name__ == "__main__":
    write()
