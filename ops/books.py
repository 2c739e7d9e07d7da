"""What comparing the books has come to, and asking for it: `ops reconcile` and `ops status`.

The function that compares takes up a wish at its next timer, so a command only leaves one and, if
it was told to wait, looks how far it has got.
"""

from collections.abc import Callable, Iterator
from typing import Final

from giftcards.store.runs import LastRun, RunState
from giftcards.wiring import Application

LOOK_EVERY_SECONDS: Final = 5

# The largest shop's comparison (docs/reconcile.md) is over in two hours; whoever waits is told to
# look later after six.
MOST_LOOKS: Final = 6 * 3600 // LOOK_EVERY_SECONDS


def describe_books(app: Application) -> Iterator[str]:
    """How the last comparison ended, where its report lies, and how far one under way has got."""
    standing = app.runs.standing()
    if standing.last is None:
        yield "Books: never compared yet"
    else:
        yield from _describe_last(standing.last, bucket=app.config.bucket)
    if standing.under_way is not None:
        yield f"  {_describe_run(standing.under_way)}"
    elif standing.is_wished:
        yield "  one is asked for, and begins within minutes"


def ask(app: Application, *, reads_all: bool) -> int:
    """Ask for a comparison; returns the wish's number. `reads_all`: every card's movements."""
    return app.runs.wish(reads_all=reads_all)


def wait_for(app: Application, wish: int, *, say: Callable[[str], None]) -> LastRun | None:
    """Wait until that wish is granted, and say how far it is; `None` where it takes too long."""
    told = ""
    for _ in range(MOST_LOOKS):
        standing = app.runs.standing()
        if standing.last is not None and standing.last.granted >= wish:
            return standing.last
        if standing.under_way is not None and standing.under_way.phase != told:
            told = standing.under_way.phase
            say(f"  {_describe_run(standing.under_way)}")
        app.sleep(LOOK_EVERY_SECONDS)
    return None


def _describe_last(last: LastRun, *, bucket: str) -> Iterator[str]:
    yield f"Books: {last.summary}"
    yield f"  compared from {last.began_at.isoformat()} to {last.ended_at.isoformat()}"
    if last.report is not None:
        yield f"  the report: s3://{bucket}/{last.report}"


def _describe_run(run: RunState) -> str:
    """Such as "under way since …: cards, 12 pages read (rows of cards 1,234)"."""
    counts = ", ".join(f"{name} {count:,}" for name, count in run.looked_at.items())
    looked_at = f"; looked at: {counts}" if counts else ""
    return (
        f"one is under way since {run.began_at.isoformat()}: {run.phase},"
        f" {run.step:,} steps of it done{looked_at}"
    )
