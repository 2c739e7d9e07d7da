"""Look a card up by what somebody typed: our own index first, then Shopify's search."""

from collections.abc import Sequence
from dataclasses import dataclass

from giftcards.clients.shopify import Shopify
from giftcards.domain.codes import Code, fingerprint, look_alikes
from giftcards.store.cards import Cards


@dataclass(frozen=True, slots=True)
class Found:
    """The card a code belongs to: its Shopify id, and its last four as Shopify tells them."""

    card_id: str
    last4: str


@dataclass(frozen=True, kw_only=True)
class LookUp:
    """Finds cards by their codes. `peppers` are the index's keys, the current one first."""

    shopify: Shopify
    cards: Cards
    peppers: Sequence[bytes]

    def find(self, code: Code) -> Found | None:
        """The card of the code as typed, else of the one look-alike that exists.

        Two look-alikes that both exist are two people's cards: neither is taken.
        """
        found = self._find(code)
        if found is not None:
            return found
        others = [card for other in look_alikes(code) if (card := self._find(other)) is not None]
        return others[0] if len(others) == 1 else None

    def remember(self, code: Code, *, card_id: str) -> None:
        """Enter a code into the index, so that stores find the card before the search does."""
        self.cards.remember(fingerprint(code, self.peppers[0]), card_id=card_id)

    def _find(self, code: Code) -> Found | None:
        card_id = self.cards.find(fingerprint(code, pepper) for pepper in self.peppers)
        if card_id is not None:
            return Found(card_id=card_id, last4=code.last4)
        card = self.shopify.find_card(code)
        if card is None:
            return None
        self.remember(code, card_id=card.id)
        return Found(card_id=card.id, last4=card.last4)


def codes_to_try(code: Code) -> list[Code]:
    """The code as typed and its look-alikes: all that a look-up tries, each one a miss in vain."""
    return [code, *look_alikes(code)]
