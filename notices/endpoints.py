"""Where notices are sent to: a file that names each endpoint, its secrets and what it wants to be told of.

`endpoints` is a list, each with its `name`, its `url`, the names of its `secrets`, and, where it does not want all of
it, the `kinds` and `tenants` that it is to be told of. `remind` says how long before a question expires it is told once
more. An example stands in docs/approvals.md.
"""

import re
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from notices.kinds import chosen
from policy.approval import Seconds
from policy.mistakes import Reader
from policy.patterns import Globs
from policy.words import Patterns, Words, listed
from tools.capabilities import SECRET_NAME

MOST_SECRETS = 5
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")
_RESERVED = frozenset({"content-type", "content-length", "host", "connection", "transfer-encoding", "user-agent"})


def _endpoint_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("a name has 1 to 64 letters, digits, _, . and -, beginning with a letter or digit")
    return name


def _secret_name(name: str) -> str:
    if not SECRET_NAME.fullmatch(name):
        raise ValueError("this must be the name of a secret, as in APPROVALS_HOOK, and never the secret itself")
    return name


def _address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("this is no https:// address")
    if parts.username or parts.password:
        raise ValueError("an address holds no user and no password: use headers, or sign with the secret")
    _ = parts.port  # ValueError where it is none
    return url


def _kinds(patterns: tuple[str, ...]) -> tuple[str, ...]:
    for pattern in patterns:
        if not chosen((pattern,)):
            raise ValueError(f"no kind of notice is called {pattern!r}: there are {', '.join(sorted(chosen(())))}")
    return patterns


def _header_names(given: Mapping[str, str]) -> Mapping[str, str]:
    for name in given:
        if not _HEADER.fullmatch(name) or name.lower() in _RESERVED or name.lower().startswith("webhook-"):
            raise ValueError(f"the header {name!r} cannot be set")
    return given


SecretName = Annotated[str, AfterValidator(_secret_name)]
SecretNames = Annotated[tuple[SecretName, ...], BeforeValidator(listed), Field(min_length=1, max_length=MOST_SECRETS)]


class Endpoint(Words):
    """One place that notices are sent to."""

    name: Annotated[str, AfterValidator(_endpoint_name)]
    url: Annotated[str, AfterValidator(_address)] | None = None
    url_secret: SecretName | None = None
    """The name of the secret that is the address, where the address itself is a secret."""
    secrets: SecretNames
    """Names of the secrets that sign; several while one is exchanged for another."""
    kinds: Annotated[Patterns, AfterValidator(_kinds)] | None = None
    """Patterns; not said: all."""
    tenants: Patterns | None = None
    """Patterns; not said: all."""
    content: bool = True
    """Whether arguments, reasons, comments and answers go along; without, no more is told than Temporal knows."""
    tokens: bool = True
    """Whether the token that answers a question goes along, where the question has one."""
    headers: Annotated[Mapping[str, SecretName], AfterValidator(_header_names)] = Field(default_factory=dict)
    """Headers of your own, each with the name of the secret that is its value."""
    insecure: bool = False
    """Whether http:// may be spoken to another machine: everybody on the way can then read what is sent."""
    timeout: Annotated[Seconds, Field(le=120)] = 15.0
    """How long one attempt may take."""
    attempts: int = Field(default=10, ge=1, le=30)
    """How often a notice is sent before it is a dead letter."""

    @model_validator(mode="after")
    def _one_address(self) -> "Endpoint":
        if (self.url is None) == (self.url_secret is None):
            raise ValueError("an endpoint has either url, or url_secret: the name of the secret that holds it")
        if self.url is not None:
            require_privacy(self.url, insecure=self.insecure)
        return self

    def wants(self, kind: str, tenant: str) -> bool:
        """Whether it is to be told of this."""
        return kind in chosen(self.kinds or ()) and (self.tenants is None or bool(Globs(self.tenants).match(tenant)))


class WebhooksFile(Words):
    """The whole file."""

    description: str = ""
    remind: Seconds = 3600.0
    """How long before a question expires it is told once more; at the earliest after three quarters of its time."""
    endpoints: Annotated[tuple[Endpoint, ...], BeforeValidator(listed)] = ()

    @model_validator(mode="after")
    def _names_differ(self) -> "WebhooksFile":
        names = [endpoint.name for endpoint in self.endpoints]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two endpoints are called {twice[0]!r}")
        return self


PARTS: dict[str, type[Words]] = {"endpoints": Endpoint}


def read_webhooks(file: Path) -> WebhooksFile:
    """What the file says; raises `policy.mistakes.InvalidFile` with everything that is wrong with it, by line."""
    said, _ = Reader(WebhooksFile, PARTS).read(file, WebhooksFile)
    return said


def require_privacy(url: str, *, insecure: bool) -> None:
    """Raise `ValueError` where what is sent to this address could be read on the way, and nobody has agreed to that."""
    parts = urlsplit(_address(url))
    if parts.scheme == "http" and not insecure and not _is_here(parts.hostname or ""):
        raise ValueError("http:// can be read by everybody on the way: use https://, or say insecure: true")


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def host_of(url: str) -> str:
    """The part of an address that may be shown: its path may be a secret."""
    parts: Any = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
