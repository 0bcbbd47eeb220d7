"""An address as a model writes it, read once: what is checked is what is connected to."""

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from httpx2 import URL, InvalidURL

from tools.errors import ToolFailed
from tools.fetching.domains import Domains

LONGEST = 4_000
"""Characters of a URL."""
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")


def read_place(text: str, domains: Domains) -> URL:
    """The URL, without its fragment; raises `ToolFailed` where it is none that may be fetched, and says why."""
    if len(text) > LONGEST:
        raise ToolFailed(f"the URL has {len(text):,} characters, and may have {LONGEST:,}")
    if "\\" in text or not text.isprintable():
        raise ToolFailed("the URL holds a backslash or a control character: leave it out")
    try:
        url = URL(text.strip()).copy_with(fragment=None)
    except InvalidURL as error:
        raise ToolFailed(f"this is no URL: {error}") from error
    return _checked(url, domains)


def _checked(url: URL, domains: Domains) -> URL:
    if url.scheme not in ("http", "https"):
        raise ToolFailed(f"only http:// and https:// can be fetched, not {url.scheme[:20] or 'a relative URL'!r}")
    if url.userinfo:
        raise ToolFailed("the URL holds a user or a password: leave them out, no credentials are sent")
    host = url.raw_host.decode("ascii").removesuffix(".")
    _check_host(host)
    if url.port is not None and not 0 < url.port < 65536:
        raise ToolFailed(f"{url.port} is no port")
    if not domains.allow(url.scheme, host, url.port):
        where = f"{host}:{url.port}" if url.port is not None else host
        raise ToolFailed(f"{where} may not be fetched from; what may be: {domains}")
    return url.copy_with(host=host)


def _check_host(host: str) -> None:
    """Names as they stand in DNS, and addresses in the usual spelling: some resolvers read `0x7f.1` as one, too."""
    if ":" in host:
        _check_address(IPv6Address, host)
    elif _NUMBER.fullmatch(host.rpartition(".")[2]):
        _check_address(IPv4Address, host)
    elif not _NAME.fullmatch(host) or len(host) > 253:
        raise ToolFailed(f"{host[:100]!r} is no host's name")


def _check_address(kind: type[IPv4Address | IPv6Address], host: str) -> None:
    try:
        kind(host)
    except AddressValueError as error:
        raise ToolFailed(f"{host[:100]!r} is no address in the usual spelling, such as 93.184.215.14") from error
