"""What may be asked, and what is refused before it is."""

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


@pytest.mark.parametrize("kind", ["tool_result", "tool_use", "thinking", None])
def test_only_what_a_person_can_say_is_attached(kind: str | None) -> None:
    """A block no user may send would make the provider reject the thread for ever."""
    with pytest.raises(ValidationError, match="cannot be attached; use one of text, image"):
        Say(message="hi", attachments=({"type": kind},))
    assert Say(message="hi", attachments=({"type": "image", "source": {}},)).attachments


def test_unknown_fields_are_mistakes() -> None:
    """A mistyped field is told, not dropped."""
    with pytest.raises(ValidationError, match="edited_argument"):
        Approve.model_validate({"call_id": "a", "edited_argument": {}})
    assert Pause.model_validate({}) == Pause(by="anonymous")
