"""A document of which parts are written by the code, and the way back: what stands in them.

Between `<!-- written by make docs: NAME -->` and `<!-- end: NAME -->` stands what the real code did
in the in-process world; around it, what people wrote. A test compares the two.
"""

import os
import re
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from unittest.mock import patch

from tests.documents.examples import Example

DOCS = Path(__file__).parents[2] / "docs"

# Airtable and Shopify draw their ids at random; a document that is compared cannot.
RECORD_ID = re.compile(r"rec[0-9A-Za-z]{14}")
SHOWN_RECORD_ID = "recA1b2C3d4E5f6G7"
CARD_ID = re.compile(r"gid://shopify/GiftCard/\d+")
SHOWN_CARD_ID = "gid://shopify/GiftCard/523564253315"

# Credentials of nobody: the command may run in a shell that has real ones.
NOBODY = {
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "nobody",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@dataclass(frozen=True, slots=True)
class Document:
    """A file in docs/, and what writes each of its sections."""

    name: str
    sections: Mapping[str, Callable[[], str]]

    @property
    def text(self) -> str:
        """The whole document as it stands."""
        return (DOCS / self.name).read_text(encoding="utf-8")

    def section(self, name: str) -> str:
        """What stands between a section's markers. Raises `ValueError` where they are missing."""
        return self._cut(self.text, name)[1].strip("\n")

    def write(self) -> None:
        """Live through all the stories and write them down; may take a minute or two."""
        document = self.text
        with patch.dict(os.environ, NOBODY), redirect_stdout(StringIO()):  # the workers' logs
            for name, write in self.sections.items():
                before, _, after = self._cut(document, name)
                document = f"{before}\n\n{write()}\n\n{after}"
        (DOCS / self.name).write_text(document, encoding="utf-8")

    def _cut(self, document: str, name: str) -> tuple[str, str, str]:
        """All up to a section, with its marker; the section; all behind it, with its marker."""
        begin, end = f"<!-- written by make docs: {name} -->", f"<!-- end: {name} -->"
        before, found, rest = document.partition(begin)
        section, also_found, after = rest.partition(end)
        if not (found and also_found):
            raise ValueError(f"{self.name} has no place for {name!r}: put {begin} and {end} there")
        return before + begin, section, end + after


def show(title: str, example: Example) -> str:
    """An example as a section: when it is written, what then, and the mail itself."""
    letter = example.letter()
    text = f"To: {letter.to}\nSubject: {letter.subject}\n\n{letter.text.rstrip()}"
    text = CARD_ID.sub(SHOWN_CARD_ID, RECORD_ID.sub(SHOWN_RECORD_ID, text))
    return "\n".join(
        [
            f"### {title}",
            "",
            f"**When.** {example.when}",
            "",
            f"**And then?** {example.then}",
            "",
            "```text",
            *(line.rstrip() for line in text.splitlines()),
            "```",
        ]
    )
