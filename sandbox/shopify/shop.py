"""The shop itself: its gift cards, what moves on them, and who may ask. Its orders: `order_desk`.

Plain Python below HTTP, so that tests, the demo's pages and a simulator can act as the customer at
the checkout or the clerk at the counter does. What it answers follows what is known of the real
Shopify; where a rule's wording was never seen (some messages), the code is right and the message
is a plausible sentence.

Amounts are `Decimal`s of major units, as Shopify speaks of them. Every change bumps `version`.
"""

import random
import re
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import override
from zoneinfo import ZoneInfo

from sandbox.faults import Fault, Faults
from sandbox.shopify.order_desk import Orders
from sandbox.shopify.refusals import Refusal
from sandbox.shopify.webhooks import Webhooks

# Shopify's ids are long numbers; ours begin where one recorded on a live store did.
FIRST_CARD_NUMBER = 523564253315
FIRST_TRANSACTION_NUMBER = 108920832131

SHORTEST_CODE = 8
LONGEST_CODE = 20
GENERATED_CODE_LENGTH = 16
CODE_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"

# A client-credentials token lives 24 hours; Shopify says one second less.
TOKEN_SECONDS = 86_399

# The bucket of a Standard plan as seen on a live store: 2,000 points, 100 restored a second.
BUCKET_POINTS = 2_000
RESTORED_PER_SECOND = 100

DEFAULT_LIMIT = Decimal(10_000)

ALL_SCOPES = frozenset(
    {
        "read_gift_cards",
        "write_gift_cards",
        "read_gift_card_transactions",
        "write_gift_card_transactions",
        "read_orders",
        "read_all_orders",
        "write_orders",
    }
)

SUPPORTED_FAULTS = frozenset(Fault)


class Kind(StrEnum):
    """What moved money on a card; the values are Shopify's type names."""

    DEBIT = "GiftCardDebitTransaction"
    CREDIT = "GiftCardCreditTransaction"
    CASH_OUT = "GiftCardCashOutTransaction"


class Stage(StrEnum):
    """Where a call stands when the shop's witness is told of it."""

    ARRIVED = "arrived"  # understood and paid for, not applied yet
    APPLIED = "applied"  # applied, its reply not sent yet


@dataclass(frozen=True, slots=True)
class Call:
    """A call as a witness sees it: names and variables as sent, and the port it came from.

    `port` is None where the caller used no socket.
    """

    names: tuple[str, ...]
    variables: Mapping[str, object]
    port: int | None


class CallLost(Exception):
    """Raised by a witness: the call is lost here, unapplied where it only arrived."""


Witness = Callable[[Call, Stage], None]


@dataclass(frozen=True, slots=True)
class Transaction:
    """One movement on a card. `amount` is signed as Shopify signs it: debits are negative."""

    id: str
    card_id: str
    kind: Kind
    amount: Decimal
    note: str | None
    processed_at: datetime
    written_at: datetime


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """What the search index will know of a card once it has caught up with `written_at`."""

    written_at: datetime
    balance: Decimal
    expires_on: date | None
    deactivated: bool


@dataclass(slots=True)
class GiftCard:
    """One gift card. `code` is what only the shop's own database knows."""

    id: str
    number: int
    code: str = field(repr=False)
    initial_value: Decimal
    balance: Decimal
    created_at: datetime
    updated_at: datetime
    expires_on: date | None = None
    note: str | None = None
    template_suffix: str | None = None
    deactivated_at: datetime | None = None
    source: str = "api_client"
    transactions: list[Transaction] = field(default_factory=list)
    index: list[IndexEntry] = field(default_factory=list, repr=False)

    @property
    def last_characters(self) -> str:
        """The last four of the code, lower case: all that Shopify shows of it afterwards."""
        return self.code[-4:]

    @property
    def masked_code(self) -> str:
        """The code as the admin shows it."""
        return f"•••• •••• •••• {self.last_characters}"

    @property
    def enabled(self) -> bool:
        """Whether nobody deactivated the card; stays true when it expires."""
        return self.deactivated_at is None


@dataclass(frozen=True, slots=True)
class _Token:
    scopes: frozenset[str]
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class _App:
    client_secret: str = field(repr=False)
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class ThrottleStatus:
    """How full the bucket of points is."""

    maximum_available: int
    currently_available: int
    restore_rate: int


def system_clock() -> datetime:
    """The time of this machine, in UTC."""
    return datetime.now(UTC)


class _Rest(AbstractContextManager[None]):
    """`Shop.at_rest`: written out, since whoever asks anything of the shop passes here."""

    __slots__ = ("_shop",)

    def __init__(self, shop: "Shop") -> None:
        self._shop = shop

    @override
    def __enter__(self) -> None:
        self._shop.begin_rest()

    @override
    def __exit__(self, *error: object) -> None:
        self._shop.end_rest()


class Shop:
    """One shop: cards, tokens, the bucket of points, and the faults ordered for it.

    `clock` tells the time (aware); a test gives a clock of its own and nothing here ever sleeps.
    `checkout_in_transactions` says whether a card spent at the web checkout shows it among its
    transactions: nobody could confirm either, so both can be tried.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime] = system_clock,
        currency: str = "USD",
        time_zone: str = "America/New_York",
        name: str = "Corner Shop",
        domain: str = "corner-shop.myshopify.com",
        issue_limit: Decimal = DEFAULT_LIMIT,
        purchase_limit: Decimal = DEFAULT_LIMIT,
        checkout_in_transactions: bool = False,
    ) -> None:
        self.currency = currency
        self.time_zone = ZoneInfo(time_zone)
        self.name = name
        self.domain = domain
        self.issue_limit = issue_limit
        self.purchase_limit = purchase_limit
        self.checkout_in_transactions = checkout_in_transactions
        # Live stores were seen to name no code with a taken code, though the schema lists TAKEN.
        self.taken_has_a_code = False
        # Customers' names and addresses are opened to an app apart from its scopes. A refusal is
        # documented without a code; live stores were seen to give one as well.
        self.shows_customer_data = True
        self.hiding_has_a_code = False
        # The oldest version still answered: an older one asked for falls forward to it.
        self.oldest_api_version = "2026-10"
        self.faults = Faults(supported=SUPPORTED_FAULTS)
        # Told of each call in the call's own thread, which waits for it: a test holds a call here.
        self.witness: Witness | None = None
        # How many calls found too few points in the bucket (faults ordered by hand don't count).
        self.refused_as_too_fast = 0
        self._clock = clock
        self._frozen_now: datetime | None = None
        self._lock = threading.RLock()
        self._rest = _Rest(self)
        self._version = 0
        self._cards: dict[str, GiftCard] = {}
        self._codes: set[str] = set()
        self._next_transaction = FIRST_TRANSACTION_NUMBER
        self._random = random.Random(domain)  # noqa: S311 - codes of the sandbox open nothing
        self._search_lag = timedelta(0)
        self._transaction_lag = timedelta(0)
        self._late_number = 0
        self._late: list[tuple[datetime, int, Callable[[], object]]] = []
        self._tokens: dict[str, _Token] = {}
        self._apps: dict[str, _App] = {}
        self._points = float(BUCKET_POINTS)
        self._points_at = clock()
        self.orders = Orders(self)
        self.webhooks = Webhooks()

    # ---- time -------------------------------------------------------------------------------

    def at_rest(self) -> AbstractContextManager[object]:
        """Hold everybody else off; first apply what was to be applied late and is due by now."""
        return self._rest

    def begin_rest(self) -> None:
        """What `at_rest` begins with."""
        self._lock.acquire()
        try:
            if self._late:
                self._apply_what_is_due()
        except BaseException:
            self._lock.release()
            raise

    def end_rest(self) -> None:
        """What `at_rest` ends with."""
        self._lock.release()

    def now(self) -> datetime:
        """The shop's time, in UTC."""
        return self._frozen_now or self._clock().astimezone(UTC)

    def today(self) -> date:
        """The day on the shop's own calendar."""
        return self.now().astimezone(self.time_zone).date()

    @property
    def version(self) -> int:
        """A number that grows with every change: pages ask for it to know when to refresh."""
        with self.at_rest():
            return self._version

    def note_change(self) -> None:
        """Something of the shop has changed that is no card: raise `version`."""
        with self._lock:
            self._version += 1

    @property
    def search_lag(self) -> timedelta:
        """How long a change takes to reach the search index."""
        return self._search_lag

    def set_search_lag(self, seconds: float) -> None:
        """How long a change takes to reach the search index; reads by id never lag."""
        self._search_lag = timedelta(seconds=seconds)

    def set_transaction_lag(self, seconds: float) -> None:
        """How long a movement takes to show among a card's transactions (the balance never lags).

        Whether the real shop shows it at once is unproven, so a caller has to bear either.
        """
        self._transaction_lag = timedelta(seconds=seconds)

    def apply_later(self, seconds: float, change: Callable[[], object]) -> None:
        """Have `change` happen `seconds` from now, whoever looks first after that moment."""
        with self._lock:
            due = self.now() + timedelta(seconds=seconds)
            self._late_number += 1
            self._late.append((due, self._late_number, change))

    def _apply_what_is_due(self) -> None:
        if self._frozen_now is not None:
            return  # a late change is being applied right now
        now = self.now()
        due = sorted(each for each in self._late if each[0] <= now)
        if not due:
            return
        self._late = [each for each in self._late if each[0] > now]
        for moment, _, change in due:
            self._frozen_now = moment
            try:
                change()
            finally:
                self._frozen_now = None

    # ---- cards: looking ---------------------------------------------------------------------

    @property
    def cards(self) -> list[GiftCard]:
        """Every card, oldest first."""
        with self.at_rest():
            return list(self._cards.values())

    def card(self, card_id: str) -> GiftCard:
        """The card with that global id; `KeyError` when there is none."""
        with self.at_rest():
            return self._cards[card_id]

    def find(self, card_id: str) -> GiftCard | None:
        """The card with that global id, or None."""
        with self.at_rest():
            return self._cards.get(card_id)

    def is_expired(self, card: GiftCard) -> bool:
        """Whether the card's last day is over, on the shop's calendar."""
        return card.expires_on is not None and card.expires_on < self.today()

    def visible_transactions(self, card: GiftCard) -> list[Transaction]:
        """What a read by id shows of the card's movements, oldest first."""
        newest = self.now() - self._transaction_lag
        return [each for each in card.transactions if each.written_at <= newest]

    def index_entry(self, card: GiftCard, *, stale_seconds: float = 0.0) -> IndexEntry | None:
        """What the search index knows of the card by now; None while it does not know it."""
        newest = self.now() - max(self._search_lag, timedelta(seconds=stale_seconds))
        known = [entry for entry in card.index if entry.written_at <= newest]
        return known[-1] if known else None

    # ---- cards: changing --------------------------------------------------------------------

    def issue_card(
        self,
        *,
        amount: Decimal | int | str,
        code: str | None = None,
        note: str | None = None,
        expires_on: date | None = None,
        at: datetime | None = None,
    ) -> GiftCard:
        """Issue a card from Python, as the office does in the admin. `at` backdates it.

        Raises `Refusal` as the API would answer.
        """
        with self.at_rest():
            return self.create(
                amount=Decimal(amount),
                code=code,
                note=note,
                expires_on=expires_on,
                created_at=at,
                source="manual",
            )

    def create(
        self,
        *,
        amount: Decimal | None,
        code: str | None = None,
        note: str | None = None,
        expires_on: date | None = None,
        template_suffix: str | None = None,
        created_at: datetime | None = None,
        source: str = "api_client",
    ) -> GiftCard:
        """Create a card, as `giftCardCreate` does. Makes no transaction. Raises `Refusal`."""
        with self.at_rest():
            if amount is None:
                raise Refusal(
                    "MISSING_ARGUMENT", "Initial amount is required", ["input", "initialAmount"]
                )
            if amount <= 0:
                raise Refusal(
                    "GREATER_THAN", "must be greater than 0", ["input", "initialAmount", "amount"]
                )
            if amount > self.issue_limit:
                raise Refusal(
                    "GIFT_CARD_LIMIT_EXCEEDED",
                    "The gift card's value exceeds the allowed limits.",
                    ["input", "initialAmount"],
                )
            normalised = self._new_code() if code is None else self._normalise(code)
            if normalised in self._codes:
                kind = "TAKEN" if self.taken_has_a_code else None
                raise Refusal(kind, "Code has already been taken", ["input", "code"])
            moment = (created_at or self.now()).astimezone(UTC)
            number = FIRST_CARD_NUMBER + len(self._cards)
            card = GiftCard(
                id=f"gid://shopify/GiftCard/{number}",
                number=number,
                code=normalised,
                initial_value=amount,
                balance=amount,
                created_at=moment,
                updated_at=moment,
                expires_on=expires_on,
                note=note,
                template_suffix=template_suffix,
                source=source,
            )
            self._codes.add(normalised)
            self._cards[card.id] = card
            self._changed(card, moment)
            return card

    def debit(
        self,
        card_id: str,
        *,
        amount: Decimal,
        currency: str | None = None,
        note: str | None = None,
        processed_at: datetime | None = None,
    ) -> Transaction:
        """Take `amount` off a card, as `giftCardDebit` does. Not idempotent. Raises `Refusal`."""
        with self.at_rest():
            card = self._card_to_move(card_id, amount, currency, processed_at, "debit")
            if card.balance < amount:
                raise Refusal(
                    "INSUFFICIENT_FUNDS",
                    "The gift card does not have sufficient funds to satisfy the request.",
                    ["debitInput", "debitAmount"],
                )
            return self._move(card, Kind.DEBIT, -amount, note, processed_at)

    def credit(
        self,
        card_id: str,
        *,
        amount: Decimal,
        currency: str | None = None,
        note: str | None = None,
        processed_at: datetime | None = None,
    ) -> Transaction:
        """Put `amount` onto a card, as `giftCardCredit` does. Not idempotent. Raises `Refusal`."""
        with self.at_rest():
            card = self._card_to_move(card_id, amount, currency, processed_at, "credit")
            if card.balance + amount > self.issue_limit:
                raise Refusal(
                    "GIFT_CARD_LIMIT_EXCEEDED",
                    "The gift card's value exceeds the allowed limits.",
                    ["creditInput", "creditAmount"],
                )
            return self._move(card, Kind.CREDIT, amount, note, processed_at)

    def spend_on_web(self, card_id: str, amount: Decimal | int | str) -> None:
        """A customer pays with the card at the web checkout, which debits it without us.

        Raises `Refusal` as a debit would, `KeyError` for an unknown card.
        """
        with self.at_rest():
            spent = Decimal(amount)
            if self.checkout_in_transactions:
                self.debit(card_id, amount=spent)
                return
            card = self._card_to_move(card_id, spent, None, None, "debit")
            if card.balance < spent:
                raise Refusal("INSUFFICIENT_FUNDS", "The gift card has not enough.", ["id"])
            card.balance -= spent
            self._changed(card, self.now())

    def return_to_card(self, card_id: str, amount: Decimal) -> None:
        """Shopify gives money back to a card: a refund, or an authorisation that is voided.

        An expired card takes it too. Raises `Refusal` for a deactivated one, `KeyError` for an
        unknown one.
        """
        with self.at_rest():
            card = self._cards[card_id]
            if not card.enabled:
                raise Refusal("INVALID", "The gift card is deactivated.", ["id"])
            if self.checkout_in_transactions:
                self._move(card, Kind.CREDIT, amount, None, None)
                return
            card.balance += amount
            self._changed(card, self.now())

    def cash_out(self, card_id: str, amount: Decimal | int | str) -> Transaction:
        """The rest of a card is paid out in cash at a Shopify till. Raises `Refusal`."""
        with self.at_rest():
            paid = Decimal(amount)
            card = self._card_to_move(card_id, paid, None, None, "debit")
            if card.balance < paid:
                raise Refusal("INSUFFICIENT_FUNDS", "The gift card has not enough.", ["id"])
            return self._move(card, Kind.CASH_OUT, -paid, None, None)

    def deactivate(self, card_id: str) -> GiftCard:
        """End a card for ever: this cannot be undone. Raises `Refusal` for an unknown card."""
        with self.at_rest():
            card = self._known(card_id)
            if card.deactivated_at is None:
                card.deactivated_at = self.now()
                self._changed(card, self.now())
            return card

    def update(self, card_id: str, **changes: str | date | None) -> GiftCard:
        """Change `note`, `expires_on` or `template_suffix`. Raises `Refusal` for no such card."""
        with self.at_rest():
            card = self._known(card_id)
            for name, value in changes.items():
                if name not in {"note", "expires_on", "template_suffix"}:
                    raise TypeError(f"a gift card's {name} cannot be changed")
                setattr(card, name, value)
            self._changed(card, self.now())
            return card

    def _known(self, card_id: str) -> GiftCard:
        card = self._cards.get(card_id)
        if card is None:
            raise Refusal("GIFT_CARD_NOT_FOUND", "The gift card could not be found.", ["id"])
        return card

    def _card_to_move(
        self,
        card_id: str,
        amount: Decimal,
        currency: str | None,
        processed_at: datetime | None,
        verb: str,
    ) -> GiftCard:
        """The card, if money may move on it at all; raises `Refusal` otherwise."""
        where = f"{verb}Input"
        card = self._known(card_id)
        if amount <= 0:
            raise Refusal(
                "NEGATIVE_OR_ZERO_AMOUNT",
                "A positive amount must be used.",
                [where, f"{verb}Amount", "amount"],
            )
        if currency is not None and currency != self.currency:
            raise Refusal(
                "MISMATCHING_CURRENCY",
                "The currency provided does not match the currency of the gift card.",
                [where, f"{verb}Amount", "currencyCode"],
            )
        if not card.enabled:
            raise Refusal("INVALID", "The gift card is deactivated.", ["id"])
        if self.is_expired(card):
            raise Refusal("INVALID", "The gift card has expired.", ["id"])
        if processed_at is not None and processed_at > self.now():
            raise Refusal(
                "INVALID",
                "The processed at date must not be in the future.",
                [where, "processedAt"],
            )
        return card

    def _move(
        self,
        card: GiftCard,
        kind: Kind,
        amount: Decimal,
        note: str | None,
        processed_at: datetime | None,
    ) -> Transaction:
        moment = self.now()
        transaction = Transaction(
            id=f"gid://shopify/{kind}/{self._next_transaction}",
            card_id=card.id,
            kind=kind,
            amount=amount,
            note=note,
            processed_at=(processed_at or moment).astimezone(UTC),
            written_at=moment,
        )
        self._next_transaction += 1
        card.balance += amount
        card.transactions.append(transaction)
        self._changed(card, moment)
        return transaction

    def _changed(self, card: GiftCard, moment: datetime) -> None:
        card.updated_at = moment
        card.index.append(
            IndexEntry(moment, card.balance, card.expires_on, deactivated=not card.enabled)
        )
        self._version += 1

    def _normalise(self, code: str) -> str:
        """The code as Shopify keeps it: blanks and dashes dropped, lower case."""
        kept = re.sub(r"[\s-]", "", code).lower()
        where = ["input", "code"]
        if len(kept) < SHORTEST_CODE:
            raise Refusal(
                "TOO_SHORT", f"Code is too short (minimum is {SHORTEST_CODE} characters)", where
            )
        if len(kept) > LONGEST_CODE:
            raise Refusal(
                "TOO_LONG", f"Code is too long (maximum is {LONGEST_CODE} characters)", where
            )
        if not re.fullmatch(r"[a-z0-9]+", kept):
            raise Refusal("INVALID", "Code can only contain letters(a-z) and numbers(0-9)", where)
        return kept

    def _new_code(self) -> str:
        code = "".join(self._random.choices(CODE_ALPHABET, k=GENERATED_CODE_LENGTH))
        return code if code not in self._codes else self._new_code()

    # ---- who may ask ------------------------------------------------------------------------

    def add_static_token(self, token: str, *, scopes: frozenset[str] = ALL_SCOPES) -> None:
        """Let a token of an admin-made custom app in (`shpat_…`); it never ends."""
        with self._lock:
            self._tokens[token] = _Token(scopes, None)

    def add_app(
        self, client_id: str, client_secret: str, *, scopes: frozenset[str] = ALL_SCOPES
    ) -> None:
        """Install an app that fetches its tokens by the client-credentials grant."""
        with self._lock:
            self._apps[client_id] = _App(client_secret, scopes)

    def grant_token(self, client_id: str, client_secret: str) -> tuple[str, frozenset[str]] | None:
        """A new token good for 24 hours and its scopes; None for a wrong id or secret."""
        with self._lock:
            app = self._apps.get(client_id)
            if app is None or app.client_secret != client_secret:
                return None
            token = f"shpat_{self._random.getrandbits(128):032x}"
            self._tokens[token] = _Token(app.scopes, self.now() + timedelta(seconds=TOKEN_SECONDS))
            return token, app.scopes

    def revoke_tokens(self) -> None:
        """Turn every token away from now on, as uninstalling the app does."""
        with self._lock:
            self._tokens.clear()

    def scopes_of(self, token: str) -> frozenset[str] | None:
        """What the token may do; None when it is unknown or too old."""
        with self._lock:
            known = self._tokens.get(token)
            if known is None or (known.expires_at is not None and known.expires_at <= self.now()):
                return None
            return known.scopes

    # ---- the bucket of points ---------------------------------------------------------------

    def throttle_status(self) -> ThrottleStatus:
        """How many points are left right now."""
        with self._lock:
            now = self.now()
            passed = max(0.0, (now - self._points_at).total_seconds())
            self._points = min(BUCKET_POINTS, self._points + passed * RESTORED_PER_SECOND)
            self._points_at = max(now, self._points_at)
            return ThrottleStatus(BUCKET_POINTS, int(self._points), RESTORED_PER_SECOND)

    def spend_points(self, points: float) -> bool:
        """Take `points` out of the bucket; False, taking nothing, when it holds fewer."""
        with self._lock:
            if self.throttle_status().currently_available < points:
                self.refused_as_too_fast += 1
                return False
            self._points -= points
            return True

    def give_points_back(self, points: float) -> None:
        """Return what a query was charged too much in advance."""
        with self._lock:
            self._points = min(BUCKET_POINTS, self._points + points)
