"""How long stores wait for their answers while five hundred cards are being made, and without.

    python -m benchmarks.beside_a_bulk_sale

It brings the whole system up on this machine, files a redemption every second for a minute, lets
things come to rest, and does the same again while one request for five hundred cards is served. A
redemption is answered once the store's mail is out. The embedded AWS, the vendors and
the functions share this machine's processors, so the ratio says more than the seconds do.
"""

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sandbox.demo import Sandbox, running_sandbox

SECONDS = 60
CARDS = 500
ON_EACH_CARD = 500
# Altogether below what one recipient may be sold in a day without the office.
AMOUNT_OF_A_BULK_CARD = 3.0

# Looked at this often, so the waits are as exact as that.
LOOK_EVERY_SECONDS = 0.1

# Redemptions of the last seconds need a tick or two more; cards take minutes.
ANSWERED_SECONDS = 240
MADE_SECONDS = 1200


@dataclass(frozen=True)
class Waits:
    """How long rows waited for their outcome, in seconds."""

    seconds: list[float]

    def at(self, percent: int) -> float:
        """The wait that so many of a hundred did not exceed."""
        return statistics.quantiles(self.seconds, n=100, method="inclusive")[percent - 1]

    def __str__(self) -> str:
        return (
            f"{len(self.seconds)} redemptions, half within {self.at(50):.1f} s,"
            f" 95 of 100 within {self.at(95):.1f} s, the slowest {max(self.seconds):.1f} s"
        )


def answers(sandbox: Sandbox) -> dict[str, datetime]:
    """When each row's store was mailed its answer; a request to wait is none."""
    reference = "Reference: redemption#"
    return {
        line.removeprefix(reference): mail.at
        for mail in sandbox.inbox.mails()
        if not mail.subject.startswith("Please wait")
        for line in mail.text.splitlines()
        if line.startswith(reference)
    }


def redeem_for_a_minute(sandbox: Sandbox) -> Waits:
    """File a redemption every second, each on a card of its own, and see when each is answered."""
    base, stores = sandbox.base, sandbox.day.stores
    cards = [sandbox.shop.issue_card(amount=ON_EACH_CARD) for _ in range(SECONDS)]
    filed: dict[str, datetime] = {}
    waited: dict[str, float] = {}
    began = time.monotonic()
    while len(waited) < SECONDS:
        passed = time.monotonic() - began
        if passed > SECONDS + ANSWERED_SECONDS:
            raise TimeoutError(f"{SECONDS - len(waited)} redemptions were not answered")
        if len(filed) < SECONDS and passed >= len(filed):
            number = len(filed)
            cells = {
                "Store": [stores[number % len(stores)].id],
                "Employee": "Benchmark",
                "Gift Card Code": cards[number].code,
                "Amount": 1 + number / 100,
            }
            filed[base.submit_form("Redemptions", cells)["id"]] = datetime.now(UTC)
        for row_id, answered_at in answers(sandbox).items():
            if row_id in filed and row_id not in waited:
                waited[row_id] = (answered_at - filed[row_id]).total_seconds()
        time.sleep(LOOK_EVERY_SECONDS)
    return Waits(sorted(waited.values()))


def order_many_cards(sandbox: Sandbox) -> str:
    """File one request for five hundred cards; return its row."""
    row: str = sandbox.base.submit_form(
        "Creation Requests",
        {
            "Store": [sandbox.day.stores[0].id],
            "Employee": "Benchmark",
            "Amount": AMOUNT_OF_A_BULK_CARD,
            "Quantity": CARDS,
            "Recipient Name": "Five hundred guests",
            "Recipient Email": "guests@customers.example.com",
        },
    )["id"]
    return row


def wait_until(true: Callable[[], bool], *, seconds: float, what: str) -> float:
    """Wait until something holds; return how many seconds that took."""
    began = time.monotonic()
    while not true():
        if time.monotonic() - began > seconds:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(LOOK_EVERY_SECONDS)
    return time.monotonic() - began


def main() -> int:
    """Measure both minutes in one run, and print them with their ratio."""
    say = sys.stdout.write
    with running_sandbox() as sandbox:
        rows = sandbox.base.table("Redemptions")
        due = [row.id for row in sandbox.day.rows if row.expected.is_outcome]
        wait_until(
            lambda: all("Outcome" in rows.get(row)["fields"] for row in due),
            seconds=ANSWERED_SECONDS,
            what="the seeded day is over",
        )
        quiet = redeem_for_a_minute(sandbox)
        say(f"quiet:              {quiet}\n")
        sys.stdout.flush()

        began, sale = time.monotonic(), order_many_cards(sandbox)

        def made() -> int:
            notes = [card.note or "" for card in sandbox.shop.cards]
            return sum(note.startswith(f"issue#{sale}#") for note in notes)

        wait_until(lambda: made() > 0, seconds=ANSWERED_SECONDS, what="the first card is made")
        before = made()
        busy = redeem_for_a_minute(sandbox)
        during = made() - before
        say(f"beside the sale:    {busy}\n")
        say(f"cards made in it:   {during}, {made()} of {CARDS} in all\n")
        say(f"95 of 100, ratio:   {busy.at(95) / quiet.at(95):.2f}\n")
        say(f"half, ratio:        {busy.at(50) / quiet.at(50):.2f}\n")
        sys.stdout.flush()
        wait_until(lambda: made() == CARDS, seconds=MADE_SECONDS, what="all cards are made")
        say(f"all cards made after {time.monotonic() - began:.0f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
