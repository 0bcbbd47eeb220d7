"""Approvals by several people on the command line: who said yes to what, and what a question wants to see."""

from uuid import uuid4

import pytest
from pydantic import SecretStr

from cli.exits import ExitCode
from tests.cli.conftest import CONVERSATIONS, Perdure
from tests.workflow.conftest import Play
from tests.workflow.world import World

KEY = "a key that nobody has ever guessed"
TERMS = '{"quorum": 2, "self_approval": false, "token": true}'
EDIT = '{"path": "report.md", "content": "shorter"}'


@pytest.fixture
async def world(play: Play) -> World:
    """A worker that can make tokens."""
    return await play(CONVERSATIONS, approval_key=SecretStr(KEY))


async def test_two_people_allow_what_one_of_them_has_changed(perdure: Perdure) -> None:
    """Every refusal says why; what runs is what both have allowed, and the thread's stream is legal."""
    thread = f"t-{uuid4()}"
    await perdure("start", "write", "--thread", thread, "--approval", TERMS, "--wait")
    [asked] = (await perdure("pending", thread, "--json")).json["pending"]
    assert (asked["quorum"], asked["votes"], asked["token"], asked["self_approval"]) == (2, [], True, False)
    keyless = await perdure("token", thread)
    assert (keyless.code, "PERDURE_APPROVAL_KEY" in keyless.err) == (ExitCode.USAGE, True)
    token = (await perdure("token", thread, "--json", PERDURE_APPROVAL_KEY=KEY)).json["token"]
    own = await perdure("approve", thread, "--token", token)
    assert "ana has started this thread and may not allow its calls" in own.err
    bare = await perdure("approve", thread, PERDURE_PRINCIPAL="bo")
    assert (bare.code, "token was not shown" in bare.err) == (ExitCode.FAILED, True)
    edited = await perdure("approve", thread, "--edit", EDIT, "--token", token, "--json", PERDURE_PRINCIPAL="bo")
    assert (edited.code, edited.json["status"]) == (0, "waiting")
    unseen = await perdure("approve", thread, "--token", token, PERDURE_PRINCIPAL="cy")
    assert "look at it again" in unseen.err
    pending = await perdure("pending", thread)
    assert f"--position {edited.json['position']} --token …" in pending.out
    assert "1 of 2 have allowed it (bo)" in pending.out
    assert "shorter" in pending.out
    seen = ("--position", str(edited.json["position"]))
    done = await perdure("approve", thread, *seen, "--token", token, PERDURE_PRINCIPAL="cy")
    assert done.code == 0
    watched = await perdure("watch", thread)
    assert "votes for write_file" in watched.out
    assert token not in watched.out
    assert (perdure.folder / "report.md").read_text() == "shorter"
    verified = await perdure("verify", thread)
    assert verified.code == 0, verified.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("start", "hello", "--approval", '{"quorum": 0}'),
            "approval.quorum: Input should be greater than or equal to 1",
        ),
        (("start", "hello", "--approval", "two"), "--approval is no JSON"),
        (("approve", "t", "c", "--position", "-1"), "--position"),
    ],
)
async def test_what_cannot_be_meant_is_told(perdure: Perdure, arguments: tuple[str, ...], words: str) -> None:
    """Nothing is begun and nothing is sent."""
    told = await perdure(*arguments)
    assert told.code == ExitCode.USAGE
    assert words in told.err


async def test_what_is_remembered_is_one_of_two_things(perdure: Perdure) -> None:
    """The other words are named."""
    thread = f"t-{uuid4()}"
    await perdure("start", "write", "--thread", thread, "--wait")
    wrong = await perdure("approve", thread, "--remember", "everything")
    assert (wrong.code, "'tool' or 'arguments'" in wrong.err) == (ExitCode.USAGE, True)
    done = await perdure("approve", thread, "--remember", "arguments")
    assert done.code == 0
