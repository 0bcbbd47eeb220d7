"""What a model is called, whoever serves it: its plain name, and which Claude it is."""

import re

_DECORATION = re.compile(r"(?:@[\w.]+|-\d{8}|-v\d+|:\d+|-latest|\[1m\])$")
"""What clouds and dated releases hang on a name: `@20251101`, `-20251101`, `-v1`, `:0`, `-latest`, `[1m]`."""
_CLAUDE = re.compile(r"claude-(?:[a-z]+-)?(\d+)(?:[.-](\d{1,2}))?(?:-|$)")
_SELF_PACED = (4, 7)
"""The first Claude that decides by itself how much to think, and that takes neither a budget nor a temperature."""


def plain_name(model: str) -> str:
    """The name without what a cloud or a release date adds: `us.anthropic.claude-opus-4-6-v1` is `claude-opus-4-6`."""
    _, found, rest = model.partition("claude-")
    if not found:
        return model
    name = found + rest
    while (shorter := _DECORATION.sub("", name)) != name:
        name = shorter
    return name


def claude_version(model: str) -> tuple[int, int] | None:
    """The version in the name of a Claude model; None where there is none or the model is another one."""
    match = _CLAUDE.match(plain_name(model))
    return (int(match[1]), int(match[2] or 0)) if match else None


def is_self_paced(model: str) -> bool:
    """Whether the model is a Claude that takes neither a thinking budget nor a temperature."""
    version = claude_version(model)
    if version is None:
        return plain_name(model).startswith("claude-")
    return version >= _SELF_PACED
