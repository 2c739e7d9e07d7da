"""The rows of `Gift Cards` in Airtable, against what Shopify says of each card.

Of a card with several rows only the one counts that is written to (`named_rows`). A copy reads as
the card was when it was made, and nobody writes to it: that it is there is the difference.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from giftcards.clients.airtable import Airtable, BaseRow
from giftcards.clients.shopify import Shopify
from giftcards.domain.cards import Card
from giftcards.domain.drift import Difference, Drift
from giftcards.domain.money import Money, MoneyError
from giftcards.flows.reconcile.named_rows import Named, NamedRows
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
    rows: NamedRows

    name = "rows of cards"

    def step(self, run: Run, cursor: str | None) -> Step:
        """Compare a page of rows. The cards are read after it: a balance only grows newer."""
        page = self.airtable.page(GIFT_CARDS, (NAME, BALANCE), offset=cursor)
        rows = [row for row in page.rows if CARD_ID.fullmatch(row.text(NAME))]
        ids = [row.text(NAME) for row in rows]
        read = self.shopify.read_cards(ids)
        before = run.seen(self.name)
        twice = {one for one in ids if ids.count(one) > 1 or card_number(one) in before}
        found = [told for row in rows if (told := _compare_row(row, read)) is not None]
        found += _duplicates(self.rows.read(GIFT_CARDS, sorted(twice), fields=()))
        return Step(
            next=page.next,
            looked_at=len(page.rows),
            found=tuple(dict.fromkeys(found)),
            seen=tuple(map(card_number, ids)),
        )

    def judge_again(self, run: Run, differences: Sequence[Difference]) -> list[Difference]:
        """Read the rows and the cards anew; what only a copy says is none."""
        del run
        ids = list(dict.fromkeys(difference.subject for difference in differences))
        named = self.rows.read(GIFT_CARDS, ids, fields=(BALANCE,))
        read = self.shopify.read_cards(ids)
        kept = [some.kept for some in named.values() if some.kept is not None]
        compared = [_compare_row(row, read) for row in kept]
        return [one for one in compared if one is not None] + _duplicates(named)

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


def write_again(card_id: str, *, cards: Cards, queues: Queues) -> Remedy:
    """Have Airtable show a card as it is now."""
    cards.note_move(card_id)
    queues.write_cards(card_id)
    return Remedy(Ending.PUT_RIGHT, "its row is written anew")


def _duplicates(named: Mapping[str, Named]) -> list[Difference]:
    """Those of these cards that have more rows than one."""
    return [
        Difference(
            drift=Drift.DUPLICATE_ROWS,
            subject=card_id,
            card_id=card_id,
            expected=None,
            found=None,
            details=f"Airtable shows the card in {len(some)} rows: {', '.join(sorted(some))}.",
        )
        for card_id, rows in named.items()
        if len(some := rows.ids()) > 1
    ]


def _compare_row(row: BaseRow, read: Mapping[str, Card]) -> Difference | None:
    """What is wrong with one row, if anything is."""
    card_id = row.text(NAME)
    card = read.get(card_id)
    if card is None:
        details = "Airtable shows a card that Shopify does not know."
        return Difference(Drift.CARD_GONE, card_id, card_id, None, None, details)
    shown = _shown(row.number(BALANCE), card)
    if shown == card.balance:
        return None
    return Difference(
        drift=Drift.STALE_BALANCE,
        subject=card_id,
        card_id=card_id,
        expected=card.balance,
        found=shown,
        details="Airtable shows another balance than Shopify.",
    )


def _shown(number: Decimal | None, card: Card) -> Money | None:
    """The balance a row shows; `None` where that is none."""
    if number is None:
        return None
    try:
        return Money.parse(number, card.balance.currency)
    except MoneyError:
        return None
