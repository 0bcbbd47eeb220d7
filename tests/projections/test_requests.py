"""What may be asked, and what is refused before it is."""

from typing import Any

import pytest
from pydantic import ValidationError

from projections.requests import LONGEST_MESSAGE, Approve, Pause, Say, StartSession


def test_a_bare_text_is_a_message() -> None:
    """Whoever types JSON by hand need not write an object."""
    assert Say.model_validate("hi") == Say(message="hi")
    assert StartSession.model_validate("hi").message == "hi"


def test_a_result_schema_is_for_tasks() -> None:
    """A chat has no final answer to check."""
    with pytest.raises(ValidationError, match="needs mode 'task'"):
        StartSession(message="hi", mode="chat", result_schema={})


@pytest.mark.parametrize("message", ["", "x" * (LONGEST_MESSAGE + 1)])
def test_a_message_has_a_sensible_length(message: str) -> None:
    """Nothing, and what belongs in a file, is refused."""
    with pytest.raises(ValidationError):
        Say(message=message)


@pytest.mark.parametrize(
    "terms",
    [
        {"approval_timeout": 1e300},
        {"idle_timeout": float("inf")},
        {"limits": {"runtime": 1e300}},
    ],
)
def test_no_wait_is_longer_than_a_timer_can_be(terms: dict[str, Any]) -> None:
    """What overflows a timer would leave the session hanging, so that not even its end could be asked for."""
    with pytest.raises(ValidationError, match="315360000"):
        StartSession.model_validate({"message": "hi", **terms})


@pytest.mark.parametrize("kind", ["tool_result", "tool_use", "thinking", None])
def test_only_what_a_person_can_say_is_attached(kind: str | None) -> None:
    """A block no user may send would make the provider reject the thread for ever."""
    with pytest.raises(ValidationError, match="cannot be attached; use one of text, image"):
        Say(message="hi", attachments=({"type": kind},))
    assert Say(message="hi", attachments=({"type": "image", "source": {}},)).attachments


def test_an_attachment_that_no_json_can_say_is_a_mistake() -> None:
    """`temporal` takes 1e400 for a number, and Python reads infinity: it could never be sent to the model."""
    with pytest.raises(ValidationError, match="not JSON compliant"):
        Say.model_validate({"message": "hi", "attachments": [{"type": "text", "text": "a", "n": float("inf")}]})


def test_unknown_fields_are_mistakes() -> None:
    """A mistyped field is told, not dropped."""
    with pytest.raises(ValidationError, match="edited_argument"):
        Approve.model_validate({"call_id": "a", "edited_argument": {}})
    assert Pause.model_validate({}) == Pause(by="anonymous")


@pytest.mark.parametrize("field", ["tenant", "principal"])
@pytest.mark.parametrize("name", ["", "a" * 201, "a\0b", "a\nb", "\x1b[31mred"])
def test_names_are_short_and_can_be_printed(field: str, name: str) -> None:
    """They are keys of budgets and shown by Temporal, which would end a thread for a name that is too long."""
    with pytest.raises(ValidationError, match=field):
        StartSession.model_validate({"message": "hi", field: name})


def test_warnings_are_not_without_end() -> None:
    """Each is looked at with every call, and recorded with the session."""
    with pytest.raises(ValidationError, match="at most 20 parts"):
        StartSession.model_validate({"message": "hi", "limits": {"warn_at": [0.5] * 21}})
