"""How the tests read a mail, and what is typed by people who mean harm."""

import re
from html.parser import HTMLParser

from hypothesis import strategies as st

from giftcards.mails import Mail

HARMLESS_ELEMENTS = {
    "html", "head", "meta", "title", "style", "body", "table", "tr", "td", "h1", "h2", "p", "br"
}  # fmt: skip

HARMFUL = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "</td></table><h1>Paid</h1>",
    "{{ 7 * 7 }}{% raw %}",
    "<a href='http://example.com'>win</a>",
    "<!-- x",
    "</title></style>",
    "&lt;b&gt;",
]

LINE_ENDS = ["\r\n", "\n", "\r", "\u2028", "\u2029", "\x85", "\v", "\x00", "\x1b"]

# Of codes that nobody told us of, those with letters and digits are known by their shape.
mixed_codes = st.text("abcdefghijkmnpqrstuvwxyz0123456789", min_size=8, max_size=20).filter(
    lambda code: re.search(r"\d", code) and re.search(r"[a-z]", code)
)


class Seen(HTMLParser):
    """What a reader sees of an HTML mail, and every tag and attribute in it."""

    NEVER_CLOSED = frozenset({"meta", "br"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in self.NEVER_CLOSED:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, "elements are closed in the order of their nesting"

    def handle_data(self, data: str) -> None:
        if data.strip() and self.open[-1] not in {"style", "title"}:
            self.texts.append(data.strip())


def lines_of(mail: Mail) -> list[str]:
    """The lines of the plain-text part without its layout."""
    return [line.removeprefix("- ") for line in mail.text.splitlines() if line not in {"", "--"}]


def windows(code: str) -> set[str]:
    """Every five characters of a code that stand side by side."""
    return {code[at : at + 5] for at in range(len(code) - 4)}


def squeezed(mail: Mail) -> str:
    """All that a mail says, in small letters and without the dashes between groups."""
    return f"{mail.subject} {mail.text} {mail.html}".lower().replace("-", "")
