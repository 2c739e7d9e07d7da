"""Writes the parts of docs/redeem.md that the code itself can tell.

python -m tests.documents.redeem        what `make docs` runs

Between `<!-- written by make docs: NAME -->` and `<!-- end: NAME -->` stands what the real code did
in the in-process world; around it, what people wrote. A test compares the two.
"""

import os
import re
import sys
from contextlib import redirect_stdout
from datetime import timedelta
from io import StringIO
from pathlib import Path
from unittest.mock import patch

from giftcards.domain.outcomes import Outcome
from tests.documents.accidents import ACCIDENTS, Experience, live_through
from tests.documents.examples import EXAMPLES, OTHER_MAILS, Example, Letter

DOCUMENT = Path(__file__).parents[2] / "docs" / "redeem.md"

# Airtable draws its record ids at random; a document that is compared cannot.
RECORD_ID = re.compile(r"rec[0-9A-Za-z]{14}")
SHOWN_RECORD_ID = "recA1b2C3d4E5f6G7"

# Credentials of nobody: the command may run in a shell that has real ones.
NOBODY = {
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "nobody",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def outcomes() -> str:
    """Every outcome: when, what then, and its mail."""
    return "\n\n".join(_show(f"`{outcome}`", EXAMPLES[outcome]) for outcome in Outcome)


def other_mails() -> str:
    """The mails that are no outcome."""
    return "\n\n".join(_show(name, example) for name, example in OTHER_MAILS.items())


def accidents() -> str:
    """What the store read, and when."""
    lines = [
        "| what happens | what the store read, and when | debits | the row at the end |",
        "|---|---|---|---|",
    ]
    for accident in ACCIDENTS:
        experience = live_through(accident)
        lines.append(
            f"| {accident.what} | {_show_mails(experience)} | {experience.debits}"
            f" | {f'`{experience.outcome}`' if experience.outcome else 'waits'} |"
        )
    return "\n".join(lines)


SECTIONS = {"outcomes": outcomes, "other mails": other_mails, "accidents": accidents}


def _show(title: str, example: Example) -> str:
    letter = example.letter()
    return "\n".join(
        [
            f"### {title}",
            "",
            f"**When.** {example.when}",
            "",
            f"**And then?** {example.then}",
            "",
            "```text",
            *_show_letter(letter),
            "```",
        ]
    )


def _show_letter(letter: Letter) -> list[str]:
    text = f"To: {letter.to}\nSubject: {letter.subject}\n\n{letter.text.rstrip()}"
    return [line.rstrip() for line in RECORD_ID.sub(SHOWN_RECORD_ID, text).splitlines()]


def _show_mails(experience: Experience) -> str:
    if not experience.mails:
        return "nothing"
    return "<br>".join(
        f"{_show_time(seconds)} {subject}" for seconds, _, subject in experience.mails
    )


def _show_time(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))


def section_of(document: str, name: str) -> str:
    """What stands between a section's markers. Raises `ValueError` where they are missing."""
    begin, end = _markers(name)
    _, found, rest = document.partition(begin)
    section, also_found, _ = rest.partition(end)
    if not (found and also_found):
        raise ValueError(f"{DOCUMENT.name} has no place for {name!r}: put {begin} and {end} there")
    return section.strip("\n")


def _markers(name: str) -> tuple[str, str]:
    return f"<!-- written by make docs: {name} -->", f"<!-- end: {name} -->"


def _replace(document: str, name: str, section: str) -> str:
    begin, end = _markers(name)
    section_of(document, name)
    before, _, rest = document.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n\n{section}\n\n{end}{after}"


def main() -> int:
    """Live through all the stories and write them down; takes a minute or two."""
    document = DOCUMENT.read_text(encoding="utf-8")
    with patch.dict(os.environ, NOBODY), redirect_stdout(StringIO()):  # the workers' logs
        for name, write in SECTIONS.items():
            document = _replace(document, name, write())
    DOCUMENT.write_text(document, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
