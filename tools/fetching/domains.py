"""From where pages may be fetched: a list of hosts, with `*.` for all below one and `*` for every public one."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_PATTERN = re.compile(r"(?P<host>\*|(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(?::(?P<port>\*|\d{1,5}))?")
_USUAL = {"http": 80, "https": 443}


class InvalidDomain(ValueError):
    """A domain list holds something that names no hosts."""


@dataclass(frozen=True, slots=True)
class _Rule:
    host: str
    port: str | None

    def covers(self, scheme: str, host: str, port: int) -> bool:
        fits = port == _USUAL.get(scheme) if self.port is None else self.port in ("*", str(port))
        return fits and (self.host in ("*", host) or (self.host.startswith("*.") and host.endswith(self.host[1:])))


class Domains:
    """A list of hosts: `example.com`, `*.example.com` (all below it, not itself), `*`; each with `:8443` or `:*`.

    Without a port, http is allowed on 80 and https on 443.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self.patterns = tuple(patterns)
        self._rules = [_rule(pattern) for pattern in self.patterns]

    def allow(self, scheme: str, host: str, port: int | None) -> bool:
        """Whether the list names this place; the host in lower case, and in ASCII as it is looked up."""
        return any(rule.covers(scheme, host, port or _USUAL[scheme]) for rule in self._rules)

    def __str__(self) -> str:
        return ", ".join(self.patterns) or "none"


def _rule(pattern: str) -> _Rule:
    found = _PATTERN.fullmatch(_ascii(pattern.strip().lower()))
    if found is None or int((found["port"] or "0").replace("*", "0")) > 65535:
        raise InvalidDomain(f"{pattern!r} names no hosts: write example.com, *.example.com, example.com:8443 or *")
    return _Rule(found["host"].strip("[]"), found["port"])


def _ascii(pattern: str) -> str:
    if pattern.isascii():
        return pattern
    from httpx2 import URL, InvalidURL  # noqa: PLC0415 - settings are read without it where all is ASCII

    star = "*." if pattern.startswith("*.") else ""
    host, colon, port = pattern.removeprefix(star).partition(":")
    try:
        return f"{star}{URL(f'http://{host}/').raw_host.decode()}{colon}{port}"
    except InvalidURL:
        return ""
