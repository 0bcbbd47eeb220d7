"""Functions of plugins that are told: into a chat, a pager, or whatever else there is.

    @notifier(kinds="approval.*")
    async def tell_chat(notice: Notice) -> None:
        \"\"\"Say it in the team's channel.\"\"\"
        await chat.post(f"{notice.thread}: {notice.text}")

What it raises is tried again, as with an endpoint; it may be called again with a notice it has taken, under the same
`notice.id`.
"""

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar, Final, TypeAlias, overload

from notices.kinds import chosen
from notices.notice import Notice
from notices.target import Refused

Tell: TypeAlias = Callable[[Notice], Awaitable[None]]
BEFORE: Final = "plugin:"
"""A notifier's name begins so: no endpoint's does."""
_NAME = re.compile(rf"{BEFORE}[A-Za-z_][A-Za-z0-9_]{{0,63}}")


class InvalidNotifier(TypeError):
    """A notifier is defined wrongly: its author corrects it."""


@dataclass(frozen=True, slots=True)
class Notifier:
    """See `Target`."""

    called: ClassVar[str] = "a notifier"
    """What it is, in words."""
    name: str
    function: Tell
    kinds: tuple[str, ...] = ()
    """Patterns; none is all."""
    tokens: bool = False
    timeout: float = 30.0
    attempts: int = 10
    content: bool = True

    def wants(self, kind: str, tenant: str) -> bool:  # noqa: ARG002 - a function looks at the tenant itself
        """Whether it is to be told of this."""
        return kind in chosen(self.kinds)

    async def tell(self, notice: Notice) -> str:
        """Call the function; see `Target.tell`."""
        try:
            async with asyncio.timeout(self.timeout):
                await self.function(notice)
        except TimeoutError as error:
            raise Refused(f"it took longer than {self.timeout:g} s") from error
        except Exception as error:  # a stranger's code
            raise Refused(f"{type(error).__name__}: {error}") from error
        return "done"


@overload
def notifier(function: Tell, /) -> Notifier: ...
@overload
def notifier(
    *, kinds: str | tuple[str, ...] = (), tokens: bool = False, timeout: float = 30.0, attempts: int = 10
) -> Callable[[Tell], Notifier]: ...
def notifier(
    function: Tell | None = None,
    /,
    *,
    kinds: str | tuple[str, ...] = (),
    tokens: bool = False,
    timeout: float = 30.0,
    attempts: int = 10,
) -> Notifier | Callable[[Tell], Notifier]:
    """Make an async function a notifier: told of these kinds, with or without tokens, in so many seconds and attempts.

    Raises `InvalidNotifier` that says what is wrong.
    """

    def make(function: Tell) -> Notifier:
        patterns = (kinds,) if isinstance(kinds, str) else tuple(kinds)
        made = Notifier(_name_of(function), function, patterns, tokens, timeout, attempts)
        problem = _problem(made)
        if problem is not None:
            raise InvalidNotifier(f"{made.name}: {problem}")
        return made

    return make if function is None else make(function)


def _name_of(function: Tell) -> str:
    return BEFORE + str(getattr(function, "__name__", ""))


def _problem(made: Notifier) -> str | None:
    if not inspect.iscoroutinefunction(made.function):
        return "write `async def`: a notifier is an async function of one notice"
    if not _NAME.fullmatch(made.name):
        return "its name must be 1 to 64 letters, digits and _"
    unknown = [pattern for pattern in made.kinds if not chosen((pattern,))]
    if unknown:
        return f"no kind of notice is called {unknown[0]!r}: there are {', '.join(sorted(chosen(())))}"
    if made.timeout <= 0 or made.attempts < 1:
        return "timeout is more than 0 seconds, attempts is 1 or more"
    return None
