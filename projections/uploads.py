"""A file that a person hands in: whether it is taken, and how the model reads it.

What a file is, is read in the file and not believed of its name. Text, pictures and PDF are shown to the model; of
anything else in the workspace it learns where it is.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from eventlog.inquiries import MOST_BYTES
from llm.messages import Block, JsonObject, text_block

MOST_BYTES_OF_TEXT = 256 * 1024
"""More of it would crowd out the conversation."""
MOST_BYTES_SENT = 1024 * 1024
"""What fits into one request through Temporal, as base64."""
UNREADABLE = "application/octet-stream"

_MAGIC = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"%PDF-": "application/pdf",
}
_TEXTS = {".csv": "text/csv", ".html": "text/html", ".json": "application/json", ".md": "text/markdown"}


class RefusedFile(ValueError):
    """The file cannot be taken; the message says why, for the person who handed it in."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it was handed in."""

    name: str
    data: bytes
    path: str | None = None
    """Where it stands in the workspace, if it does."""

    @property
    def media_type(self) -> str:
        """What it is, by what is in it."""
        for magic, media_type in _MAGIC.items():
            if self.data.startswith(magic):
                return media_type
        if self.data[:4] == b"RIFF" and self.data[8:12] == b"WEBP":
            return "image/webp"
        return _TEXTS.get(_suffix(self.name), "text/plain") if _is_text(self.data) else UNREADABLE

    @property
    def told(self) -> JsonObject:
        """What the log keeps of it beside its content."""
        digest = hashlib.sha256(self.data).hexdigest()
        about = {"name": self.name, "media_type": self.media_type, "bytes": len(self.data), "sha256": digest}
        return about if self.path is None else {**about, "path": self.path}


def check_upload(upload: Upload, accept: Sequence[str], most_bytes: int | None) -> None:
    """Raise `RefusedFile` that says what is expected, where this file is not."""
    most, kind = min(most_bytes or MOST_BYTES, MOST_BYTES), upload.media_type
    if len(upload.data) > most:
        raise RefusedFile(f"{upload.name} has {len(upload.data):,} bytes; {most:,} at most are taken")
    if accept and not any(_fits(pattern, upload.name, kind) for pattern in accept):
        raise RefusedFile(f"{upload.name} is {kind}; expected: {', '.join(accept)}")
    if upload.path is None and (problem := _unshowable(upload)):
        raise RefusedFile(f"{problem}: put it into the workspace and answer with its path, so that tools can read it")


def shown(upload: Upload) -> tuple[Block, ...]:
    """The file as the model reads it; nothing where only tools can."""
    if _unshowable(upload):
        return ()
    kind = upload.media_type
    if kind.startswith("image/"):
        return ({"type": "image", "source": _source(upload, kind)},)
    if kind == "application/pdf":
        return ({"type": "document", "source": _source(upload, kind), "title": upload.name},)
    return (text_block(upload.data.decode()),) if upload.data.strip() else ()


def _unshowable(upload: Upload) -> str | None:
    kind = upload.media_type
    if kind == UNREADABLE:
        return f"{upload.name} is neither text nor a picture (PNG, JPEG, GIF, WebP) nor PDF"
    if kind.startswith(("text/", "application/json")) and len(upload.data) > MOST_BYTES_OF_TEXT:
        return f"{upload.name} is a text of more than {MOST_BYTES_OF_TEXT:,} bytes"
    return None


def _source(upload: Upload, kind: str) -> JsonObject:
    return {"type": "base64", "media_type": kind, "data": base64.b64encode(upload.data).decode()}


def _fits(pattern: str, name: str, kind: str) -> bool:
    if pattern.startswith("."):
        return _suffix(name) == pattern.lower()
    return fnmatchcase(kind, pattern.lower())


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _is_text(data: bytes) -> bool:
    try:
        return "\0" not in data.decode()
    except UnicodeDecodeError:
        return False
