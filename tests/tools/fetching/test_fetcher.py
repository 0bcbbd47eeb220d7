"""Attacks on a fetch, with real servers: where it goes, what it takes along, and how far it goes."""

import asyncio
import re
from pathlib import Path

import pytest

from tests.tools.fetching.conftest import Certified
from tests.tools.fetching.site import Names, Site, answer, fetcher, moved, packed
from tools.errors import ToolFailed, ToolUnavailable
from tools.fetching.domains import Domains
from tools.fetching.fetcher import Fetcher, Page


def always(_: str) -> bool:
    """Every body is wanted."""
    return True


def unheard(_: str) -> None:
    """Nobody is told."""


async def get(made: Fetcher, url: str, method: str = "GET") -> Page:
    """What a fetch comes to."""
    return await made.fetch(method, url, always, unheard)


async def test_a_page_is_fetched(site: Site) -> None:
    """Its status, type and body come back, and where it was found."""
    site.pages["/a?b=c"] = answer("hello", content_type="text/plain")
    page = await get(fetcher(), site.url("/a?b=c#d"))
    assert (page.url, page.outcome, page.content_type, page.body) == (
        site.url("/a?b=c"),
        "200 OK",
        "text/plain",
        b"hello",
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]"])
async def test_this_machine_is_refused_by_default(site: Site, host: str) -> None:
    """With the rule and the resolver of the product, nothing reaches a server on this machine."""
    with pytest.raises(ToolFailed, match="only the public Internet"):
        await get(Fetcher(Domains(["*:*"])), site.url(host=host))
    assert site.requests == []


@pytest.mark.parametrize(
    "answers", ["10.0.0.1", "169.254.169.254", "127.0.0.2", "fe80::1%1", "::ffff:127.0.0.2", "127.0.0.1 10.0.0.1"]
)
async def test_a_name_that_leads_inside_is_refused(site: Site, answers: str) -> None:
    """An innocent name whose answer, or one of whose answers, is not public is not connected to."""
    with pytest.raises(ToolFailed, match=r"site\.test leads to"):
        await get(fetcher(names=Names(site_test=[answers])), site.url())
    assert site.requests == []


async def test_a_name_cannot_change_between_check_and_connection(site: Site) -> None:
    """The name is asked for once a hop, and the connection goes to what was answered then."""
    names = Names(site_test=["127.0.0.1", "127.0.0.2"])
    site.pages["/"] = answer("first")
    assert (await get(fetcher(names=names), site.url())).body == b"first"
    assert names.asked == ["site.test"]


async def test_a_name_that_changes_between_hops_is_checked_anew(site: Site) -> None:
    """A redirect to the same name meets its new answer, which is refused."""
    names = Names(site_test=["127.0.0.1", "10.0.0.1"])
    site.pages["/"] = moved("/secret")
    with pytest.raises(ToolFailed, match=r"site\.test leads to a private address"):
        await get(fetcher(names=names), site.url())
    assert len(site.requests) == 1


@pytest.mark.parametrize(
    ("to", "problem"),
    [
        ("http://10.0.0.1/", "10.0.0.1 leads to a private address"),
        ("http://169.254.169.254/latest/meta-data/", "leads to a link-local address"),
        ("http://[::1]/", "leads to a loopback address"),
        ("http://inside.test/", "inside.test leads to a private address"),
        ("http://2130706433/", "redirects to a place that is not fetched: .*usual spelling"),
        ("file:///etc/passwd", "redirects to a place that is not fetched: only http"),
        ("http://a:b@site.test/", "redirects to a place that is not fetched: .*user or a password"),
        ("http://[::1", "redirects to a place that is not fetched"),
    ],
)
async def test_a_redirect_inside_is_refused(site: Site, to: str, problem: str) -> None:
    """Every hop is read, looked up and checked as the first one was."""
    site.pages["/"] = moved(to)
    names = Names(site_test=["127.0.0.1"], inside_test=["192.168.0.1"])
    with pytest.raises(ToolFailed, match=problem):
        await get(fetcher(names=names), site.url())


async def test_a_redirect_keeps_to_the_list(site: Site) -> None:
    """A listed host cannot send the worker to one that is not: nobody even looks its name up."""
    names = Names(site_test=["127.0.0.1"], other_test=["127.0.0.1"])
    site.pages["/"] = moved(site.url(host="other.test"))
    with pytest.raises(ToolFailed, match=r"other\.test:[0-9]+ may not be fetched from; what may be: site\.test"):
        await get(fetcher("site.test:*", names=names), site.url())
    assert names.asked == ["site.test"]


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "303 See Other", "307 T", "308 P"])
async def test_redirects_are_followed(site: Site, status: str) -> None:
    """A page that has moved is found, and told by where it is now."""
    site.pages |= {"/": moved("a/b?c", status), "/a/b?c": answer("there")}
    page = await get(fetcher(), site.url())
    assert (page.url, page.body) == (site.url("/a/b?c"), b"there")


async def test_a_circle_ends(site: Site) -> None:
    """After a few redirects nothing more is asked."""
    site.pages["/"] = moved("/")
    with pytest.raises(ToolFailed, match="redirected more than 5 times"):
        await get(fetcher(), site.url())
    assert len(site.requests) == 6


async def test_nothing_of_the_worker_goes_along(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy is used, no password file is read, and no cookie that was set comes back."""
    (tmp_path / "netrc").write_text("machine site.test login ana password word\n")
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    site.pages["/"] = answer(b"", "302 Found", location="/next", set_cookie="a=b")
    site.pages["/next"] = answer("there")
    assert (await get(fetcher(), site.url())).body == b"there"
    said = "".join(site.requests).lower()
    assert "cookie" not in said
    assert "authorization" not in said
    assert set(re.findall(r"^([\w-]+):", said, re.MULTILINE)) == {"host", "user-agent", "accept", "accept-encoding"}


async def test_tls_is_for_the_name(secure_site: Site, certified: Certified) -> None:
    """A certificate holds for its own name, though the connection goes to an address."""
    secure_site.pages["/"] = answer("safe")
    names = Names(site_test=["127.0.0.1"], other_test=["127.0.0.1"])
    made = fetcher(names=names, tls=certified.trusting)
    assert (await get(made, secure_site.url(scheme="https"))).body == b"safe"
    with pytest.raises(ToolFailed, match=r"other\.test cannot be trusted"):
        await get(made, secure_site.url(scheme="https", host="other.test"))


async def test_tls_is_verified_by_default(secure_site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A certificate that nobody known has signed is refused, whatever the environment says."""
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    with pytest.raises(ToolFailed, match=r"site\.test cannot be trusted, its TLS does not hold: .*self-signed"):
        await get(fetcher(), secure_site.url(scheme="https"))
    assert secure_site.requests == []


@pytest.mark.parametrize("path", ["/silence", "/drip"])
async def test_time_is_bounded(site: Site, path: str) -> None:
    """A server that says nothing, or never ends, is let go of."""
    with pytest.raises(ToolUnavailable, match=r"site\.test (did not answer in full within|broke off)"):
        await get(fetcher(bounds={"seconds": 0.2}), site.url(path))
    await asyncio.wait_for(site.hung_up.wait(), 10)


async def test_a_stop_ends_the_connection(site: Site) -> None:
    """When nobody waits for the call any more, the server is hung up on."""
    task = asyncio.create_task(get(fetcher(), site.url("/drip")))
    async with asyncio.timeout(10):
        while not site.requests:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await site.hung_up.wait()


async def test_a_long_body_is_cut(site: Site) -> None:
    """What is longer than may be read is read up to there, whatever length was announced."""
    site.pages["/"] = answer(b"x" * 5000, content_length="")
    page = await get(fetcher(bounds={"body_bytes": 1000}), site.url())
    assert (len(page.body), page.cut) == (1000, True)
    page = await get(fetcher(bounds={"wire_bytes": 1000}), site.url())
    assert page.cut


async def test_a_bomb_does_not_go_off(site: Site) -> None:
    """A small body that unpacks to a large one is unpacked only as far as may be read."""
    site.pages["/"] = answer(packed(b"\0" * 50_000_000), content_encoding="gzip")
    page = await get(fetcher(bounds={"body_bytes": 1_000_000}), site.url())
    assert (len(page.body), page.cut) == (1_000_000, True)


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "zstd", "x"])
async def test_other_packings_are_refused(site: Site, encoding: str) -> None:
    """A body is unpacked once at most, and only by what was asked for."""
    site.pages["/"] = answer(packed(b"x", 2), content_encoding=encoding)
    with pytest.raises(ToolFailed, match="packed in a way that was not asked for"):
        await get(fetcher(), site.url())


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (answer(b"no gzip", content_encoding="gzip"), "does not speak HTTP as it should"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "does not speak HTTP as it should"),
        (b"HTTP/1.1 200 OK\r\n" + b"a: " + b"x" * 200_000 + b"\r\n\r\n", "does not speak HTTP as it should"),
    ],
)
async def test_nonsense_is_told(site: Site, raw: bytes, problem: str) -> None:
    """What is no HTTP is a failure in words."""
    site.pages["/"] = raw
    with pytest.raises(ToolFailed, match=problem):
        await get(fetcher(), site.url())


async def test_what_may_come_back_is_tried_again(site: Site) -> None:
    """A server that breaks off, or is not there, is unavailable; a name that nobody has is a failure."""
    site.pages["/"] = answer("half", content_length="100")
    with pytest.raises((ToolUnavailable, ToolFailed), match=r"site\.test"):
        await get(fetcher(), site.url())
    with pytest.raises(ToolUnavailable, match=r"site\.test cannot be reached"):
        await get(fetcher(), "http://site.test:1/")
    with pytest.raises(ToolFailed, match=r"there is no host nobody\.test: check the name"):
        await get(fetcher(), "http://nobody.test/")


async def test_the_next_address_is_tried(site: Site) -> None:
    """Where a name has several public addresses, one that does not answer does not stand in the way."""
    site.pages["/"] = answer("there")
    made = fetcher(names=Names(site_test=["127.0.0.1 127.0.0.1"]))
    assert (await get(made, site.url())).body == b"there"


async def test_head_asks_for_no_body(site: Site) -> None:
    """HEAD gives the status, the type and the size."""
    site.pages["/"] = answer(b"", content_type="video/mp4", content_length="123456")
    page = await get(fetcher(), site.url(), "HEAD")
    assert (page.status, page.content_type, page.size, page.body) == (200, "video/mp4", 123456, b"")
    assert site.requests[0].startswith("HEAD / ")
