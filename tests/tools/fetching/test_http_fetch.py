"""`http_fetch` as a model has it: pages in words."""

from pathlib import Path

import pytest

from bootstrap import lay_out_tools
from llm.messages import JsonObject
from settings import InvalidSettings, Settings
from tests.tools.conftest import Bench, MakeBench
from tests.tools.fetching.site import Site, answer, fetcher
from tools.fetching.domains import Domains
from tools.fetching.fetcher import Fetcher
from tools.fetching.markup import text_of_html
from tools.fetching.reading import is_text, text_of
from tools.fetching.tool import http_fetch_tool
from tools.toolbox import Failed, Succeeded

PAGE = """\
<!doctype html><html><head><title>News &amp; more</title><style>p { color: red }</style></head><body>
<script>if (1 < 2) document.write("<p>no</p>")</script><!-- nor this <p> -->
<h1>Today</h1><p>It   rains in <a href='/b?x=1&amp;y=2'>Bremen</a>,<br>as <a href="javascript:x()">ever</a>.</p>
<ul><li>one<li>two</ul><table><tr><td>a</td><td>b</td></tr></table><pre>  kept
   so</pre>3 < 4 &euro; &#x41; &#99999999999999;</body></html>"""
READ = """\
News & more

# Today

It rains in [Bremen](https://e.test/b?x=1&y=2),
as ever.

- one
- two

| a | b

  kept
   so

3 < 4 € A \N{REPLACEMENT CHARACTER}"""


@pytest.fixture
def bench(bench_of: MakeBench) -> Bench:
    """A bench with the tool, and this machine for the Internet."""
    return bench_of(http_fetch_tool(fetcher()))


async def fetched(bench: Bench, **arguments: object) -> str:
    """What the model reads."""
    result = await bench.run("http_fetch", **arguments)
    assert isinstance(result, Succeeded), result
    return str(result.result[0]["text"])


def test_html_is_read() -> None:
    """Headings, lists, tables and links stay; marks, scripts, styles and comments go."""
    assert text_of_html(PAGE, "https://e.test/a") == READ


@pytest.mark.parametrize(
    "page",
    [
        "<!--" * 250_000,
        "<a " * 300_000,
        "<![" * 300_000,
        "<" * 500_000,
        "</a " * 250_000,
        "<script>" * 100_000,
        "<svg>" * 100_000 + "</math>" * 100_000,
        "<a " + "href= " * 150_000 + ">",
        "&#" + "9" * 1_000_000,
        "&" * 1_000_000,
        "<li>" * 200_000,
        "<script>" + "</s" * 300_000,
    ],
    ids=lambda page: page[:9],
)
@pytest.mark.timeout(60)
def test_a_page_made_to_be_slow_is_not(page: str) -> None:
    """A million characters that take other parsers minutes, or break them, are read as any."""
    assert len(text_of_html(page, "https://e.test/")) <= len(page)


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        (b"gr\xc3\xbcn", "text/plain; charset=utf-8", "grün"),
        (b"gr\xc3\xbcn", "text/plain", "grün"),
        (b"gr\xc3\xbcn, gr\xc3", "text/plain", "grün, gr\N{REPLACEMENT CHARACTER}"),
        (b"gr\xfcn", "text/plain", "grün"),
        (b"gr\xfcn \x80", 'text/plain; charset="ISO-8859-1"', "grün €"),
        ("grün".encode("utf-16"), "text/plain", "grün"),
        (b"\xef\xbb\xbfgr\xc3\xbcn", "text/plain; charset=latin-1", "grün"),
        ("<meta charset=shift_jis>日本".encode("shift_jis"), "text/html", "日本"),
        ('<?xml version="1.0" encoding="utf-8"?><a>ü</a>'.encode(), "image/svg+xml", None),
        (b"gr\xc3\xbcn", "text/plain; charset=rot13", "grün"),
        (b"gr\xc3\xbcn", "text/plain; charset=punycode", "grün"),
        (b"gr\xc3\xbcn", "text/plain; charset=iso-8859-99", "grün"),
        (b'{"a": 1}', "application/problem+json", '{"a": 1}'),
        (b"<html><p>a", "", "a"),
        (b"\x7fELF\0\0", "text/plain", None),
    ],
)
def test_charsets(body: bytes, content_type: str, text: str | None) -> None:
    """By the mark, the header, the document, or what it looks like; never by a codec that is no charset."""
    if content_type == "image/svg+xml":
        text = body.decode()
    assert is_text(content_type)
    assert text_of(body, content_type, "https://e.test/") == text


async def test_the_model_reads_status_type_and_text(bench: Bench, site: Site) -> None:
    """One line says what came and from where; a page that is missing is told with its words."""
    site.pages |= {"/": answer(PAGE, content_type="text/html"), "/gone": answer("never was", "404 Not Found")}
    said = await fetched(bench, url=site.url())
    assert said.startswith(f"200 OK, text/html, from {site.url()}\n\nNews & more")
    assert await fetched(bench, url=site.url("/gone")) == (
        f"404 Not Found, text/plain; charset=utf-8, from {site.url('/gone')}\n\nnever was"
    )


@pytest.mark.parametrize("content_type", ["application/pdf", "image/png", "application/octet-stream", "x"])
async def test_what_is_no_text_is_named(bench: Bench, site: Site, content_type: str) -> None:
    """Its type and size are told, and not a byte of it is read."""
    site.pages["/"] = answer(b"%PDF" * 10, content_type=content_type)
    said = await fetched(bench, url=site.url())
    assert said == f"200 OK, {content_type}, from {site.url()}\n\n(not text, 40 bytes: it is not shown)"


async def test_a_long_text_is_read_in_parts(bench: Bench, site: Site) -> None:
    """The end of a part says where to go on."""
    site.pages["/"] = answer("a" * 40_000 + "b" * 10)
    assert "[characters 0 to 40,000 of 40,010 are shown; go on with start=40000]" in await fetched(
        bench, url=site.url()
    )
    assert (await fetched(bench, url=site.url(), start=40_000)).endswith("\n\nbbbbbbbbbb")
    assert "only 40,010 characters" in await fetched(bench, url=site.url(), start=50_000)


@pytest.mark.parametrize(
    ("status", "header", "retry"),
    [("503 Service Unavailable", "7", True), ("429 Too Many Requests", "", True), ("429 T", "86400", False)],
)
async def test_a_busy_server_is_asked_later(bench: Bench, site: Site, status: str, header: str, retry: bool) -> None:
    """Where a server asks to come again soon the call is tried again; where that is far away, the model is told."""
    site.pages["/"] = answer("busy", status, retry_after=header)
    result = await bench.run("http_fetch", url=site.url())
    if retry:
        assert isinstance(result, Failed)
        assert (result.retry, result.retry_after) == (True, int(header) if header else None)
    else:
        assert isinstance(result, Succeeded)


async def test_progress_is_told(bench: Bench, site: Site) -> None:
    """Each hop beats."""
    site.pages["/"] = answer("there")
    await fetched(bench, url=site.url())
    assert bench.heard == ["asking site.test"]


async def test_refusals_are_words(bench_of: MakeBench) -> None:
    """The model reads why nothing is fetched, and no traceback."""
    bench = bench_of(http_fetch_tool(Fetcher(Domains(["*"]))))
    cases: JsonObject = {
        "http://localhost/": "localhost leads to a loopback address: only the public Internet can be fetched from",
        "http://localhost:22/": "localhost:22 may not be fetched from; what may be: *",
    }
    for url, problem in cases.items():
        result = await bench.run("http_fetch", url=url)
        assert result == Failed("error", problem)


def test_it_is_there_where_an_operator_says_from_where(workspace: Path) -> None:
    """Without a list there is no such tool; with one there is, and a call reads well."""
    without = lay_out_tools(Settings(workspace=workspace))
    assert "http_fetch" not in [terms.name for terms in without.terms(None)]
    bench = lay_out_tools(Settings(workspace=workspace, fetch_domains=("*.example.com",)))
    assert "http_fetch" in [terms.name for terms in bench.terms(None)]
    assert bench.title("http_fetch", {"url": "http://a.example.com/"}) == "GET http://a.example.com/"


def test_a_wrong_list_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker does not start with a list that cannot be meant."""
    monkeypatch.setenv("PERDURE_FETCH_DOMAINS", "example.com, http://example.com")
    with pytest.raises(InvalidSettings, match=r"PERDURE_FETCH_DOMAINS .*expected hosts separated by commas"):
        Settings.load()


def test_the_manifest_names_the_domains() -> None:
    """What the worker may fetch from stands in the terms that sessions record."""
    capabilities = http_fetch_tool(Fetcher(Domains(["*.example.com"]))).terms.capabilities
    assert capabilities is not None
    assert capabilities.domains == ("*.example.com",)
