"""What is wrong with one card, if anything: its balance and its movements against all we know.

    balance   = what it began with + every line of its ledger, or something is unexplained
    movements : with a reference of ours   as much as its operation has entered, and no more
                of another card's          explains nothing: somebody wrote it by hand
                of an order                the ledger's line says so, the movement itself nothing
                of anybody else            told of when its change was entered, or unexplained

What is still on its way is no difference: an operation without an outcome may explain a balance,
and a movement with its reference.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from giftcards.domain.cards import Movement
from giftcards.domain.drift import Difference, Drift
from giftcards.domain.explaining import movements_behind, without_orders
from giftcards.domain.money import Money
from giftcards.domain.orders import number_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the journal tells of an operation that a movement may name.

    `entered` is what the ledger has of it in all: its own line, and what was found to have been
    applied late. `is_open`: it has no outcome yet, or its line is about to be written. Of one
    from before the ledger (`is_older`) nothing was entered, and whatever moved is right.
    """

    entered: Money | None
    is_open: bool = False
    is_older: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """All that is known of a card.

    `began_with` is `None` where that is not known (a card from before our time). `lines` and
    `reserved` are the ledger's. `movements` come newest first, `operations` are those that they
    name, and those that may move the card just now, as far as they are this card's; `foreign` are
    the keys of those that never moved it. `told` are the ids of movements of which something was
    entered, and `untold` the amounts that were entered without saying which movements they were.
    `of_orders` and `of_ours` are how the keys begin of what orders and what we moved.
    """

    card_id: str
    balance: Money
    began_with: Money | None
    lines: Mapping[str, Money]
    reserved: Mapping[str, Money]
    movements: Sequence[Movement] = ()
    operations: Mapping[str, Told] = field(default_factory=dict)
    foreign: Collection[str] = ()
    told: Collection[str] = ()
    untold: Sequence[Money] = ()
    of_orders: tuple[str, ...]
    of_ours: tuple[str, ...]


def unexplained_part(books: Books) -> Money | None:
    """What of a balance its ledger does not explain; `None` where all of it, or nobody can tell.

    Nobody can where it is not known what the card began with, or where the shop's currency was
    changed. What authorised payments keep back may be off the balance already or not.
    """
    zero = Money.zero(books.balance.currency)
    entries = [*books.lines.values(), *books.reserved.values()]
    if books.began_with is None or any(one.currency != zero.currency for one in entries):
        return None
    left = books.balance - sum(books.lines.values(), books.began_with)
    kept_back = sum(books.reserved.values(), zero)
    return None if left in {zero, -kept_back} else left


def compare_card(books: Books) -> list[Difference]:
    """All that is wrong with a card whose movements were read."""
    currency = books.balance.currency
    entries = [*books.lines.values(), *books.reserved.values()]
    amounts = [*entries, *(one.amount for one in books.movements)]
    if any(amount.currency != currency for amount in amounts):
        return []  # the shop's currency was changed, and what was before cannot be reckoned with
    return list(_Comparison(books).differences())


class _Comparison:
    """One card's comparison, step by step: what is found early explains what is found later."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._zero = Money.zero(books.balance.currency)
        self._explained = self._zero  # what of the balance the differences so far explain

    def differences(self) -> Iterator[Difference]:
        """The differences, those with a reference of ours first."""
        yield from self._beyond_what_was_entered()
        yield from self._never_moved()
        yield from self._of_no_operation()
        others = self._nobodys()
        behind: Sequence[Movement] = ()
        rest = self._rest()
        if rest is not None:
            behind = movements_behind(rest, others, told=())
            yield self._difference(
                Drift.UNEXPLAINED_MOVEMENT,
                self._books.card_id,
                expected=self._zero,
                found=rest,
                details="Nothing that we know of explains this part of the card's balance.",
            )
        yield from self._movements_of_nobody([one for one in others if one not in behind])

    def _beyond_what_was_entered(self) -> Iterator[Difference]:
        """What moved with a reference of ours, and is not what was entered for it."""
        for key, moved in self._moved(lambda note: note in self._books.operations).items():
            operation = self._books.operations[key]
            entered = operation.entered or self._zero
            if operation.is_older and operation.entered is None:
                self._explained += moved
            elif moved != entered and not operation.is_open:
                self._explained += moved - entered
                yield self._of_operation(key, entered=operation.entered, moved=moved)

    def _of_operation(self, key: str, *, entered: Money | None, moved: Money) -> Difference:
        known = entered or self._zero
        if entered is None or entered == self._zero:
            drift = Drift.LATE_DEBIT
            details = "It was given up, and Shopify applied it after all."
        elif abs(moved.minor) < abs(known.minor) and moved.minor * known.minor >= 0:
            drift = Drift.OPERATION_WITHOUT_DEBIT
            details = "It moved more by our books than Shopify shows."
        else:
            drift = Drift.DUPLICATE_DEBIT
            details = "Shopify moved more with its reference than it says."
        return self._difference(drift, key, expected=known, found=moved, details=details)

    def _never_moved(self) -> Iterator[Difference]:
        """What our books have, and no movement carries the reference of."""
        noted = {one.note for one in self._books.movements}
        for key, amount in sorted(self._books.lines.items()):
            operation = self._books.operations.get(key)
            if (
                not key.startswith(self._books.of_ours)
                or key in noted
                or amount == self._zero
                or operation is None
                or operation.is_open
            ):
                continue
            self._explained -= amount
            yield self._difference(
                Drift.OPERATION_WITHOUT_DEBIT,
                key,
                expected=amount,
                found=self._zero,
                details="Our books have it, and Shopify shows no movement with its reference.",
            )

    def _of_no_operation(self) -> Iterator[Difference]:
        """What moved with a reference like ours, of an operation that this card does not have."""
        for movement in self._books.movements:
            if not self._is_strange(movement):
                continue
            if movement.id not in self._books.told:
                self._explained += movement.amount
            yield self._difference(
                Drift.DEBIT_WITHOUT_OPERATION,
                number_of(movement.id),
                expected=self._zero,
                found=movement.amount,
                details="It carries a reference like ours, and no operation of this card has that.",
            )

    def _nobodys(self) -> list[Movement]:
        """The movements that carry no reference of ours, are no order's, and were not told of."""
        others = [
            one
            for one in self._books.movements
            if one.note not in self._books.operations
            and not self._is_strange(one)
            and one.id not in self._books.told
        ]
        # What a payment keeps back may have been taken off when it was authorised.
        kept_back = {
            f"{self._books.of_orders[0]}{payment}/kept": -amount
            for payment, amount in self._books.reserved.items()
        }
        lines = {**self._books.lines, **kept_back}
        return without_orders(others, lines, of_orders=self._books.of_orders)

    def _rest(self) -> Money | None:
        """What of the balance is unexplained although what was found so far is known."""
        left = unexplained_part(self._books)
        if left is None or any(one.is_open for one in self._books.operations.values()):
            return None
        rest = left - self._explained
        kept_back = sum(self._books.reserved.values(), self._zero)
        return None if rest in {self._zero, -kept_back} else rest

    def _movements_of_nobody(self, others: Sequence[Movement]) -> Iterator[Difference]:
        """What moved there and back between two looks, so that the balance does not tell of it.

        Of a card from before our time it is not known which movements made what it began with. And
        where something was entered without saying which movements it was, only those that cancel
        each other out are certain not to be it.
        """
        if self._books.began_with is None:
            return
        for movement in _cancelling(others) if self._books.untold else others:
            yield self._difference(
                Drift.UNEXPLAINED_MOVEMENT,
                number_of(movement.id),
                expected=self._zero,
                found=movement.amount,
                details="No order, no store and no entry of ours explains this movement.",
            )

    def _moved(self, is_meant: Callable[[str], bool]) -> dict[str, Money]:
        """What moved in all, by reference."""
        moved: defaultdict[str, Money] = defaultdict(lambda: self._zero)
        for movement in self._books.movements:
            if movement.note is not None and is_meant(movement.note):
                moved[movement.note] += movement.amount
        return dict(sorted(moved.items()))

    def _is_strange(self, movement: Movement) -> bool:
        """Whether it carries a reference like ours, and no operation of this card has it."""
        note = movement.note
        if note is None or note in self._books.operations:
            return False
        return note in self._books.foreign or (
            note.startswith(self._books.of_ours) and not any(map(str.isspace, note))
        )

    def _difference(
        self, drift: Drift, subject: str, *, expected: Money, found: Money, details: str
    ) -> Difference:
        return Difference(
            drift=drift,
            subject=subject,
            card_id=self._books.card_id,
            expected=expected,
            found=found,
            details=details,
        )


def _cancelling(movements: Sequence[Movement]) -> list[Movement]:
    """Those of the movements that come in pairs, there and back."""
    left = list(movements)
    pairs = []
    for movement in movements:
        back = next((one for one in left if one.amount == -movement.amount), None)
        if movement in left and back is not None and back is not movement:
            left.remove(movement)
            left.remove(back)
            pairs += [movement, back]
    return pairs
