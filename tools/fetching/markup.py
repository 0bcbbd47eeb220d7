"""HTML as text that reads well: headings, lists, links; no scripts, no styles. One pass, in linear time.

Python's own parser takes minutes for some pages that are made for it, and a library in C would be one more thing to
trust with a stranger's bytes. What is needed here is little: nothing is rendered, and a page that is broken is only
read a little worse.
"""

import html
import re
from urllib.parse import urljoin, urlsplit

_SILENT = frozenset(
    {"script", "style", "noscript", "template", "svg", "math", "iframe", "object", "select", "textarea"}
)
_RAW = frozenset({"script", "style", "iframe", "textarea"})
"""Within these, nothing but their own end is a mark."""
_BLOCKS = frozenset(
    {
        *("address", "article", "aside", "blockquote", "body", "caption", "dd", "details", "div", "dl", "dt", "figure"),
        *("footer", "form", "header", "hr", "html", "main", "nav", "ol", "p", "pre", "section", "summary", "table"),
        *("title", "tr", "ul"),
    }
)
_BEGINS = {"li": "\n- ", "br": "\n", "td": " | ", "th": " | ", **{f"h{n}": f"\n\n{'#' * n} " for n in range(1, 7)}}
_ENDS = {**dict.fromkeys(("li", "td", "th"), ""), **{f"h{n}": "\n\n" for n in range(1, 7)}}
_TAG = re.compile(r"(/?)([a-zA-Z][a-zA-Z0-9:-]{0,30})")
_HREF = re.compile(r"\bhref\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))", re.IGNORECASE)
_HUGE = re.compile(r"&#[0-9]{9,};?")
_LONGEST_TAG = 20_000
_LONGEST_LINK = 500


def text_of_html(page: str, url: str) -> str:
    """The text of a page that was found at `url`: links are whole, entities are characters."""
    return _Reader(page, url).text()


class _Reader:
    """A place in a page, and what was read of it."""

    def __init__(self, page: str, url: str) -> None:
        self._page = page
        self._lower = page.lower() if len(page.lower()) == len(page) else page
        self._url = url
        self._at = 0
        self._out: list[str] = []
        self._silent = ""
        """The element in which nothing is said."""
        self._depth = 0
        """How often that is open."""
        self._preformatted = 0
        self._links: list[str] = []

    def text(self) -> str:
        """Everything there is to read."""
        while self._at < len(self._page):
            begin = self._page.find("<", self._at)
            self._say(self._page[self._at : begin if begin >= 0 else len(self._page)])
            if begin < 0:
                break
            self._at = begin
            self._read_mark()
        return _tidy("".join(self._out))

    def _read_mark(self) -> None:
        """What begins with `<`: a comment, a tag, or just the character."""
        if self._page.startswith("<!--", self._at):
            self._skip("-->", 4)
        elif self._page.startswith(("<!", "<?"), self._at):
            self._skip(">", 2)
        elif (tag := _TAG.match(self._page, self._at + 1)) is not None:
            self._read_tag(tag[2].lower(), closing=bool(tag[1]), inside=tag.end())
        else:
            self._say("<")
            self._at += 1

    def _skip(self, end: str, ahead: int) -> None:
        found = self._page.find(end, self._at + ahead)
        self._at = found + len(end) if found >= 0 else len(self._page)

    def _read_tag(self, name: str, *, closing: bool, inside: int) -> None:
        end = self._page.find(">", inside)
        end = end if end >= 0 else len(self._page)
        attributes = self._page[inside : min(end, inside + _LONGEST_TAG)]
        self._at = end + 1
        if closing:
            self._close(name)
        else:
            self._open(name, attributes)

    def _open(self, name: str, attributes: str) -> None:
        if name in _SILENT:
            if name in _RAW:
                self._skip_raw(name)
            elif not attributes.endswith("/") and self._silent in ("", name):
                self._silent, self._depth = name, self._depth + 1
            return
        self._preformatted += name == "pre"
        self._put(_BEGINS.get(name, "\n\n" if name in _BLOCKS else ""))
        if name == "a":
            self._links.append(self._link(attributes))
            self._put("[" if self._links[-1] else "")

    def _close(self, name: str) -> None:
        if name in _SILENT:
            self._depth -= name == self._silent
            self._silent = self._silent if self._depth else ""
            return
        self._preformatted -= name == "pre" and self._preformatted > 0
        if name == "a" and self._links:
            link = self._links.pop()
            self._put(f"]({link})" if link else "")
        self._put(_ENDS.get(name, "\n\n" if name in _BLOCKS else ""))

    def _skip_raw(self, name: str) -> None:
        found = self._lower.find(f"</{name}", self._at)
        self._at = found if found >= 0 else len(self._page)
        if found >= 0:
            self._skip(">", 0)

    def _link(self, attributes: str) -> str:
        """Where a link leads, whole; nothing where it leads nowhere one could go."""
        found = _HREF.search(attributes)
        href = _unescaped(next((group for group in found.groups() if group is not None), "") if found else "")
        try:
            link = urljoin(self._url, href.strip())
            leads = href and not href.startswith("#") and urlsplit(link).scheme in ("http", "https")
        except ValueError:
            return ""
        return link if leads and len(link) <= _LONGEST_LINK and link.isprintable() and " " not in link else ""

    def _say(self, text: str) -> None:
        said = _unescaped(text)
        self._put(said if self._preformatted else re.sub(r"\s+", " ", said))

    def _put(self, text: str) -> None:
        if text and not self._silent:
            self._out.append(text)


def _unescaped(text: str) -> str:
    # A number that no character has, and that Python would refuse to read.
    return html.unescape(_HUGE.sub("\N{REPLACEMENT CHARACTER}", text))


def _tidy(text: str) -> str:
    """Without white space at the ends of lines, and with one empty line where there were more."""
    lines = [line.rstrip() if line.startswith("  ") else line.strip() for line in text.splitlines()]
    kept: list[str] = []
    for line in lines:
        if line or (kept and kept[-1]):
            kept.append(line)
    return "\n".join(kept).strip()
