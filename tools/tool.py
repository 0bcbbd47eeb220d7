"""A tool is a typed function: `@tool` reads its name, its arguments and its description from it.

    @tool(effect="read_only")
    def get_weather(city: Annotated[str, Field(description="City and country")], days: int = 1) -> str:
        \"\"\"The weather forecast for a city.\"\"\"

What is not said is taken as the safe case: the effect is `unsafe` (never repeated when nobody knows whether it
happened), and a tool of high risk asks a person before every call.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args, overload

from eventlog.canonical import digest_of
from eventlog.inquiries import Inquiry
from eventlog.terms import Effect, Risk, ToolTerms
from llm.messages import ToolSpec
from tools.arguments import Accepted, Arguments
from tools.capabilities import Capabilities, check_capabilities
from tools.errors import InvalidTool
from tools.signature import Signature, read_signature

Function: TypeAlias = Callable[..., Any]
Approval: TypeAlias = Literal["never", "always"] | Callable[[Mapping[str, Any]], bool | str | None]
"""When a person is asked. A function is given the arguments, defaults included; text it returns is the reason."""
Title: TypeAlias = str | Callable[[Mapping[str, Any]], str]
"""The call in a few words: a format string (`"send to {recipient}"`) or a function of the arguments."""

TIMEOUT = 60.0
QUICK_TIMEOUT = 5.0
"""Seconds a call may take where nobody said otherwise; a quick one never more than this."""

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_ARGUMENT = re.compile(r"[a-zA-Z0-9_.-]{1,64}")


@dataclass(frozen=True, slots=True, eq=False)
class Tool:
    """Something an agent can do. Called, it is still the function it was made from."""

    name: str
    description: str
    function: Function
    arguments: Accepted
    context: tuple[str, ...]
    """The function's parameters that are filled in with the `ToolContext`."""
    effect: Effect
    risk: Risk
    timeout: float
    attempts: int
    quick: bool
    approval: Approval
    title: Title | None
    reconcile: Function | None
    capabilities: Capabilities | None = None
    """What it needs of the world, where its author says so."""
    inquiry: Callable[[Mapping[str, Any]], Inquiry] | None = None
    """Makes a question to a person of the arguments, where the tool is never run and their answer is its result."""
    cleanup: Function | None = None
    """Cleans up after a call that was begun and then stopped."""
    foreign: bool = False
    """Whether it is another program's, which may change it: it is used only as it was when the session began."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function, as anybody may."""
        return self.function(*args, **kwargs)

    @property
    def spec(self) -> ToolSpec:
        """The tool as the model sees it."""
        return ToolSpec(name=self.name, description=self.description, input_schema=self.arguments.schema)

    @property
    def terms(self) -> ToolTerms:
        """What a session agrees to when it takes the tool on."""
        return ToolTerms(
            name=self.name,
            digest=digest_of(self.spec.model_dump()),
            effect=self.effect,
            risk=self.risk,
            timeout=self.timeout,
            attempts=self.attempts,
            quick=self.quick,
            cleanup=self.cleanup is not None,
            capabilities=self.capabilities,
        )


@overload
def tool(function: Function, /) -> Tool: ...


@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    effect: Effect = "unsafe",
    risk: Risk | None = None,
    timeout: float | None = None,
    attempts: int = 3,
    quick: bool = False,
    approval: Approval | None = None,
    title: Title | None = None,
    reconcile: Function | None = None,
    cleanup: Function | None = None,
    capabilities: Capabilities | None = None,
    inquiry: Callable[[Mapping[str, Any]], Inquiry] | None = None,
) -> Callable[[Function], Tool]: ...


def tool(
    function: Function | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    effect: Effect = "unsafe",
    risk: Risk | None = None,
    timeout: float | None = None,
    attempts: int = 3,
    quick: bool = False,
    approval: Approval | None = None,
    title: Title | None = None,
    reconcile: Function | None = None,
    cleanup: Function | None = None,
    capabilities: Capabilities | None = None,
    inquiry: Callable[[Mapping[str, Any]], Inquiry] | None = None,
) -> Tool | Callable[[Function], Tool]:
    """Make a tool of a function, or raise `InvalidTool` that says what to change. Nothing is registered.

    `reconcile(context, **arguments)` is asked about a call whose process died: it returns the result of what was done,
    None where it cannot tell, and raises `ToolFailed` where nothing was done. `cleanup(context, **arguments)` is called
    after a call that was begun and then stopped on request: it has ten seconds, and may be called twice. `risk` is low
    for what only reads, else medium; `approval` is "always" for high risk, else "never". `attempts` bounds how often a
    call is tried where it may be repeated at all. `timeout` is in seconds, 60 if not given. A `quick` tool answers in
    well under a second: its calls cost a fifth, with the same promises, and it is given 5 seconds. `capabilities` say
    what the tool needs of the world: a secret that they do not name is not given to it. `inquiry` makes the call a
    question to a person: the function is never run, and their answer is the result; it raises `InvalidArguments` where
    the arguments make no question.
    """

    def make(made_of: Function) -> Tool:
        signature = _signature(made_of)
        owner = name or made_of.__name__
        level = risk or ("low" if effect == "read_only" else "medium")
        return _checked(
            Tool(
                name=owner,
                description=(description or signature.description).strip(),
                function=made_of,
                arguments=Arguments(signature, owner),
                context=signature.context,
                effect=effect,
                risk=level,
                timeout=_timeout(timeout, quick=quick),
                attempts=attempts,
                quick=quick,
                approval=approval or ("always" if level == "high" else "never"),
                title=title,
                reconcile=reconcile,
                cleanup=cleanup,
                capabilities=capabilities,
                inquiry=inquiry,
            )
        )

    return make if function is None else make(function)


def _signature(function: Function) -> Signature:
    if not inspect.isroutine(function):
        raise InvalidTool(f"@tool makes a tool of a function, not of {function!r}: write @tool or @tool(…) above a def")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise InvalidTool(f"{function.__qualname__} yields: a tool must return its whole result")
    return read_signature(function)


def _checked(made: Tool) -> Tool:
    for wrong, remedy in (
        (not _NAME.fullmatch(made.name), "a name has 1 to 64 of a-z, A-Z, 0-9, _ and -: give one with @tool(name=…)"),
        (not made.description, "it has no description: write a docstring that tells the model what it does and when"),
        (made.effect not in get_args(Effect), f"effect must be one of {get_args(Effect)}, not {made.effect!r}"),
        (made.risk not in get_args(Risk), f"risk must be one of {get_args(Risk)}, not {made.risk!r}"),
        (not 0 < made.timeout <= 7 * 24 * 3600, "timeout must be a number of seconds, more than 0 and at most a week"),
        (made.attempts < 1, "attempts must be 1 or more"),
        (made.quick and made.timeout > QUICK_TIMEOUT, f"a quick tool has at most {QUICK_TIMEOUT:g} seconds"),
        (not _is_approval(made.approval), 'approval must be "never", "always" or a plain function of the arguments'),
        (inspect.iscoroutinefunction(made.title), "title must be text or a plain function, not an async one"),
    ):
        if wrong:
            raise InvalidTool(f"the tool {made.name!r} cannot be used: {remedy}")
    for argument in made.arguments.schema["properties"]:
        if not _ARGUMENT.fullmatch(argument):
            raise InvalidTool(f"the tool {made.name!r} has the parameter {argument!r}: use a-z, A-Z, 0-9 and _ only")
    if made.capabilities is not None:
        check_capabilities(made.capabilities, made.name)
    return made


def _is_approval(approval: object) -> bool:
    return approval in ("never", "always") or (callable(approval) and not inspect.iscoroutinefunction(approval))


def _timeout(given: float | None, *, quick: bool) -> float:
    if given is not None:
        return given
    return QUICK_TIMEOUT if quick else TIMEOUT
