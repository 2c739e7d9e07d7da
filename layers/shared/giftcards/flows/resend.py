"""Send a card again: the office ticks `Resend` on the card, with a better address if it knows one.

A tick stands until `write_airtable` has taken it away, and lists are read before that. So each
resend has a number, the card's item counts those whose tick is gone, and a tick counts as a new one
only if it was seen after that count: the list is read once more behind it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from aws_lambda_powertools import Logger

from giftcards.clients.airtable import Airtable, ResendRow
from giftcards.domain.addresses import is_one_address
from giftcards.errors import NeedsAPerson
from giftcards.flows.follow_up import FollowUp
from giftcards.flows.sale import NOT_DELIVERED, RESEND
from giftcards.receipts import Action, Receipt, ReceiptOutcome
from giftcards.store.cards import About, Cards
from giftcards.store.journal import Journal, Result, RowWrite, State
from giftcards.store.queues import Queues

# So many are begun in one run, which is the run that serves redemptions: about a second of work.
RESENDS_A_RUN = 20

# When the sweep looks after a resend whose worker died.
LOOK_AGAIN_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Resend:
    """Takes the office's ticks; the mails go out by `deliver_to_customer`."""

    airtable: Airtable
    journal: Journal
    cards: Cards
    queues: Queues
    follow_up: FollowUp
    logger: Logger
    clock: Callable[[], datetime]
    office_email: str

    def run(self) -> None:
        """Have each ticked card sent again, once for each tick."""
        ticks = {tick.card_id: tick for tick in self.airtable.cards_to_resend()}
        if not ticks:
            return
        known = self.cards.about(ticks)
        numbers = {card_id: 1 + done for card_id, done in self.cards.resends(ticks).items()}
        keys = {card_id: f"{RESEND}#{card_id}#{number}" for card_id, number in numbers.items()}
        begun = self.journal.load_many(keys.values())
        fresh = [card_id for card_id, key in keys.items() if key not in begun]
        if not fresh:
            return
        # Behind the counts: a tick that stands now is none that was served and taken away.
        ticks = {tick.card_id: tick for tick in self.airtable.cards_to_resend()}
        for card_id in fresh[:RESENDS_A_RUN]:
            tick = ticks.get(card_id)
            if tick is not None:
                self._take(keys[card_id], tick, known.get(card_id), number=numbers[card_id])

    def _take(self, key: str, tick: ResendRow, about: About | None, *, number: int) -> None:
        if about is None:
            self._refuse(
                key, tick, number, "only Shopify knows this card's code: send it from there"
            )
            return
        address = (tick.to or "").strip() or about.owner_email
        if not is_one_address(address):
            self._refuse(key, tick, number, "Resend To is not one mail address")
            return
        issued = self.journal.load(about.operation)
        if issued is None:
            raise NeedsAPerson(f"{about.operation} is not in the journal, and its card is there")
        now = self.clock()
        self.journal.claim(
            key,
            kind=RESEND,
            snapshot={
                "sale": issued.snapshot["sale"],
                "issue": about.operation,
                "card": tick.card_id,
                "record": tick.id,
                "name": about.owner,
                "email": address,
                "before": about.owner_email,
                "resend": number,
            },
            now=now,
            due_at=now + timedelta(seconds=LOOK_AGAIN_SECONDS),
        )
        self.queues.deliver(key)

    def _refuse(self, key: str, tick: ResendRow, number: int, reason: str) -> None:
        """Nothing can be sent: the tick goes, and the office reads why."""
        now = self.clock()
        result = Result(
            outcome=NOT_DELIVERED,
            decided_at=now,
            reason=f"A card was not sent again: {reason}",
            receipts=(
                Receipt(
                    id=f"{key}#1",
                    at=now,
                    action=Action.DELIVER_AGAIN,
                    actor="the office",
                    card=None,
                    amount=None,
                    balance_after=None,
                    outcome=ReceiptOutcome.FAILED,
                    operation=key,
                    details=f"{NOT_DELIVERED}: {reason}",
                ),
            ),
            row=RowWrite(table="Gift Cards", record_id=tick.id, cells={"Resend": False}),
            mail_to=self.office_email,
        )
        operation = self.journal.record(
            key,
            kind=RESEND,
            snapshot={"card": tick.card_id, "record": tick.id, "resend": number},
            result=result,
            due_at=now + timedelta(seconds=LOOK_AGAIN_SECONDS),
        )
        if operation.state is State.COMMITTED:
            self.follow_up.hand_over(operation)
