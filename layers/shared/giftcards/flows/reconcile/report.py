"""Write down what a run found: a table for people and one for their spreadsheet, and a receipt.

All of it follows from what the steps before have written, so that a second time writes the same.
"""

import csv
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from functools import cache
from io import StringIO
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from giftcards.domain.cards import ShopFacts
from giftcards.domain.drift import UNEXPLAINED_MONEY
from giftcards.domain.money import Money
from giftcards.flows.follow_up import FollowUp
from giftcards.flows.kinds import RECONCILE, reconcile_key
from giftcards.flows.reconcile.phase import Ending, Run, Step
from giftcards.flows.reconcile.putting_right import ACTOR, LOOK_AGAIN_SECONDS
from giftcards.receipts import Action, Receipt, ReceiptOutcome
from giftcards.store.bucket import Bucket
from giftcards.store.journal import Journal, Result, State
from giftcards.store.pieces import Done, Kind, Pieces

COLUMNS = ("Difference", "What", "Card", "Should be", "Is", "What it is", "What was done")

# A spreadsheet takes what begins so for a formula, or drops it and then sees one (OWASP, "CSV
# Injection"; ASVS 5.0, 1.2.10). The last four are the first four in full width, for an Excel that
# was set up for Japanese.
BEGINNINGS_OF_FORMULAS = (*"=+-@\t\r\n\0", *"\uff1d\uff0b\uff0d\uff20")

# How a run ended.
COMPARED = "COMPARED"
GIVEN_UP = "GIVEN_UP"

# Whose count is the number of cards in the summary.
CARDS = "cards"

# What the parts are called that look at differences and not at the books.
COUNTED_ELSEWHERE = frozenset({"second look", "putting right", "report"})

WORDS = {
    Ending.PUT_RIGHT.name: "Put right",
    Ending.LEFT.name: "Left to a person",
    Ending.LATER.name: "Not yet",
    Ending.KNOWN.name: "Known",
}


@dataclass(frozen=True, slots=True)
class Line:
    """A difference as people read it."""

    drift: str
    subject: str
    card: str
    expected: str
    found: str
    details: str
    done: str
    is_money: bool

    @classmethod
    def of(cls, done: Done) -> "Line":
        """The line about it."""
        one = done.difference
        return cls(
            drift=str(one.drift),
            subject=one.subject,
            card=one.card_id or "",
            expected=_money(one.expected),
            found=_money(one.found),
            details=one.details,
            done=f"{WORDS[done.ending]}: {done.words}",
            is_money=one.drift in UNEXPLAINED_MONEY and done.ending != Ending.KNOWN.name,
        )


@dataclass(frozen=True, kw_only=True)
class Report:
    """Writes the report and the receipt of a run."""

    bucket: Bucket
    journal: Journal
    follow_up: FollowUp
    facts: Callable[[], ShopFacts]
    clock: Callable[[], datetime]

    name = "report"

    def step(self, run: Run, cursor: str | None) -> Step:
        """Write all of it."""
        del cursor
        pieces = Pieces(self.bucket, run=run.id)
        every = [one for place in pieces.places(Kind.DONE) for one in pieces.done(place)]
        done = list({_what(one): one for one in reversed(every)}.values())[::-1]
        notes = dict.fromkeys(
            note for place in pieces.places(Kind.NOTES) for note in pieces.notes(place)
        )
        zone = ZoneInfo(self.facts().time_zone)
        began_at = run.began_at.astimezone(zone)
        summary = summarize(run, done, at=f"{began_at:%H:%M}")
        name = f"reports/{began_at:%Y-%m-%d}/{run.id}"
        lines = [Line.of(one) for one in done]
        page = (
            _templates()
            .get_template("report.html")
            .render(
                summary=summary,
                began_at=f"{began_at:%Y-%m-%d %H:%M}",
                time_zone=zone.key,
                run=run.id,
                counts=_counts(run),
                notes=list(notes),
                columns=COLUMNS,
                lines=lines,
            )
        )
        self.bucket.put(f"{name}.csv", as_csv(lines).encode("utf-8-sig"), content_type="text/csv")
        self.bucket.put(f"{name}.html", page.encode(), content_type="text/html; charset=utf-8")
        self._enter(run, done, summary=summary, report=f"{name}.html")
        return Step(next=None, looked_at=len(done))

    def _enter(self, run: Run, done: Sequence[Done], *, summary: str, report: str) -> None:
        """Leave the receipt of the run."""
        now = self.clock()
        key = reconcile_key(run.id)
        is_failed = bool(run.trouble or run.unread) or any(map(_is_trouble, done))
        receipt = Receipt(
            id=f"{key}#1",
            at=now,
            action=Action.RECONCILE,
            actor=ACTOR,
            card=None,
            amount=None,
            balance_after=None,
            outcome=ReceiptOutcome.FAILED if is_failed else ReceiptOutcome.DONE,
            operation=key,
            details=f"{summary}. The report: {report}",
        )
        entered = self.journal.record(
            key,
            kind=RECONCILE,
            snapshot={
                "run": run.id,
                "summary": summary,
                "report": report,
                "is_failed": is_failed,
                "differences": sum(map(_is_new, done)),
            },
            result=Result(
                outcome=COMPARED if run.trouble is None else GIVEN_UP,
                decided_at=now,
                reason=summary,
                receipts=(receipt,),
            ),
            due_at=now + timedelta(seconds=LOOK_AGAIN_SECONDS),
        )
        if entered.state is State.COMMITTED:
            self.follow_up.hand_over(entered)


def summarize(run: Run, done: Sequence[Done], *, at: str) -> str:
    """The one line for eyes; `at` is when the run began, on the shop's clock."""
    if run.trouble is not None:
        return f"Given up at {at}: {run.trouble}"
    fresh = [one for one in done if _is_new(one)]
    kinds = Counter(str(one.difference.drift) for one in fresh)
    cards = run.looked_at.get(CARDS, 0)
    summary = f"{len(fresh):,} drift over {cards:,} cards at {at}"
    if kinds:
        summary += ": " + ", ".join(f"{count:,} {kind}" for kind, count in sorted(kinds.items()))
    left = sum(one.ending != Ending.PUT_RIGHT.name for one in fresh)
    if left:
        summary += f"; {left:,} not put right"
    if run.unread:
        summary += f"; {run.unread:,} could not be compared"
    if run.changed:
        changes = "change of a balance" if run.changed == 1 else "changes of balances"
        summary += f"; {run.changed:,} {changes} at Shopify"
    known = len(done) - len(fresh)
    return summary + (f"; {known:,} known from before" if known else "")


def as_csv(lines: Sequence[Line]) -> str:
    """The lines for a spreadsheet, in which nothing is a formula."""
    text = StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for line in lines:
        writer.writerow([_safe(str(cell)) for cell in astuple(line)[: len(COLUMNS)]])
    return text.getvalue()


def _safe(cell: str) -> str:
    return f"'{cell}" if cell.startswith(BEGINNINGS_OF_FORMULAS) else cell


def _what(done: Done) -> tuple[object, ...]:
    """What a difference is about: two phases may have found it, each in its own words."""
    one = done.difference
    return one.drift, one.subject, one.card_id, one.expected, one.found


def _is_new(done: Done) -> bool:
    return done.ending != Ending.KNOWN.name


def _is_trouble(done: Done) -> bool:
    """Whether it fails the run: it is about money, or it was not put right."""
    return _is_new(done) and (
        done.difference.drift in UNEXPLAINED_MONEY or done.ending != Ending.PUT_RIGHT.name
    )


def _counts(run: Run) -> list[tuple[str, str]]:
    """What was looked at, by part."""
    return [
        (part.capitalize(), f"{count:,}")
        for part, count in run.looked_at.items()
        if part not in COUNTED_ELSEWHERE
    ]


def _money(amount: Money | None) -> str:
    return "" if amount is None else str(amount)


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("giftcards.flows.reconcile"),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
