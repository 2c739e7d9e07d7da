"""The rows of `Gift Cards` in Airtable, against what Shopify says of each card."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from giftcards.clients.airtable import Airtable, BaseRow
from giftcards.clients.shopify import Shopify
from giftcards.domain.cards import Card
from giftcards.domain.drift import Difference, Drift
from giftcards.domain.money import Money, MoneyError
from giftcards.flows.reconcile.phase import Ending, Remedy, Run, Step, card_number
from giftcards.flows.write_airtable import GIFT_CARDS, NAMED_BY
from giftcards.store.cards import Cards
from giftcards.store.queues import Queues

# What the office typed there itself is no card's id; Shopify would refuse all that are asked for
# together with it.
CARD_ID = re.compile(r"gid://shopify/GiftCard/[0-9]{1,18}")

BALANCE = "Balance"
NAME = NAMED_BY[GIFT_CARDS]


@dataclass(frozen=True, kw_only=True)
class RowsOfCards:
    """Compares the rows of cards, a page at a time; remembers the cards that have one."""

    airtable: Airtable
    shopify: Shopify
    cards: Cards
    queues: Queues

    name = "rows of cards"

    def step(self, run: Run, cursor: str | None) -> Step:
        """Compare a page of rows. The cards are read after it: a balance only grows newer."""
        page = self.airtable.page(GIFT_CARDS, (NAME, BALANCE), offset=cursor)
        rows = [row for row in page.rows if CARD_ID.fullmatch(row.text(NAME))]
        ids = [row.text(NAME) for row in rows]
        read = self.shopify.read_cards(ids)
        before = run.seen(self.name)
        twice = {one for one in ids if ids.count(one) > 1 or card_number(one) in before}
        found = [difference for row in rows for difference in _compare_row(row, read)]
        found += self._duplicates(sorted(twice))
        return Step(
            next=page.next,
            looked_at=len(page.rows),
            found=tuple(dict.fromkeys(found)),
            seen=tuple(map(card_number, ids)),
        )

    def judge_again(self, run: Run, differences: Sequence[Difference]) -> list[Difference]:
        """Read the rows and the cards anew."""
        del run
        ids = list(dict.fromkeys(difference.subject for difference in differences))
        rows = self.airtable.rows_named(GIFT_CARDS, NAME, ids, fields=(BALANCE,))
        read = self.shopify.read_cards(ids)
        found = [
            difference
            for some in rows.values()
            for row in some
            for difference in _compare_row(row, read)
        ]
        return found + self._duplicates(ids)

    def put_right(self, difference: Difference) -> Remedy:
        """Have a row written anew; only people can tell which of two rows is to stay."""
        match difference.drift:
            case Drift.STALE_BALANCE:
                return write_again(difference.subject, cards=self.cards, queues=self.queues)
            case Drift.DUPLICATE_ROWS:
                words = "delete the row that nothing links to, then dismiss this"
            case _:
                words = "nobody knows what became of the card: look for it in Shopify's admin"
        return Remedy(Ending.LEFT, words)

    def _duplicates(self, ids: Sequence[str]) -> list[Difference]:
        """Those of these cards that have more rows than one."""
        if not ids:
            return []
        rows = self.airtable.find_rows(GIFT_CARDS, NAME, ids)
        return [
            Difference(
                drift=Drift.DUPLICATE_ROWS,
                subject=card_id,
                card_id=card_id,
                expected=None,
                found=None,
                details=f"Airtable shows the card in {len(some)} rows: {', '.join(sorted(some))}.",
            )
            for card_id, some in rows.items()
            if len(some) > 1
        ]


def write_again(card_id: str, *, cards: Cards, queues: Queues) -> Remedy:
    """Have Airtable show a card as it is now."""
    cards.note_move(card_id)
    queues.write_cards(card_id)
    return Remedy(Ending.PUT_RIGHT, "its row is written anew")


def _compare_row(row: BaseRow, read: Mapping[str, Card]) -> list[Difference]:
    """What is wrong with one row."""
    card_id = row.text(NAME)
    card = read.get(card_id)
    if card is None:
        drift, details = Drift.CARD_GONE, "Airtable shows a card that Shopify does not know."
        return [
            Difference(
                drift=drift,
                subject=card_id,
                card_id=card_id,
                expected=None,
                found=None,
                details=details,
            )
        ]
    shown = _shown(row.number(BALANCE), card)
    if shown == card.balance:
        return []
    return [
        Difference(
            drift=Drift.STALE_BALANCE,
            subject=card_id,
            card_id=card_id,
            expected=card.balance,
            found=shown,
            details="Airtable shows another balance than Shopify.",
        )
    ]


def _shown(number: Decimal | None, card: Card) -> Money | None:
    """The balance a row shows; `None` where that is none."""
    if number is None:
        return None
    try:
        return Money.parse(number, card.balance.currency)
    except MoneyError:
        return None
