"""A person's answer held against the question: what it means, or what was expected instead.

Answers come by hand, from terminals and from programs, so what plainly means the right thing is taken: "yes" for
true, "2" for the second option, JSON written as text. What does not is refused in words, and the question stays open.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from eventlog.inquiries import InputAction, Inquiry, Verdict
from llm.json_schema import misfit
from llm.messages import Block, JsonObject
from projections.uploads import RefusedFile, Upload, check_upload, shown

_YES = frozenset({"yes", "y", "true", "ok"})
_NO = frozenset({"no", "n", "false"})
_LONGEST_SHOWN = 80
"""Characters of an answer that is quoted."""


class WrongAnswer(ValueError):
    """The answer is none to this question; the message says what is expected, for the person who gave it."""


@dataclass(frozen=True, slots=True)
class Understood:
    """What an answer means."""

    value: Any
    """As JSON: true or false; the chosen options' text; text or the form; what is kept of a file; reviewed text."""
    content: tuple[Block, ...] = ()
    """A file, as the model reads it."""
    verdict: Verdict | None = None
    comment: str | None = None
    """What the reviewer said."""


def understand(inquiry: Inquiry, given: Any) -> Understood:
    """What the answer means; raises `WrongAnswer`. A file is given as an `Upload`: see `file_in`."""
    return _READERS[inquiry.action](inquiry, given)


def file_in(given: Any) -> tuple[str, JsonObject] | None:
    """How a file is given, `path` or `content`, and everything that is said of it; None where none is."""
    if not isinstance(given, Mapping):
        return None
    kinds = [kind for kind in ("path", "content") if isinstance(given.get(kind), str)]
    return (kinds[0], dict(given)) if len(kinds) == 1 else None


def expectation(inquiry: Inquiry) -> str:
    """What kind of answer is expected, in words."""
    match inquiry.action:
        case "confirm":
            return "yes or no"
        case "choose":
            which = "any of" if inquiry.several else "one of"
            return f"{which} {', '.join(json.dumps(option, ensure_ascii=False) for option in inquiry.options)}"
        case "input":
            return "text" if inquiry.form is None else "JSON that fits the form"
        case "upload":
            return 'a file, as {"path": …} in the workspace or {"name": …, "content": base64}'
        case "review":
            return (
                '"accept", {"verdict": "replace", "text": …} with what is to be used instead, or '
                '{"verdict": "send_back", "comments": …}'
            )


def _confirmed(inquiry: Inquiry, given: Any) -> Understood:
    if isinstance(given, bool):
        return Understood(given)
    word = given.strip().lower() if isinstance(given, str) else ""
    if word in _YES | _NO:
        return Understood(word in _YES)
    raise _wrong(inquiry, given)


def _chosen(inquiry: Inquiry, given: Any) -> Understood:
    if not inquiry.several:
        return Understood(_option(inquiry, given))
    each = given if isinstance(given, list | tuple) else [given]
    picked = {_option(inquiry, one) for one in each}
    return Understood([option for option in inquiry.options if option in picked])


def _option(inquiry: Inquiry, given: Any) -> str:
    """The option in its own words, or by its number from 1."""
    text = given.strip() if isinstance(given, str) else ""
    if text in inquiry.options:
        return text
    alike = [option for option in inquiry.options if text and option.casefold() == text.casefold()]
    if len(alike) == 1:
        return alike[0]
    number = _number(given)
    if number is not None and 1 <= number <= len(inquiry.options):
        return inquiry.options[number - 1]
    raise _wrong(inquiry, given)


def _number(given: Any) -> int | None:
    if isinstance(given, int) and not isinstance(given, bool):
        return given
    is_short = isinstance(given, str) and given.strip().isascii() and given.strip().isdigit() and len(given) < 9
    return int(given) if is_short else None


def _entered(inquiry: Inquiry, given: Any) -> Understood:
    if inquiry.form is not None:
        return _filled_in(inquiry, given)
    if isinstance(given, int | float) and not isinstance(given, bool):
        given = str(given)
    if not isinstance(given, str) or not given.strip():
        raise _wrong(inquiry, given)
    return Understood(given)


def _filled_in(inquiry: Inquiry, given: Any) -> Understood:
    """The form, also where it was written as text."""
    problem = _misfit(given, inquiry.form)
    if problem is None:
        return Understood(given)
    parsed = _parsed(given) if isinstance(given, str) else given
    if parsed is given or (problem := _misfit(parsed, inquiry.form)) is not None:
        raise WrongAnswer(problem)
    return Understood(parsed)


def _misfit(value: Any, form: Any) -> str | None:
    try:
        return misfit(value, form)
    except RecursionError:
        return "The answer is nested too deeply."


def _parsed(text: str) -> Any:
    """What the text says as JSON; the text itself where it says nothing."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _uploaded(inquiry: Inquiry, given: Any) -> Understood:
    if not isinstance(given, Upload):
        raise _wrong(inquiry, given)
    try:
        check_upload(given, inquiry.accept, inquiry.most_bytes)
    except RefusedFile as error:
        raise WrongAnswer(str(error)) from error
    return Understood(given.told, shown(given))


def _reviewed(inquiry: Inquiry, given: Any) -> Understood:
    said = {"verdict": given.strip()} if isinstance(given, str) else given
    if not isinstance(said, Mapping) or said.get("verdict") not in get_args(Verdict):
        raise _wrong(inquiry, given)
    match said["verdict"]:
        case "accept":
            return Understood(inquiry.subject, verdict="accept")
        case "replace":
            return Understood(_words(said, "text", inquiry), verdict="replace")
        case _:
            return Understood(None, verdict="send_back", comment=_words(said, "comments", inquiry))


def _words(said: Mapping[str, Any], key: str, inquiry: Inquiry) -> str:
    text = said.get(key)
    if isinstance(text, str) and text.strip():
        return text
    raise WrongAnswer(f"{said['verdict']} needs {key!r}; expected: {expectation(inquiry)}")


def _wrong(inquiry: Inquiry, given: Any) -> WrongAnswer:
    return WrongAnswer(f"{_short(given)} is no answer to this question; expected: {expectation(inquiry)}")


def _short(given: Any) -> str:
    if given is None:
        return "nothing"
    if isinstance(given, Upload):
        return f"the file {given.name}"
    text = json.dumps(given, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


_READERS: Mapping[InputAction, Callable[[Inquiry, Any], Understood]] = {
    "confirm": _confirmed,
    "choose": _chosen,
    "input": _entered,
    "upload": _uploaded,
    "review": _reviewed,
}


def in_words(action: InputAction, value: Any, verdict: Verdict | None = None) -> str:
    """An answer as people and the model read it."""
    match action:
        case "confirm":
            return "yes" if value else "no"
        case "upload":
            return _file_in_words(value)
        case "review":
            return _VERDICTS[verdict or "accept"].format(value)
        case _:
            return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


_VERDICTS: Mapping[Verdict, str] = {
    "accept": "it is accepted as it is",
    "replace": "it is accepted with this text in its place:\n{}",
    "send_back": "it is sent back",
}


def _file_in_words(told: JsonObject) -> str:
    place = f", in the workspace as {told['path']}" if "path" in told else ""
    return f"{told['name']} ({told['media_type']}, {told['bytes']:,} bytes{place})"
