"""Servers on this machine that fetches are made from."""

import ssl
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.tools.fetching.site import Site, open_site


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """A server that speaks HTTP."""
    async with open_site() as opened:
        yield opened


@dataclass(frozen=True)
class Certified:
    """A certificate for site.test, and who trusts it."""

    server: ssl.SSLContext
    trusting: ssl.SSLContext


@pytest.fixture(scope="session")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Certified:
    """A fresh certificate that its own holder has signed."""
    folder = tmp_path_factory.mktemp("certificate")
    key, certificate = folder / "key", folder / "certificate"
    name = ["-subj", "/CN=site.test", "-addext", "subjectAltName=DNS:site.test"]
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run([*make, "-keyout", key, "-out", certificate, *name], check=True, capture_output=True)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    return Certified(server, ssl.create_default_context(cafile=_path(certificate)))


def _path(file: Path) -> str:
    return str(file)


@pytest.fixture
async def secure_site(certified: Certified) -> AsyncIterator[Site]:
    """A server that speaks HTTPS."""
    async with open_site(certified.server) as opened:
        yield opened
