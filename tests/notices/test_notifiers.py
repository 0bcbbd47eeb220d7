"""Functions of plugins that are told."""

import asyncio
from pathlib import Path

import pytest

from bootstrap import load_extensions
from notices.notice import Notice
from notices.notifier import InvalidNotifier, Notifier, notifier
from settings import Settings
from tests.notices.conftest import TOKEN, MakePostman, Scribe, asked

PLUGIN = '''
from notices.notice import Notice
from notices.notifier import notifier

@notifier(kinds=("approval.*", "budget.*"), attempts=2)
async def tell_chat(notice: Notice) -> None:
    """Say it in the channel."""
    raise RuntimeError("no channel")
'''


async def test_a_function_is_told_until_it_takes_the_notice(hire: MakePostman, scribe: Scribe) -> None:
    """What it raises is tried again, under the same id; a token is given only to one that asks for it."""
    told: list[Notice] = []

    @notifier(kinds="approval.requested")
    async def plain(notice: Notice) -> None:
        told.append(notice)
        if len(told) == 1:
            raise ConnectionError("not now")

    @notifier(kinds="approval.requested", tokens=True)
    async def trusted(notice: Notice) -> None:
        told.append(notice)

    postman = hire(notifiers=[plain, trusted])
    await scribe.write(asked(token=True))
    await postman.read()
    await postman.deliver("plugin:plain")
    await postman.hurry()
    await postman.deliver("plugin:plain")
    await postman.deliver("plugin:trusted")
    assert len({notice.id for notice in told}) == 1
    assert [notice.token for notice in told] == [None, None, TOKEN]
    assert told[0].details["arguments"] == {"path": "notes.md", "content": "buy milk"}
    assert TOKEN not in repr(told[2])
    assert await postman.office.deliveries.backlog() == []


async def test_one_that_fails_is_a_dead_letter_without_the_token(hire: MakePostman, scribe: Scribe) -> None:
    """Its last error is kept with the letter, but not a token in it; one that hangs is given up in time."""

    @notifier(tokens=True, attempts=1, kinds="approval.requested")
    async def spilling(notice: Notice) -> None:
        raise ValueError(f"cannot post {notice.token}")

    @notifier(timeout=0.05, attempts=1, kinds="approval.requested")
    async def hanging(_: Notice) -> None:
        await asyncio.Event().wait()

    postman = hire(notifiers=[spilling, hanging])
    await scribe.write(asked(token=True))
    await postman.go()
    reasons = {letter.died.target: letter.reason for letter in await postman.office.letters.open()}
    assert reasons == {
        "plugin:spilling": "ValueError: cannot post [token]",
        "plugin:hanging": "it took longer than 0.05 s",
    }


def test_plugins_bring_notifiers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module of PERDURE_PLUGINS that holds nothing but a notifier is a plugin."""
    (tmp_path / "chatty.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    [found] = load_extensions(Settings(plugins=("chatty",))).of(Notifier)
    assert (found.name, found.attempts) == ("plugin:tell_chat", 2)
    assert found.wants("budget.warned", "anybody")
    assert not found.wants("input.requested", "anybody")


async def _told(_: Notice) -> None:
    """What a notifier looks like."""


@pytest.mark.parametrize(
    ("function", "said", "problem"),
    [
        (lambda _: None, {}, "async"),
        (_told, {"kinds": "aproval.*"}, "no kind of notice is called 'aproval.*'"),
        (_told, {"timeout": 0}, "timeout"),
        (_told, {"attempts": 0}, "attempts"),
    ],
)
def test_mistakes_are_told_at_once(function: object, said: dict[str, object], problem: str) -> None:
    """What cannot be a notifier is none as soon as it is defined."""
    with pytest.raises(InvalidNotifier, match=problem.replace("*", r"\*")):
        notifier(**said)(function)  # type: ignore[call-overload]
