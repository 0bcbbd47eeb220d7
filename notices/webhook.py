"""An endpoint that is told over HTTP: signed anew for each attempt, and sent once."""

import time
from collections.abc import Callable
from http import HTTPStatus

from notices.endpoints import Endpoint, require_privacy
from notices.notice import Notice
from notices.post import Answer, NoAnswer, Poster
from notices.signing import UnusableSecret, headers, key_of
from notices.target import Refused
from tools.secrets import NoSecret, Vault

TRIED_AGAIN = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
)
"""What is no fault of the request, of the statuses that say it is one."""


class Webhook:
    """See `Target`. Its secrets are read from the vault for each attempt, so that a new one needs no new worker."""

    def __init__(
        self, endpoint: Endpoint, vault: Vault, poster: Poster, clock: Callable[[], float] = time.time
    ) -> None:
        self.endpoint = endpoint
        self.name = endpoint.name
        self.attempts = endpoint.attempts
        self.timeout = endpoint.timeout
        self.content = endpoint.content
        self.tokens = endpoint.tokens
        self._vault = vault
        self._poster = poster
        self._clock = clock

    def wants(self, kind: str, tenant: str) -> bool:
        """Whether it is to be told of this."""
        return self.endpoint.wants(kind, tenant)

    def problems(self) -> tuple[str, ...]:
        """What keeps it from being told, as far as that can be known without asking it."""
        problems = []
        for read in (self._url, self._keys, self._headers):
            try:
                read()
            except (NoSecret, UnusableSecret, ValueError) as error:
                problems.append(str(error))
        return tuple(problems)

    async def tell(self, notice: Notice) -> str:
        """Send it; see `Target.tell`."""
        answer = await self.send(notice)
        if answer.taken:
            return answer.told
        raise Refused(_words(answer), for_good=_is_final(answer.status), retry_after=answer.retry_after)

    async def send(self, notice: Notice, read: int = 0) -> Answer:
        """The answer, with so many bytes of its body; raises `Refused` where there is none."""
        body = notice.body
        try:
            url, keys, own = self._url(), self._keys(), self._headers()
        except (NoSecret, UnusableSecret, ValueError) as error:
            raise Refused(str(error)) from error
        try:
            signed = {**own, **headers(notice.id, int(self._clock()), body, keys)}
            return await self._poster.post(url, signed, body, self.timeout, read)
        except NoAnswer as error:
            raise Refused(str(error)) from error

    def _url(self) -> str:
        named = self.endpoint.url_secret
        url = self._secret(named) if named else str(self.endpoint.url)
        try:
            require_privacy(url, insecure=self.endpoint.insecure)
        except ValueError as error:
            raise ValueError(f"the secret {named} cannot be the address: {error}") from None
        return url

    def _keys(self) -> tuple[bytes, ...]:
        return tuple(self._key(name) for name in self.endpoint.secrets)

    def _key(self, name: str) -> bytes:
        try:
            return key_of(self._secret(name))
        except UnusableSecret as error:
            raise UnusableSecret(f"the secret {name} cannot sign: {error}") from None

    def _headers(self) -> dict[str, str]:
        return {header: self._secret(name) for header, name in self.endpoint.headers.items()}

    def _secret(self, name: str) -> str:
        return self._vault.give(name, (name,)).strip()


def _is_final(status: int) -> bool:
    """Whether the same request would be refused for ever: a receiver that moved or knows no such place must be told."""
    return HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in TRIED_AGAIN


def _words(answer: Answer) -> str:
    moved = HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST
    return f"it answered {answer.told}" + (", and redirects are not followed" if moved else "")
