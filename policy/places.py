"""Folders and hosts: what text leads to, whichever of its many spellings was chosen. Nothing is looked up."""

import posixpath
import re
from urllib.parse import urlsplit

from policy.patterns import Globs
from policy.truth import Truth

_PLAIN_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[!-\[\]-~]+")
"""Printable ASCII without spaces and backslashes: about everything else, programs disagree where the host ends."""


class Folder:
    """A folder, by its path."""

    def __init__(self, path: str) -> None:
        normal = posixpath.normpath(path)
        self._absolute = normal.startswith("/")
        self._path = normal.lstrip("/")

    def has(self, path: str) -> Truth:
        """Whether a path leads into the folder or is it, `..` taken into account.

        None where one is absolute and the other is not, or where `..` leads up out of sight: only the tool knows
        then. Links are not followed.
        """
        path = _normal(path)
        if "\0" in path or path.startswith("/") != self._absolute:
            return None
        path = path.lstrip("/")
        if path == ".." or path.startswith("../"):
            return None
        return self._path in (".", "", path) or path.startswith(f"{self._path}/")


def _normal(path: str) -> str:
    """The path without detours. Most have none, which is told in a tenth of the time."""
    plain = path and path[0] != "." and path[-1] != "/" and "//" not in path and "/." not in path
    return path if plain else posixpath.normpath(path)


def host_of(url: str) -> str | None:
    """The host a URL leads to, in lower case; None where there is none or where it cannot be told for certain."""
    if not _PLAIN_URL.fullmatch(url):
        return None
    try:
        host = urlsplit(url).hostname
    except ValueError:
        return None
    return host.rstrip(".") if host and "%" not in host else None


def has_host(url: str, hosts: Globs) -> Truth:
    """Whether the URL's host is one of these."""
    return hosts.match(host_of(url))
