"""All cards at Shopify: has each its row, and is every cent of it explained?"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from giftcards.clients.airtable import Airtable
from giftcards.clients.shopify import Shopify
from giftcards.domain.cards import CardSight
from giftcards.domain.drift import Difference, Drift
from giftcards.domain.money import Money, MoneyError
from giftcards.errors import VendorSurprise
from giftcards.flows.kinds import late_key, owed_key
from giftcards.flows.look_at_cards import LookAtCards
from giftcards.flows.reconcile.judge_card import JudgeCard
from giftcards.flows.reconcile.phase import Ending, Remedy, Run, Step, card_number
from giftcards.flows.reconcile.rows_of_cards import NAME, write_again
from giftcards.flows.write_airtable import GIFT_CARDS
from giftcards.store.cards import Cards, MirrorState
from giftcards.store.journal import Journal
from giftcards.store.ledger import Ledger, Ledgers
from giftcards.store.queues import Queues

# A page costs a point a card, and a card whose movements are read up to 111 on top. In the worst
# case, all of them changed and have a full page of movements, that is 56 seconds at Standard's
# rate: less than a step is given.
CARDS_PER_PAGE = 50

# Our clock and Shopify's may differ, and so may what "since the last run" means.
CLOCK_MARGIN = timedelta(minutes=10)

# What an entry of the looks may take: it reads a card and its movements.
SECONDS_TO_ENTER = 60


@dataclass(frozen=True, kw_only=True)
class CardsAtShopify:
    """Compares all cards, a page at a time.

    A balance is compared each time; movements are read of the cards that changed since the last
    complete run began, and of those whose balance is unexplained.
    """

    airtable: Airtable
    shopify: Shopify
    judge_card: JudgeCard
    journal: Journal
    cards: Cards
    ledgers: Ledgers
    looks: LookAtCards
    queues: Queues

    name = "cards"

    def step(self, run: Run, cursor: str | None) -> Step:
        """Compare a page of cards."""
        page = self.shopify.all_cards(count=CARDS_PER_PAGE, after=cursor)
        ids = [sight.card.id for sight in page.cards]
        ledgers = self.ledgers.of(ids)
        mirrors = {state.card_id: state for state in self.cards.mirror_states(ids)}
        with_row = run.seen("rows of cards")
        found: list[Difference] = []
        unread: list[str] = []
        for sight in page.cards:
            card = sight.card
            if _should_have_a_row(mirrors.get(card.id)) and card_number(card.id) not in with_row:
                found.append(_row_missing(card.id))
            ledger = ledgers.get(card.id) or Ledger(card.id)
            if self.judge_card.is_ours(card) and self._is_to_be_judged(run, sight, ledger):
                try:
                    found += self.judge_card.judge(card, ledger)
                except (VendorSurprise, MoneyError) as error:  # the other cards go on
                    unread.append(f"{card.id} could not be compared: {error}")
        return Step(
            next=page.end_cursor,
            looked_at=len(page.cards),
            found=tuple(found),
            seen=tuple(map(card_number, ids)),
            unread=tuple(unread),
        )

    def judge_again(self, run: Run, differences: Sequence[Difference]) -> list[Difference]:
        """Read the cards anew, and then what is known of them; and look for missing rows."""
        del run
        ids = list(dict.fromkeys(str(difference.card_id) for difference in differences))
        missing = [one.subject for one in differences if one.drift is Drift.MISSING_ROW]
        rows = self.airtable.find_rows(GIFT_CARDS, NAME, missing) if missing else {}
        found = [_row_missing(card_id) for card_id, some in rows.items() if not some]
        judged = {str(one.card_id) for one in differences if one.drift is not Drift.MISSING_ROW}
        read = self.shopify.read_cards([card_id for card_id in ids if card_id in judged])
        ledgers = self.ledgers.of(read)
        for card in read.values():
            try:
                found += self.judge_card.judge(card, ledgers.get(card.id) or Ledger(card.id))
            except (VendorSurprise, MoneyError):  # what was found of it stands
                found += [one for one in differences if one.card_id == card.id]
        return found

    def put_right(self, difference: Difference) -> Remedy:
        """Write a row anew, enter what nobody explains, have a person put right what was late."""
        card_id = str(difference.card_id)
        match difference.drift:
            case Drift.MISSING_ROW:
                return write_again(card_id, cards=self.cards, queues=self.queues)
            case Drift.UNEXPLAINED_MOVEMENT if difference.subject == card_id:
                return self._enter(card_id, difference.found)
            case Drift.UNEXPLAINED_MOVEMENT:
                words = "ask whoever may change balances at Shopify what it was"
            case Drift.LATE_DEBIT | Drift.DUPLICATE_DEBIT:
                return self._owe(difference)
            case Drift.OPERATION_WITHOUT_DEBIT:
                words = "look at the card in Shopify's admin: did it move?"
            case _:
                words = "find out who wrote it: no operation of ours did"
        return Remedy(Ending.LEFT, words)

    def _enter(self, card_id: str, unexplained: Money | None) -> Remedy:
        deadline = self.looks.clock() + timedelta(seconds=SECONDS_TO_ENTER)
        is_entered = unexplained is not None and self.looks.look_now(
            card_id, unexplained=unexplained, deadline=deadline
        )
        if is_entered or self._is_explained(card_id):
            return Remedy(Ending.PUT_RIGHT, "it is entered as a change that nobody explains")
        return Remedy(Ending.LATER, "something is under way on the card, so nothing was entered")

    def _is_explained(self, card_id: str) -> bool:
        """Whether its balance agrees with its ledger: then somebody has entered it before."""
        card = self.shopify.read_card(card_id)
        ledger = self.ledgers.of([card_id]).get(card_id) or Ledger(card_id)
        return card is not None and self.judge_card.is_explained(card, ledger)

    def _owe(self, difference: Difference) -> Remedy:
        card_id, key = str(difference.card_id), difference.subject
        operation = self.journal.load(key)
        is_entered = operation is not None and self.looks.enter_late(card_id, operation)
        if is_entered or self._entered(card_id, key) == difference.found:
            return Remedy(Ending.PUT_RIGHT, f"{owed_key(key)} waits for a person to decide")
        words = "compare the card's movements in Shopify's admin with its receipts"
        return Remedy(Ending.LEFT, words)

    def _entered(self, card_id: str, key: str) -> Money | None:
        """What the ledger has of an operation in all, as far as it has any of it."""
        ledger = self.ledgers.of([card_id]).get(card_id) or Ledger(card_id)
        lines = [ledger.lines[one] for one in (key, late_key(key)) if one in ledger.lines]
        return sum(lines[1:], lines[0]) if lines else None

    def _is_to_be_judged(self, run: Run, sight: CardSight, ledger: Ledger) -> bool:
        """Whether a card's movements are to be read: each card of them costs Shopify points."""
        if run.reads_all or not self.judge_card.is_explained(sight.card, ledger):
            return True
        if run.since is None:
            return bool(ledger.lines)
        return sight.updated_at >= run.since - CLOCK_MARGIN


def _should_have_a_row(mirror: MirrorState | None) -> bool:
    """Whether we have ever moved, made or mirrored a card."""
    return mirror is not None and (mirror.wanted > 0 or mirror.is_shown)


def _row_missing(card_id: str) -> Difference:
    return Difference(
        drift=Drift.MISSING_ROW,
        subject=card_id,
        card_id=card_id,
        expected=None,
        found=None,
        details="Airtable has no row of the card.",
    )
