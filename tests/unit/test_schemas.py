"""What was released can be read for ever: today's classes are held against the schemas that are kept in the repository.

Where `test_what_was_released_is_kept` fails, its words say what to do.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from cli.schema import RELEASED
from eventlog import upcasting
from eventlog.compatibility import narrowings
from eventlog.releases import Incompatible, NotASchema, export, problems
from eventlog.schema import METADATA, VERSIONS, file_name, schema_of
from tests.unit.test_golden_events import golden


def released(name: str, folder: Path = RELEASED) -> dict[str, Any]:
    """The schema of a class in its newest shape, as it was released."""
    found: dict[str, Any] = json.loads((folder / file_name(name, VERSIONS[name])).read_text(encoding="utf-8"))
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of what was released."""
    shutil.copytree(RELEASED, tmp_path / "schemas")
    return tmp_path / "schemas"


def change(folder: Path, name: str, **fields: Any) -> None:
    """Have another shape been released: fields of this name that are None were never there."""
    schema = released(name, folder)
    for field, value in fields.items():
        schema["properties"].pop(field, None)
        if value is not None:
            schema["properties"][field] = value
    (folder / file_name(name, VERSIONS[name])).write_text(json.dumps(schema), encoding="utf-8")


def test_what_was_released_is_kept() -> None:
    """Every class reads what its released schemas allow, and its schema is the one in the repository."""
    found = [f"{each.name}: {each.problem}. What to do: {each.remedy}" for each in problems(RELEASED)]
    assert found == []


@pytest.mark.parametrize("name", sorted(VERSIONS))
def test_a_schema_has_an_id_that_stays(name: str) -> None:
    """Everything has an id with its version, and takes fields of newer writers."""
    schema = released(name)
    Draft202012Validator.check_schema(schema)
    role = "metadata:1" if name == METADATA else f"event:{name}:{VERSIONS[name]}"
    assert schema["$id"] == f"urn:perdure:{role}"
    assert '"additionalProperties": false' not in json.dumps(schema)
    assert "type" not in schema["properties"]


@pytest.mark.parametrize("name", sorted(VERSIONS.keys() - {METADATA}))
def test_examples_fit_their_schemas(name: str) -> None:
    """What stands in logs is what the schemas say; with a field missing that must be there it is not."""
    row = golden(name)
    check = Draft202012Validator(released(name))
    check.validate(row["data"])
    Draft202012Validator(released(METADATA)).validate(row["metadata"])
    for field in released(name)["required"]:
        with pytest.raises(ValidationError):
            check.validate({key: value for key, value in row["data"].items() if key != field})


def test_fields_are_described() -> None:
    """What stands under a field in the code stands beside it in the schema, also in parts of events."""
    schema = released("LLMCallRequested")
    assert schema["properties"]["request_sha256"]["description"] == "SHA-256 of the HTTP body as sent."
    assert schema["$defs"]["ModelTerms"]["properties"]["max_tokens"]["description"].startswith("The most tokens")


def test_a_field_that_is_gone_is_told_with_what_to_do(folder: Path) -> None:
    """A class without a field that was released is incompatible, and nothing is written over what was released."""
    change(folder, "SessionPaused", colour={"type": "string"})
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    [problem] = problems(folder)
    assert (problem.name, problem.problem, problem.broken) == ("SessionPaused", "colour is gone, or renamed", True)
    for words in ("SessionPaused.version to 2", "('SessionPaused', 1)", "events/v2/SessionPaused.json"):
        assert words in problem.remedy
    with pytest.raises(Incompatible, match="colour is gone"):
        export(folder)
    assert before == {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_field_that_may_be_left_out_is_added(folder: Path) -> None:
    """A new optional field breaks nothing; the folder is merely behind until the schema is written again."""
    change(folder, "SessionPaused", reason=None)
    [problem] = problems(folder)
    assert (problem.name, problem.broken) == ("SessionPaused", False)
    assert export(folder) == ["SessionPaused.1.json"]
    assert list(problems(folder)) == []


def test_a_class_that_is_gone_is_told(folder: Path) -> None:
    """A released class, or version, that this code no longer has is a problem; so is a schema that was taken away."""
    shutil.copy(folder / "SessionPaused.1.json", folder / "SessionSlept.1.json")
    shutil.copy(folder / "SessionPaused.1.json", folder / "SessionPaused.2.json")
    (folder / "SessionResumed.1.json").unlink()
    told = {each.name: each.problem for each in problems(folder)}
    assert "no such class any more" in told["SessionSlept"]
    assert "version 2 was released" in told["SessionPaused"]
    assert "never exported" in told["SessionResumed"]


@pytest.mark.parametrize("text", ["{", "[1]", "\xff"])
def test_a_file_that_is_no_schema_is_named(folder: Path, text: str) -> None:
    """Whatever an editor or a merge left in a released schema, the file is named, and nothing is written."""
    file = folder / "SessionPaused.1.json"
    file.write_bytes(text.encode("latin-1"))
    for look in (lambda: list(problems(folder)), lambda: export(folder)):
        with pytest.raises(NotASchema, match=r"SessionPaused\.1\.json is no JSON"):
            look()


def test_a_version_nobody_can_read_is_told() -> None:
    """A version was left behind: there must be an upcaster from it to the next."""
    upcasts: upcasting.Upcasts = {("SessionPaused", 2): lambda data: data}
    assert list(upcasting.missing({"SessionPaused": 3, "SessionResumed": 1}, upcasts)) == [("SessionPaused", 1)]


TEXT, NUMBER, WHOLE, NOTHING = {"type": "string"}, {"type": "number"}, {"type": "integer"}, {"type": "null"}


def thing(**fields: Any) -> dict[str, Any]:
    """An object of these fields; those with a default may be left out."""
    return {
        "type": "object",
        "properties": fields,
        "required": [name for name, field in fields.items() if "default" not in field],
    }


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (thing(a=TEXT), thing(a=TEXT, b={**TEXT, "default": ""})),
        (thing(a=TEXT), thing(a={**TEXT, "default": "", "description": "words"})),
        (thing(a=WHOLE), thing(a=NUMBER)),
        (thing(a=TEXT), thing(a={"anyOf": [NOTHING, TEXT]})),
        (thing(a={"anyOf": [TEXT, NOTHING]}), thing(a={"anyOf": [NOTHING, WHOLE, TEXT]})),
        (thing(a=TEXT), thing(a={})),
        (thing(a={"enum": ["x"]}), thing(a={"enum": ["y", "x"]})),
        (thing(a={"const": "x"}), thing(a={"enum": ["y", "x"]})),
        (thing(a={**WHOLE, "minimum": 2}), thing(a={**WHOLE, "minimum": 1})),
        (thing(a={**WHOLE, "maximum": 2}), thing(a=WHOLE)),
        (thing(a={"type": "array", "items": WHOLE}), thing(a={"type": "array", "items": NUMBER})),
        (
            {**thing(a={"$ref": "#/$defs/A"}), "$defs": {"A": thing(b=TEXT)}},
            {**thing(a={"$ref": "#/$defs/B"}), "$defs": {"B": thing(b=TEXT, c={**TEXT, "default": ""})}},
        ),
        (
            {**thing(a={"$ref": "#/$defs/A"}), "$defs": {"A": thing(a={"$ref": "#/$defs/A"})}},
            {**thing(a={"$ref": "#/$defs/A"}), "$defs": {"A": thing(a={"$ref": "#/$defs/A"})}},
        ),
    ],
)
def test_what_takes_more_is_compatible(old: dict[str, Any], new: dict[str, Any]) -> None:
    """Fields that may be left out, wider types and more values can all be read."""
    assert list(narrowings(old, new)) == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (thing(a=TEXT, b=TEXT), thing(a=TEXT), "b is gone, or renamed"),
        (thing(a=TEXT), thing(a=TEXT, b=TEXT), "b is new and required"),
        (thing(a={**TEXT, "default": ""}), thing(a=TEXT), "a was optional and is required now"),
        (thing(a={**TEXT, "default": "x"}), thing(a={**TEXT, "default": "y"}), "a meant 'x'"),
        (thing(a=NUMBER), thing(a=WHOLE), "a was number and is integer now"),
        (thing(a={}), thing(a=TEXT), "a was anything and is string now"),
        (thing(a={"anyOf": [TEXT, NOTHING]}), thing(a=TEXT), "a no longer takes null"),
        (thing(a={"enum": ["x", "y"]}), thing(a={"enum": ["x"]}), "a no longer takes ['y']"),
        (thing(a=TEXT), thing(a={**TEXT, "enum": ["x"]}), "a takes only ['x'] now"),
        (thing(a=WHOLE), thing(a={**WHOLE, "minimum": 1}), "a has minimum 1, which was not there"),
        (thing(a={**WHOLE, "maximum": 9}), thing(a={**WHOLE, "maximum": 8}), "a has maximum 8, which was 9"),
        (thing(a=TEXT), thing(a={**TEXT, "pattern": "x"}), "a has pattern x"),
        (
            thing(a={"type": "array", "items": {}}),
            thing(a={"type": "array", "items": TEXT}),
            "a[] was anything and is string now",
        ),
        (
            thing(a={"type": "object", "additionalProperties": True}),
            thing(a={"type": "object", "additionalProperties": False}),
            "a[] takes no others any more",
        ),
        (
            {**thing(a={"$ref": "#/$defs/A"}), "$defs": {"A": thing(b=TEXT)}},
            {**thing(a={"$ref": "#/$defs/A"}), "$defs": {"A": thing(c=TEXT)}},
            "a.b is gone, or renamed",
        ),
    ],
)
def test_what_takes_less_is_told(old: dict[str, Any], new: dict[str, Any], words: str) -> None:
    """Whatever old data could not be read with is named, with its place."""
    assert any(words in each for each in narrowings(old, new)), list(narrowings(old, new))


@pytest.mark.parametrize("name", sorted(VERSIONS))
def test_a_schema_is_compatible_with_itself(name: str) -> None:
    """Nothing is found where nothing has changed."""
    assert list(narrowings(released(name), schema_of(name))) == []
