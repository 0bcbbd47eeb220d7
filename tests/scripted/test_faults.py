"""The ways in which a real server lets one down, as the SDK tells of them."""

import asyncio

import anthropic
import httpx2
import pytest

from stack.scripted import Broken, Fault, MidStreamError, Playbook, Raw, Reply, Stalled
from tests.scripted.asking import talking_to

STATUSES = {
    400: anthropic.BadRequestError,
    401: anthropic.AuthenticationError,
    402: anthropic.PaymentRequiredError,
    403: anthropic.PermissionDeniedError,
    404: anthropic.NotFoundError,
    409: anthropic.ConflictError,
    413: anthropic.ContentTooLargeError,
    422: anthropic.UnprocessableEntityError,
    429: anthropic.RateLimitError,
    500: anthropic.InternalServerError,
    503: anthropic.ServiceUnavailableError,
    504: anthropic.GatewayTimeoutError,
    529: anthropic.OverloadedError,
}


@pytest.mark.parametrize(("status", "error"), STATUSES.items())
async def test_a_fault_is_the_sdks_error_for_its_status(status: int, error: type[anthropic.APIStatusError]) -> None:
    """Each status comes as its own class of error, with the API's type and a request id."""
    async with talking_to(lambda _: Fault(status)) as talk:
        with pytest.raises(error) as raised:
            await talk.streamed("hello")
    assert type(raised.value) is error
    assert raised.value.type is not None
    assert raised.value.request_id is not None
    assert raised.value.request_id.startswith("req_")


async def test_a_fault_says_what_it_is_told_to_say() -> None:
    """Words, type and `retry-after` are the script's."""
    fault = Fault(429, "slow down", error_type="overloaded_error", retry_after=2.5)
    async with talking_to(lambda _: fault) as talk:
        with pytest.raises(anthropic.RateLimitError) as raised:
            await talk.whole("hello")
    assert raised.value.api_message == "slow down"
    assert raised.value.type == "overloaded_error"
    assert raised.value.response.headers["retry-after"] == "2.5"
    assert raised.value.response.headers["anthropic-ratelimit-requests-remaining"] == "0"


async def test_the_sdks_own_retries_get_through() -> None:
    """A fault that is played once is gone when the SDK tries again."""
    book = Playbook({"hello": [[Fault(429, retry_after=0), Fault(529, retry_after=0), Reply.text("at last")]]})
    async with talking_to(book, retries=2) as talk:
        message = await talk.streamed("hello")
        statuses = [request.status for request in talk.server.requests]
    assert message["content"][0]["text"] == "at last"
    assert statuses == [429, 529, 200]


@pytest.mark.parametrize("after", [0, 1, 4])
async def test_a_broken_stream_is_never_a_whole_message(after: int) -> None:
    """The connection is cut after so many events, and the client notices."""
    async with talking_to(lambda _: Broken(after)) as talk:
        with pytest.raises(httpx2.RemoteProtocolError):
            await talk.events("hello")
        assert talk.server.requests[0].outcome == "cut"


async def test_a_broken_reply_in_json_is_a_connection_error() -> None:
    """Half a body is no answer."""
    async with talking_to(lambda _: Broken(3)) as talk:
        with pytest.raises(anthropic.APIConnectionError):
            await talk.whole("hello")


async def test_an_error_in_the_middle_of_a_stream_is_raised() -> None:
    """The SDK raises what the stream says went wrong; asked for JSON, it is the HTTP error of that type."""
    async with talking_to(lambda _: MidStreamError(4)) as talk:
        with pytest.raises(anthropic.APIStatusError) as streamed:
            await talk.streamed("hello")
        with pytest.raises(anthropic.OverloadedError):
            await talk.whole("hello")
    assert streamed.value.type == "overloaded_error"


async def test_a_stalled_stream_runs_into_the_clients_timeout() -> None:
    """Silence longer than the client's patience ends the request, and the server notices."""
    async with talking_to(lambda _: Stalled(3, seconds=600), timeout=0.2) as talk:
        with pytest.raises(httpx2.ReadTimeout):
            await talk.streamed("hello")
        received = await talk.server.arrival(1)
        await received.over.wait()
    assert received.outcome == "abandoned"


async def test_a_stalled_stream_goes_on() -> None:
    """After the silence comes all the rest."""
    async with talking_to(lambda _: Stalled(3, seconds=0.01, reply=Reply.text("and on it goes"))) as talk:
        assert (await talk.streamed("hello"))["content"][0]["text"] == "and on it goes"
        assert (await talk.whole("hello"))["content"][0]["text"] == "and on it goes"


async def test_a_client_that_leaves_is_noticed() -> None:
    """Cancelling a request in the middle of its stream closes the connection."""
    async with talking_to(lambda _: Stalled(3, seconds=600)) as talk:
        asking = asyncio.create_task(talk.streamed("hello"))
        received = await talk.server.arrival(1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await received.over.wait()
    assert received.outcome == "abandoned"


async def test_raw_bytes_are_sent_as_they_are() -> None:
    """A body may be anything."""
    async with talking_to(lambda _: Raw(b"<html>gateway</html>", status=502, content_type="text/html")) as talk:
        with pytest.raises(anthropic.InternalServerError) as raised:
            await talk.streamed("hello")
    assert raised.value.response.text == "<html>gateway</html>"


async def test_a_mind_that_fails_is_a_server_error() -> None:
    """What a mind raises reaches the client in words, and the server lives on."""

    def mind(_: object) -> Reply:
        """Fail."""
        raise KeyError("lost")

    async with talking_to(mind) as talk:
        for _ in range(2):
            with pytest.raises(anthropic.InternalServerError, match="KeyError\\('lost'\\)"):
                await talk.whole("hello")
