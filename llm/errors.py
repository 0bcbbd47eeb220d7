"""What can go wrong when a model is asked, split by what the caller can do about it.

ModelError
├── ModelUnavailable      transient: ask again later (429, 5xx, 529, time-outs, broken streams)
└── ModelRefusesRequest   permanent: the same request will fail again (400, 401, 403, 404, 413, …)
"""


class ModelError(Exception):
    """The model did not answer."""

    def __init__(self, kind: str, message: str, *, status: int | None = None, request_id: str | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        """A short stable word: rate_limited, overloaded, timeout, connection, invalid_request, authentication, …"""
        self.message = message
        self.status = status
        """The HTTP status, where there was one."""
        self.request_id = request_id


class ModelUnavailable(ModelError):
    """The model cannot answer now; the same request may succeed later."""

    def __init__(
        self,
        kind: str,
        message: str,
        *,
        status: int | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(kind, message, status=status, request_id=request_id)
        self.retry_after = retry_after
        """Seconds the provider asked to wait, from its `retry-after` header."""


class ModelRefusesRequest(ModelError):
    """The model will not answer this request, however often it is sent."""
