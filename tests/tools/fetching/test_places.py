"""What may be named: hosts of the list, spelt as hosts are."""

import pytest

from tools.errors import ToolFailed
from tools.fetching.domains import Domains, InvalidDomain
from tools.fetching.places import read_place

EVERYWHERE = Domains(["*:*"])


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("file:///etc/passwd", "only http:// and https://"),
        ("ftp://example.com/", "only http:// and https://"),
        ("gopher://example.com/", "only http:// and https://"),
        ("data:text/html,hi", "only http:// and https://"),
        ("//example.com/", "relative URL"),
        ("example.com", "relative URL"),
        ("http:/x", "no host's name"),
        ("http://", "no host's name"),
        ("http://ana:word@example.com/", "user or a password"),
        ("http://example.com@127.0.0.1/", "user or a password"),
        ("http://example.com\\@127.0.0.1/", "backslash"),
        ("http://example.com/\r\nHost: a", "control character"),
        ("http://2130706433/", "usual spelling"),
        ("http://0x7f000001/", "usual spelling"),
        ("http://0x7f.0.0.1/", "usual spelling"),
        ("http://0177.0.0.1/", "no URL"),
        ("http://127.1/", "usual spelling"),
        ("http://127.0.0.1.2/", "usual spelling"),
        ("http://127.0.0.0x1/", "usual spelling"),
        ("http://%31%32%37.0.0.1/", "host's name|usual spelling"),
        ("http://exa mple.com/", "no host's name"),
        ("http://a..b/", "no host's name"),
        ("http://-a.b/", "no host's name"),
        ("http://a.com:99999/", "no port|no URL"),
        ("http://a.com:x/", "no URL"),
        ("http://ⓛocalhost/", "no URL"),
        ("http://a/" + "x" * 4000, "characters"),
    ],
)
def test_what_is_no_plain_place_is_refused(url: str, problem: str) -> None:
    """Other schemes, credentials, odd spellings of addresses and what is no host are refused in words."""
    with pytest.raises(ToolFailed, match=problem):
        read_place(url, EVERYWHERE)


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("HTTP://Example.COM/a?b=c#d", "http://example.com/a?b=c"),
        ("https://example.com.:8443/", "https://example.com:8443/"),
        ("http://münchen.de/", "http://xn--mnchen-3ya.de/"),
        ("http://127。0。0。1/", "http://127.0.0.1/"),
        ("http://[::1]/", "http://[::1]/"),
    ],
)
def test_a_place_is_read_as_it_will_be_looked_up(url: str, read: str) -> None:
    """In lower case and ASCII, without the last dot and the fragment."""
    assert str(read_place(url, EVERYWHERE)) == read


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("example.com", ["http://example.com/", "https://EXAMPLE.com./"], ["http://www.example.com/"]),
        ("*.example.com", ["http://a.b.example.com/"], ["http://example.com/", "http://notexample.com/"]),
        ("example.com", ["http://example.com:80/"], ["http://example.com:8080/", "https://example.com:80/"]),
        ("example.com:8080", ["http://example.com:8080/"], ["http://example.com/"]),
        ("Example.com:*", ["http://example.com:1/"], ["http://example.com.evil.org:1/"]),
        ("*", ["http://anything/", "http://1.1.1.1/"], ["http://anything:22/"]),
        ("bücher.de", ["http://xn--bcher-kva.de/"], ["http://bucher.de/"]),
        ("*.bücher.de", ["http://a.bücher.de/"], ["http://bücher.de/"]),
        ("[::1]", ["http://[::1]/"], ["http://[::2]/"]),
    ],
)
def test_the_list_says_which_hosts(pattern: str, yes: list[str], no: list[str]) -> None:
    """A name is itself, `*.` is all below a name, and ports are the usual ones unless another is given."""
    domains = Domains([pattern])
    for url in yes:
        read_place(url, domains)
    for url in no:
        with pytest.raises(ToolFailed, match="may not be fetched from"):
            read_place(url, domains)


def test_no_list_is_nothing() -> None:
    """Where nothing is listed nothing may be fetched."""
    with pytest.raises(ToolFailed, match="what may be: none"):
        read_place("http://example.com/", Domains([]))


@pytest.mark.parametrize("pattern", ["", "http://a.com", "a.*.com", "*a.com", "a.com/x", "a.com:99999", "a b", "ⓛ.com"])
def test_a_wrong_pattern_is_refused(pattern: str) -> None:
    """What names no hosts is said to, with what would."""
    with pytest.raises(InvalidDomain, match=r"write example\.com"):
        Domains([pattern])
