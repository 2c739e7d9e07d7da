"""Writes the parts of docs/redeem.md that the code itself can tell.

python -m tests.documents.redeem        what `make docs` runs
"""

from datetime import timedelta

from giftcards.domain.outcomes import Outcome
from tests.documents.accidents import ACCIDENTS, Experience, live_through
from tests.documents.document import Document, show
from tests.documents.examples import EXAMPLES, OTHER_MAILS


def outcomes() -> str:
    """Every outcome: when, what then, and its mail."""
    return "\n\n".join(show(f"`{outcome}`", EXAMPLES[outcome]) for outcome in Outcome)


def other_mails() -> str:
    """The mails that are no outcome."""
    return "\n\n".join(show(name, example) for name, example in OTHER_MAILS.items())


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


def _show_mails(experience: Experience) -> str:
    if not experience.mails:
        return "nothing"
    return "<br>".join(
        f"{_show_time(seconds)} {subject}" for seconds, _, subject in experience.mails
    )


def _show_time(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))


DOCUMENT = Document(
    "redeem.md", {"outcomes": outcomes, "other mails": other_mails, "accidents": accidents}
)

if __name__ == "__main__":
    DOCUMENT.write()
