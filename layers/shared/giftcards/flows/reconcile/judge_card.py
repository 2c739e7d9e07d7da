"""Gather all that is known of a card, and judge it: what Shopify shows, and what our books say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from giftcards.clients.shopify import Shopify
from giftcards.domain.cards import Card, Movement
from giftcards.domain.comparing import Books, Told, compare_card, unexplained_part
from giftcards.domain.drift import Difference
from giftcards.domain.money import Money
from giftcards.domain.orders import number_of
from giftcards.domain.outcomes import Outcome
from giftcards.flows.kinds import ADJUSTED, GIVEN_BACK, SPEND, late_key
from giftcards.flows.look_at_cards import is_under_way, may_be_ours
from giftcards.flows.whose import OF_OURS, whose
from giftcards.store.cards import Cards
from giftcards.store.journal import Journal, Operation
from giftcards.store.ledger import Ledger, Ledgers

# How the keys begin of what orders did.
OF_ORDERS = (f"{SPEND}#", f"{GIVEN_BACK}#")


@dataclass(frozen=True, kw_only=True)
class JudgeCard:
    """Judges one card at a time; `shopify` leaves points for those who must not wait."""

    shopify: Shopify
    journal: Journal
    cards: Cards
    ledgers: Ledgers
    live_from: datetime
    accept_historical: bool

    def is_ours(self, card: Card) -> bool:
        """Whether stores take the card: others are none of our business."""
        return self.accept_historical or card.created_at >= self.live_from

    def is_explained(self, card: Card, ledger: Ledger) -> bool:
        """Whether the ledger explains the balance, as far as that can be told without movements."""
        return unexplained_part(self._books(card, ledger)) is None

    def judge(self, card: Card, ledger: Ledger) -> list[Difference]:
        """What is wrong with a card: its movements are read for that."""
        movements = self.shopify.movements(card.id, since=self.live_from)
        loaded = self._operations(card.id, ledger, movements)
        named = whose(loaded.values(), ledger=ledger, journal=self.journal)
        told, untold = self._entered(card, ledger)
        return compare_card(
            self._books(
                card,
                ledger,
                movements=movements,
                operations=_tell(named.own, loaded, ledger),
                foreign=named.foreign,
                told=told,
                untold=untold,
            )
        )

    def _books(
        self,
        card: Card,
        ledger: Ledger,
        *,
        movements: Sequence[Movement] = (),
        operations: Mapping[str, Told] | None = None,
        foreign: frozenset[str] = frozenset(),
        told: frozenset[str] = frozenset(),
        untold: Sequence[Money] = (),
    ) -> Books:
        look = ledger.look
        began_with = None if look is None else look.base
        if card.created_at >= self.live_from:
            began_with = card.initial_value
        return Books(
            card_id=card.id,
            balance=card.balance,
            began_with=began_with,
            lines=ledger.lines,
            reserved=ledger.reserved,
            movements=movements,
            operations=operations or {},
            foreign=foreign,
            told=told,
            untold=untold,
            of_orders=OF_ORDERS,
            of_ours=OF_OURS,
        )

    def _operations(
        self, card_id: str, ledger: Ledger, movements: Sequence[Movement]
    ) -> dict[str, Operation]:
        """The operations that movements or lines name, what was late of them, and what is asked."""
        named = {one.note for one in movements if one.note and may_be_ours(one.note)}
        named |= {key for key in ledger.lines if key.startswith(OF_OURS)}
        late = {late_key(key) for key in named}
        recent = self.cards.recent_operations(card_id)
        return self.journal.load_many({*named, *late, *recent})

    def _entered(self, card: Card, ledger: Ledger) -> tuple[frozenset[str], list[Money]]:
        """The movements that were told of when a change was entered; and what was entered without.

        Where the latter was, Shopify did not tell which movements it was.
        """
        prefix = f"{ADJUSTED}#{number_of(card.id)}#"
        lines = {key: line for key, line in ledger.lines.items() if key.startswith(prefix)}
        told: set[str] = set()
        untold = []
        for key, operation in self.journal.load_many(lines).items():
            movements = operation.snapshot["movements"]
            told.update(movements)
            if not movements:
                untold.append(lines[key])
        return frozenset(told), untold


def _tell(
    own: Mapping[str, Operation], loaded: Mapping[str, Operation], ledger: Ledger
) -> dict[str, Told]:
    """What a card's own operations tell a comparison, each with what was late of it."""
    told = {}
    for key, operation in own.items():
        late = loaded.get(late_key(key))
        lines = [ledger.lines[one] for one in (key, late_key(key)) if one in ledger.lines]
        result = operation.result
        told[key] = Told(
            entered=sum(lines[1:], lines[0]) if lines else None,
            is_open=is_under_way(operation, ledger)
            or (late is not None and is_under_way(late, ledger)),
            is_older=result is not None
            and result.outcome == Outcome.REDEEMED
            and result.moved is None,
        )
    return told
