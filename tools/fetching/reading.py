"""A body as text, whatever its server says of it; what is no text is named and not given."""

import codecs
import re

from tools.fetching.markup import text_of_html

_TEXTS = re.compile(
    r"text/.*|application/(json|xml|javascript|ecmascript|x-javascript|yaml|x-yaml|toml|sql|graphql|x-ndjson|"
    r"xhtml\+xml|x-www-form-urlencoded)|[\w.-]+/[\w.-]+\+(json|xml|yaml)"
)
_HTML = ("text/html", "application/xhtml+xml")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w:.-]{1,40})", re.IGNORECASE | re.ASCII)
_KNOWN = re.compile(
    r"utf-?8|utf-?16(-?[lb]e)?|(us-)?ascii|iso-?8859-?\d{1,2}|latin-?\d|(windows|cp)-?125\d|koi8-[ru]|"
    r"shift[-_]jis|sjis|euc-(jp|kr)|iso-2022-jp|gb2312|gbk|gb18030|big5(-hkscs)?|macintosh|mac-roman|cp866|ibm866"
)
"""Python knows codecs that are no charsets, and some that take quadratic time."""
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_WESTERN = ("ascii", "us-ascii", "iso-8859-1", "iso8859-1", "latin-1", "latin1")
"""What is labelled so is in fact written in Windows' superset of it."""
_HEAD = 1024


def is_text(content_type: str) -> bool:
    """Whether a body of this content type is for reading; one without a type may be."""
    kind = _kind(content_type)
    return not kind or _TEXTS.fullmatch(kind) is not None


def text_of(body: bytes, content_type: str, url: str) -> str | None:
    """The body in words, HTML without its marks; None where it is no text after all."""
    kind = _kind(content_type)
    text = _decoded(body, content_type)
    if text is None:
        return None
    if kind in _HTML or (not kind and text[:_HEAD].lstrip().lower().startswith(("<!doctype html", "<html"))):
        return text_of_html(text, url)
    return text


def _kind(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _decoded(body: bytes, content_type: str) -> str | None:
    charset = _charset(body, content_type)
    if b"\0" in body and not charset.startswith("utf-16"):
        return None
    try:
        return body.decode(charset, errors="replace")
    except LookupError:
        return body.decode(errors="replace")


def _charset(body: bytes, content_type: str) -> str:
    """By its mark, then the header, then what the document says of itself; UTF-8 else, or Western where it is none."""
    for mark, charset in _MARKS:
        if body.startswith(mark):
            return charset
    for said in (content_type, body[:_HEAD].decode("latin-1")):
        found = _CHARSET.search(said)
        if found and _KNOWN.fullmatch(label := found[1].lower()):
            return "cp1252" if label in _WESTERN else label
    return "utf-8" if _is_utf8(body) else "cp1252"


def _is_utf8(body: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(body)  # one that was cut within a character is UTF-8 still
    except UnicodeDecodeError:
        return False
    return True
