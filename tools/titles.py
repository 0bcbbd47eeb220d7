"""A call in words for people: its title, and the question whether it may run.

Both come from a tool's author and from a model's arguments: what fails is replaced by the plain words, and whatever
cannot be printed on one line is left out, so that no argument can forge what an approver reads.
"""

import json
from collections.abc import Mapping
from typing import Any

from llm.messages import JsonObject
from tools.arguments import Checked
from tools.tool import Tool
from tools.toolbox import Question

LONGEST = 80
"""Characters of a title."""
_LONGEST_VALUE = 60


def title_of(tool: Tool | None, name: str, arguments: JsonObject) -> str:
    """The call in one line of at most 80 characters, also where the arguments are wrong."""
    if tool is None or tool.title is None:
        return _plain_title(name, arguments)
    try:
        checked = tool.arguments.check(arguments)
        return _own_title(tool, checked)
    except Exception:  # noqa: BLE001 - a stranger's code: no title of its own is no reason to fail
        return _plain_title(name, arguments)


def question_of(tool: Tool, checked: Checked) -> Question | None:
    """What a person must be asked before the call may run; a rule that fails asks."""
    reason = _reason(tool, tool.arguments.with_defaults(checked.values))
    if reason is None:
        return None
    return Question(text=title_of(tool, tool.name, checked.json), reason=reason, risk=tool.risk)


def one_line(text: str, longest: int = LONGEST) -> str:
    """The text without line breaks and what cannot be printed, cut where it is longer."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text[: 10 * longest]).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def _own_title(tool: Tool, checked: Checked) -> str:
    values = tool.arguments.with_defaults(checked.values)
    said = tool.title.format_map(values) if isinstance(tool.title, str) else tool.title(values) if tool.title else ""
    return one_line(said) or _plain_title(tool.name, checked.json)


def _plain_title(name: str, arguments: Any) -> str:
    given = arguments if isinstance(arguments, Mapping) else {}
    told = ", ".join(f"{key}={_short(value)}" for key, value in list(given.items())[:8])
    return one_line(f"{name}({told})") or "(a tool without a name)"


def _short(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value[:_LONGEST_VALUE], ensure_ascii=False)
    try:
        return json.dumps(value, ensure_ascii=False)[:_LONGEST_VALUE]
    except (TypeError, ValueError, RecursionError):
        return "…"


def _reason(tool: Tool, values: Mapping[str, Any]) -> str | None:
    if tool.approval == "never":
        return None
    plain = f"{tool.name} asks before every call" if tool.approval == "always" else f"{tool.name} asks about this call"
    if isinstance(tool.approval, str):
        return plain
    try:
        answer = tool.approval(values)
    except Exception as error:  # noqa: BLE001 - a stranger's rule; where it fails, a person decides
        return f"the approval rule of {tool.name} failed ({type(error).__name__}), so a person decides"
    return answer if answer and isinstance(answer, str) else plain if answer else None
