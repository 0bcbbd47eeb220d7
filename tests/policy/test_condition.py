"""The language of conditions, case by case."""

from typing import Any

import pytest
from pydantic import ValidationError

from policy.condition import Condition, at
from policy.truth import Truth
from tests.policy.rulebook import holds

NAN = float("nan")


@pytest.mark.parametrize(
    ("comparison", "value", "expected"),
    [
        ({"equals": 5}, 5, True),
        ({"equals": 5}, 5.0, True),
        ({"equals": 5}, "5", None),
        ({"equals": 1}, True, None),
        ({"equals": "a"}, "b", False),
        ({"equals": {"a": [1]}}, {"a": [1]}, True),
        ({"equals": {"a": [1]}}, {"a": [1, 2]}, False),
        ({"equals": 5}, NAN, None),
        ({"in": ["a", "b"]}, "b", True),
        ({"in": ["a", "b"]}, "c", False),
        ({"in": ["a", "b"]}, 1, None),
        ({"in": ["a", 2]}, 1, False),
        ({"at_most": 50}, 50, True),
        ({"at_most": 50}, 50.01, False),
        ({"at_most": 50}, "5", None),
        ({"at_most": 50}, True, None),
        ({"at_most": 50}, NAN, None),
        ({"at_most": 50}, 10**400, False),
        ({"more_than": 50}, 50, False),
        ({"at_least": 50}, 50, True),
        ({"less_than": 50}, 50, False),
        ({"more_than": 50, "at_most": 60}, 60, True),
        ({"more_than": 50, "at_most": 60}, 61, False),
        ({"starts_with": "no"}, "notes", True),
        ({"starts_with": "no"}, ["no"], None),
        ({"ends_with": "@acme.com"}, "ana@acme.com", True),
        ({"ends_with": "@acme.com"}, "ana@acme.com.evil", False),
        ({"contains": "rm"}, "rm -rf", True),
        ({"contains": "rm"}, ["ls", "rm"], True),
        ({"contains": "rm"}, ["ls"], False),
        ({"contains": "1"}, [1], None),
        ({"contains": 1}, "1", None),
        ({"contains": "a"}, {"a": 1}, None),
        ({"matches": "[a-z]+"}, "abc", True),
        ({"matches": "[a-z]+"}, "abc1", False),
        ({"matches": ".*secret.*"}, "a\nsecret\n", True),
        ({"matches": "a"}, "\ud800", None),
        ({"matches": "(a+)+b"}, "a" * 50_000, False),
        ({"longer_than": 3}, "four", True),
        ({"longer_than": 3}, [1, 2, 3], False),
        ({"longer_than": 3}, 4444, None),
        ({"some": {"equals": 2}}, [1, 2], True),
        ({"some": {"equals": 2}}, [1, "2"], None),
        ({"some": {"equals": 2}}, [], False),
        ({"every": {"ends_with": "@a"}}, ["x@a", "y@a"], True),
        ({"every": {"ends_with": "@a"}}, ["x@a", "y@b"], False),
        ({"every": {"ends_with": "@a"}}, [], True),
        ({"every": {"ends_with": "@a"}}, "x@a", None),
        ({"every": {"path": "price", "at_most": 5}}, [{"price": 5}, {"price": 6}], False),
    ],
)
def test_comparisons(comparison: dict[str, Any], value: object, expected: Truth) -> None:
    """A comparison says yes or no of values of its kind, and of others that it cannot be told."""
    assert holds({"path": "x", **comparison}, {"x": value}) is expected


@pytest.mark.parametrize(
    ("path", "value"),
    [("x", {}), ("x", {"x": None}), ("x.y", {"x": {}}), ("x", []), ("x", "x"), ("x", 1), ("x", None)],
)
def test_what_is_missing(path: str, value: object) -> None:
    """What is missing or null cannot be told, unless the condition says what it counts as, or asks just that."""
    assert holds({"path": path, "equals": 1}, value) is None
    assert holds({"path": path, "equals": 1, "if_missing": True}, value) is True
    assert holds({"path": path, "equals": 1, "if_missing": False}, value) is False
    assert holds({"path": path, "exists": True}, value) is False
    assert holds({"path": path, "exists": False}, value) is True


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a", {"b": [10, {"c": "deep"}], "0": "zero", "d.e": 1}),
        ("a.b.1.c", "deep"),
        ("a.0", "zero"),
        ("a.b.0", 10),
        ("a.b.2", None),
        ("a.b.-1", None),
        ("a.b.²", None),
        ("a.b.c", None),
        ("b", None),
        (["a", "d.e"], 1),
        (["a", "b", 0], 10),
    ],
)
def test_paths(path: Any, expected: object) -> None:
    """A path leads through names and positions; a name with a dot in it is written in a list."""
    value = {"a": {"b": [10, {"c": "deep"}], "0": "zero", "d.e": 1}}
    read = Condition.model_validate({"path": path, "exists": True}).path
    assert read is not None
    assert at(value, read) == expected


YES, NO, OPEN = {"path": "y", "equals": 1}, {"path": "y", "equals": 2}, {"path": "none", "equals": 1}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"all": [YES, YES]}, True),
        ({"all": [YES, OPEN]}, None),
        ({"all": [OPEN, NO]}, False),
        ({"any": [NO, NO]}, False),
        ({"any": [NO, OPEN]}, None),
        ({"any": [OPEN, YES]}, True),
        ({"not": YES}, False),
        ({"not": NO}, True),
        ({"not": OPEN}, None),
        ({"not": {"any": [NO, {"all": [YES, {"not": OPEN}]}]}}, None),
    ],
)
def test_joins(condition: dict[str, Any], expected: Truth) -> None:
    """What cannot be told stays so, unless something else decides."""
    assert holds(condition, {"y": 1}) is expected


@pytest.mark.parametrize(
    ("folder", "path", "expected"),
    [
        ("notes", "notes/a.md", True),
        ("notes", "./notes//a.md", True),
        ("notes", "notes", True),
        ("notes", "notes2/a.md", False),
        ("notes", "notes/../secret.md", False),
        ("notes", "x/../notes/a.md", True),
        ("notes", "notes/../../etc/passwd", None),
        ("notes", "/srv/notes/a.md", None),
        ("/srv", "/srv/../etc/passwd", False),
        ("/srv", "//srv/a", True),
        ("/srv", "srv/a", None),
        ("/", "/etc", True),
        (".", "a", True),
        (".", "../a", None),
        (".", "a\0b", None),
    ],
)
def test_paths_within_folders(folder: str, path: str, expected: Truth) -> None:
    """A path is followed where it leads; one that leads out of sight cannot be told."""
    assert holds({"path": "p", "within": folder}, {"p": path}) is expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.com/a", True),
        ("HTTPS://EXAMPLE.COM:8443", True),
        ("https://api.example.com./", True),
        ("https://example.com.evil.org/", False),
        ("https://example.com@evil.org/", False),
        ("https://evil.org/#@example.com", False),
        ("https://evil.org\\@example.com/", None),
        ("https://evil.org \t@example.com/", None),
        ("https://exämple.com/", None),
        ("https://[::1]/", False),
        ("https://[::1", None),
        ("//example.com/a", None),
        ("example.com", None),
        ("https:///a", None),
    ],
)
def test_hosts(url: str, expected: Truth) -> None:
    """A URL's host is the one it leads to; where programs disagree about that, it cannot be told."""
    assert holds({"path": "u", "host": ["example.com", "*.example.com"]}, {"u": url}) is expected


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"path": "a"},
        {"path": ""},
        {"path": "a..b", "exists": True},
        {"path": "a", "equals": None},
        {"path": "a", "equals": NAN},
        {"path": "a", "at_most": "5"},
        {"path": "a", "at_most": True},
        {"path": "a", "at_most": NAN},
        {"path": "a", "matches": "("},
        {"path": "a", "matches": "(?=a)"},
        {"path": "a", "matches": "a" * 1001},
        {"path": "a", "in": []},
        {"path": "a", "starts_with": ""},
        {"path": "a", "exists": True, "if_missing": True},
        {"path": "a", "exists": True, "all": [YES]},
        {"all": [], "path": "a"},
        {"all": [YES], "any": [YES]},
        {"not": None},
        {"path": "a", "equalz": 1},
    ],
)
def test_what_is_no_condition(wrong: dict[str, Any]) -> None:
    """A condition that says nothing, two things or nonsense is refused."""
    with pytest.raises(ValidationError):
        Condition.model_validate(wrong)
