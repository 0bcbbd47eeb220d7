"""The SDK's clients, built from plain arguments: Claude itself or a server that speaks its protocol, Vertex, Bedrock.

Nothing is built and no extra is imported before it is asked for. Retries belong to Temporal, spans to our own
telemetry: both are off in the SDK.
"""

from importlib.util import find_spec
from ipaddress import ip_address
from urllib.parse import urlsplit

import anthropic
import httpx2

from llm.errors import ModelRefusesRequest

CONNECT_TIMEOUT = 10.0
GAP_TIMEOUT = 120.0
"""Seconds of silence after which a reply is given up; the provider sends a ping far more often."""

_NO_KEY = "none"
"""The SDK insists on a key, also for a server that wants none."""

AnthropicClient = anthropic.AsyncAnthropic | anthropic.AsyncAnthropicVertex | anthropic.AsyncAnthropicBedrock


def timeouts(gap: float = GAP_TIMEOUT, connect: float = CONNECT_TIMEOUT) -> httpx2.Timeout:
    """Long replies are fine, long silences are not."""
    return httpx2.Timeout(gap, connect=connect)


def anthropic_client(
    *, api_key: str | None, base_url: str | None = None, gap_timeout: float = GAP_TIMEOUT
) -> anthropic.AsyncAnthropic:
    """A client of the Claude API, or of the server at `base_url` that speaks its protocol and may need no key."""
    key = (api_key or "").strip() or (_NO_KEY if base_url else "")
    if not key:
        raise ModelRefusesRequest("configuration", "the Claude API needs a key: set ANTHROPIC_API_KEY")
    return anthropic.AsyncAnthropic(
        api_key=key,
        base_url=base_url,
        timeout=timeouts(gap_timeout),
        max_retries=0,
        open_telemetry=False,
        # The API takes either header; many other servers know only the older one.
        default_headers={"X-Api-Key": key} if base_url else None,
        http_client=_direct(base_url, gap_timeout) if base_url else None,
    )


def vertex_client(
    *,
    project: str,
    region: str,
    access_token: str | None = None,
    base_url: str | None = None,
    gap_timeout: float = GAP_TIMEOUT,
) -> anthropic.AsyncAnthropicVertex:
    """A client of Claude on Google Cloud; without a token, Google's default credentials are used."""
    if access_token is None:
        _need("google.auth", extra="vertex", service="Claude on Google Cloud")
    return anthropic.AsyncAnthropicVertex(
        project_id=project,
        region=region,
        access_token=access_token,
        base_url=base_url,
        timeout=timeouts(gap_timeout),
        max_retries=0,
        open_telemetry=False,
        http_client=_direct(base_url, gap_timeout) if base_url else None,
    )


def bedrock_client(
    *,
    region: str,
    api_key: str | None = None,
    profile: str | None = None,
    base_url: str | None = None,
    gap_timeout: float = GAP_TIMEOUT,
) -> anthropic.AsyncAnthropicBedrock:
    """A client of Claude on Amazon Bedrock; without a key, AWS's usual chain of credentials is used."""
    _need("botocore", extra="bedrock", service="Claude on Amazon Bedrock")
    return anthropic.AsyncAnthropicBedrock(
        aws_region=region,
        api_key=api_key,
        aws_profile=profile,
        base_url=base_url,
        timeout=timeouts(gap_timeout),
        max_retries=0,
        open_telemetry=False,
        http_client=_direct(base_url, gap_timeout) if base_url else None,
    )


def _need(module: str, *, extra: str, service: str) -> None:
    try:
        found = find_spec(module) is not None
    except ModuleNotFoundError:
        found = False
    if not found:
        raise ModelRefusesRequest(
            "missing_extra", f"{service} needs a package that is not installed: pip install 'perdure[{extra}]'"
        )


def _direct(base_url: str, gap_timeout: float) -> httpx2.AsyncClient | None:
    """A transport that goes past the environment's proxy to a server on this machine; None for any other server."""
    host = urlsplit(base_url).hostname or ""
    if not _is_here(host):
        return None
    pattern = f"all://[{host}]" if ":" in host else f"all://{host}"
    return anthropic.DefaultAsyncHttpxClient(timeout=timeouts(gap_timeout), mounts={pattern: None})


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
