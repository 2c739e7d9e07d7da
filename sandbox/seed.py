"""A day in the life of a shop: stores, cards of every state, and forms as people fill them in.

`seed_a_day(shop, base)` fills an empty shop and an empty base, always with the same contents, and
returns what it made: redemptions (`Day.rows`), requests to sell cards (`Day.sales`), customers'
questions for a balance (`Day.checks`) and the web shop's orders (`Day.orders`, see
`sandbox.seed_orders`). Every waiting row and every order says what has to become of it
(`expected`), so whoever runs the application on it can compare.

The times are counted back from the shop's clock. Most rows are minutes old. One has waited so long
that its customer is gone, and one is from before anybody thought of this application: whoever goes
live at `Day.live_from` holds the first for the office and leaves the second alone for ever. Cards
made before that moment are good in the web shop only.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from sandbox.airtable import Base
from sandbox.seed_orders import SeededOrder, place_orders
from sandbox.shopify import GiftCard, Shop

# Longer than a shop waits for a go-live, shorter than Airtable's revision history.
OLD_ROW_AGE = timedelta(days=30)
LIVE_SINCE = timedelta(days=20)

# The rows wait a few minutes at most: a customer would not wait longer.
FIRST_ROW_AGE = timedelta(minutes=6)
BETWEEN_ROWS = timedelta(seconds=15)
# Longer than any shop lets a customer wait (the application's patience is 15 minutes).
FORGOTTEN_ROW_AGE = timedelta(minutes=50)

# Far enough ahead that no demo lasts until then.
SENT_LATER = timedelta(days=9)
# Longer ago than any two time zones could differ.
DAY_GONE_BY = timedelta(days=2)

CARD_AGE = timedelta(days=18)
HISTORICAL_CARD_AGE = timedelta(days=200)
SPENT_AGE = timedelta(days=12)
EXPIRED_SINCE = timedelta(days=3)
STILL_GOOD_FOR = timedelta(days=5 * 365)


class Expected(StrEnum):
    """What has to become of a seeded row: its outcome, or one of the two that get none."""

    REDEEMED = "REDEEMED"
    CODE_FORMAT_INCORRECT = "CODE_FORMAT_INCORRECT"
    CODE_NOT_FOUND = "CODE_NOT_FOUND"
    INSUFFICIENT_BALANCE = "INSUFFICIENT_BALANCE"
    AMOUNT_INVALID = "AMOUNT_INVALID"
    CARD_EXPIRED = "CARD_EXPIRED"
    CARD_DISABLED = "CARD_DISABLED"
    CARD_ONLINE_ONLY = "CARD_ONLINE_ONLY"
    POSSIBLE_DUPLICATE = "POSSIBLE_DUPLICATE"
    HELD = "HELD"
    WAITS_FOR_A_STORE = "waits until the office chooses a store; the office is told once"
    NEVER_TOUCHED = "older than the go-live: never read, never changed"

    @property
    def is_outcome(self) -> bool:
        """Whether the row's Outcome says so, and its store is mailed."""
        return self not in {Expected.WAITS_FOR_A_STORE, Expected.NEVER_TOUCHED}

    @property
    def is_final(self) -> bool:
        """Whether the row is over once it reads so: the office may still release a held one."""
        return self.is_outcome and self is not Expected.HELD


class ExpectedOfSale(StrEnum):
    """What has to become of a seeded request to sell cards."""

    ISSUED = "ISSUED"
    REFUSED = "REFUSED"
    HELD = "HELD"
    NEVER_TOUCHED = "older than the go-live: never read, never changed"


class ExpectedOfCheck(StrEnum):
    """What a customer who asked for a balance has to be mailed."""

    BALANCE_SENT = "the balance"
    NO_BALANCE = "no balance, in the same words whatever the reason"


@dataclass(frozen=True, slots=True)
class SeededStore:
    """A store: its row in `Stores`, and who works there."""

    id: str
    name: str
    email: str
    staff: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SeededRow:
    """A row of `Redemptions`: why it is there, and what has to become of it.

    `code` is the card that is meant (None where no one card is), `amount` what is in the cell.
    """

    id: str
    why: str
    store: SeededStore | None
    typed: str = field(repr=False)
    code: str | None = field(repr=False)
    amount: Decimal | None
    expected: Expected


@dataclass(frozen=True, slots=True)
class SeededSale:
    """A row of `Creation Requests`: why it is there, and what has to become of it.

    `amount` is what each of the `quantity` cards is worth; `recipient` and `purchaser` are mail
    addresses, the latter None where nobody else pays. `mistakes` names the fields to mend.
    """

    id: str
    why: str
    store: SeededStore
    amount: Decimal
    quantity: int
    recipient: str
    purchaser: str | None
    send_on: date | None
    expected: ExpectedOfSale
    mistakes: frozenset[str]


@dataclass(frozen=True, slots=True)
class SeededCheck:
    """A row of `Balance Checks`; `code` is the card that has it, None where no card does."""

    id: str
    why: str
    typed: str = field(repr=False)
    code: str | None = field(repr=False)
    email: str
    expected: ExpectedOfCheck


@dataclass(frozen=True, slots=True)
class Day:
    """What `seed_a_day` made. `cards` holds the full codes, by the name of the card's story."""

    stores: tuple[SeededStore, ...]
    cards: dict[str, GiftCard] = field(repr=False)
    rows: tuple[SeededRow, ...]
    sales: tuple[SeededSale, ...]
    checks: tuple[SeededCheck, ...]
    orders: tuple[SeededOrder, ...]
    live_from: datetime


@dataclass(frozen=True, slots=True)
class _CardStory:
    """A card to issue: `spent` went in a store before, `deactivated` and `expired` ended it.

    A `historical` one was made before the go-live.
    """

    name: str
    code: str = field(repr=False)
    amount: str
    spent: str = "0"
    spent_on_web: str = "0"
    expired: bool = False
    deactivated: bool = False
    historical: bool = False


# name, mail address, staff. The domain is reserved for examples (RFC 2606): no mail can get out.
STORES = (
    ("Harbor Street", "harbor.street@stores.example.com", ("Maya Ortiz", "Ben Whitfield")),
    ("Old Mill", "old.mill@stores.example.com", ("Priya Nair", "Tom Kowalski")),
    ("Station Kiosk", "station.kiosk@stores.example.com", ("Jonas Lind",)),
    ("Northgate Mall", "northgate.mall@stores.example.com", ("Aisha Bello", "Grace Kim")),
)

# The first of these are for people to try; no seeded row moves money on them.
CARD_STORIES = (
    _CardStory("fresh", "7k2m4q8xw3r9hn5t", "50.00"),
    _CardStory("generous", "p4d8c2v7m9x3t6ka", "250.00"),
    _CardStory("partly spent", "h3n9w5b7k2q8r4vd", "75.00", spent="21.30", spent_on_web="12.50"),
    _CardStory("a few cents left", "t6x2c9m4p8d3w7kq", "40.00", spent="39.65"),
    _CardStory("empty", "v8r3k7h2n5q9b4xm", "25.00", spent="25.00"),
    _CardStory("expired", "d5w9t3x7c2p6m8hr", "60.00", expired=True),
    _CardStory("deactivated", "q7b4n2k9v6r3x8wt", "80.00", deactivated=True),
    # Each of the following belongs to one waiting row, so that no row depends on another; only the
    # card of the form that was filed twice belongs to two.
    _CardStory("typed well", "m2p7x4w9c3k8t5rn", "60.00"),
    _CardStory("typed with dashes", "b9k3r7v2d6h4n8qx", "45.00"),
    _CardStory("typed with a label", "w4t8m2c6x9p3k7hd", "30.00"),
    _CardStory("typed on another keyboard", "kc3xam7pet9h4o2b", "35.00"),
    _CardStory("pasted twice", "n6v2q8b4r9d3h7wk", "20.00"),
    _CardStory("zeros typed as O", "x0t7k0m4w9c20p8r", "55.00"),
    _CardStory("spent to the last cent", "r8h4d2n7b3v9q6tm", "18.75"),
    _CardStory("too little on it", "c2p9m6k3t8w4x7bn", "15.00"),
    _CardStory("one of two in a cell", "k5q2v8r3n9h7d4wc", "10.00"),
    _CardStory("the other of two", "t3m8x2p6c9w7k4bq", "10.00"),
    _CardStory("amount with three decimals", "h9d4n7b2v6q3r8xk", "40.00"),
    _CardStory("amount below zero", "w7k3c9p2m8t4x6dh", "40.00"),
    _CardStory("amount missing", "b4r8v3n6q9h2d7tc", "40.00"),
    _CardStory("amount of a barcode", "x2w6t9k4p7c3m8nv", "40.00"),
    _CardStory("store missing", "q3h7b9d2r6n8v4kp", "40.00"),
    _CardStory("filed twice", "h6t3w9m4r7k2p8vc", "90.00"),
    _CardStory("made before the go-live", "d8v5k3q7x2n9c4mt", "40.00", historical=True),
    _CardStory("of a customer who is gone", "r3w8p5t2h7m4b9kd", "40.00"),
    _CardStory("from before", "m9c4x7w3k8p2t6rq", "40.00", historical=True),
    # These have paid orders in the web shop (see `seed_orders`), one order each.
    _CardStory("paying on the web", "n2h8q4v6b3d9r7kx", "50.00"),
    _CardStory("paying with another", "c8t3w7m2k9p4x6hn", "30.00"),
    _CardStory("the other paying", "v4d9b6r3q7n2h8tk", "60.00"),
    _CardStory("given back", "p6x2k8t4m7c9w3bq", "80.00"),
)


@dataclass(frozen=True, slots=True)
class _RowStory:
    """A row to file: `typed` is made from the card's code by the story's own hand.

    `age` is given where it is not one of the minutes-old rows; a row that `repeats` comes from the
    store and the hand of the row before it.
    """

    why: str
    typed: str = field(repr=False)
    amount: str | None
    expected: Expected
    card: str | None = None
    with_store: bool = True
    age: timedelta | None = None
    repeats: bool = False


def _row_stories() -> tuple[_RowStory, ...]:
    """The rows, oldest first, each with what has to become of it."""
    code = {story.name: story.code for story in CARD_STORIES}
    dashed = code["typed with dashes"].upper()
    # Every letter that Cyrillic has a twin for, as a phone's second keyboard types it.
    cyrillic = code["typed on another keyboard"].translate(
        str.maketrans("kcxamptehob", "ксхамртеһов")
    )
    return (
        _RowStory(
            "It was filed before the go-live: somebody has settled it by hand since.",
            code["from before"],
            "12.00",
            Expected.NEVER_TOUCHED,
            card="from before",
            age=OLD_ROW_AGE,
        ),
        _RowStory(
            "Nobody served it for most of an hour: the customer has paid otherwise or left.",
            code["of a customer who is gone"],
            "16.00",
            Expected.HELD,
            card="of a customer who is gone",
            age=FORGOTTEN_ROW_AGE,
        ),
        _RowStory("Typed well.", code["typed well"], "24.90", Expected.REDEEMED, card="typed well"),
        _RowStory(
            "Capitals and dashes, as printed on the card.",
            "-".join(dashed[place : place + 4] for place in range(0, len(dashed), 4)),
            "12.00",
            Expected.REDEEMED,
            card="typed with dashes",
        ),
        _RowStory(
            "Copied with the word before it, out of a mail.",
            f"Code: {code['typed with a label']}",
            "30.00",
            Expected.REDEEMED,
            card="typed with a label",
        ),
        _RowStory(
            "Typed on a Cyrillic keyboard: every letter looks right.",
            cyrillic,
            "9.95",
            Expected.REDEEMED,
            card="typed on another keyboard",
        ),
        _RowStory(
            "Pasted twice.",
            f"{code['pasted twice']}\n{code['pasted twice']}",
            "5.50",
            Expected.REDEEMED,
            card="pasted twice",
        ),
        _RowStory(
            "The letter O where the card has a zero.",
            code["zeros typed as O"].upper().replace("0", "O"),
            "20.00",
            Expected.REDEEMED,
            card="zeros typed as O",
        ),
        _RowStory(
            "Spends the card to the last cent.",
            code["spent to the last cent"],
            "18.75",
            Expected.REDEEMED,
            card="spent to the last cent",
        ),
        _RowStory(
            "Filed twice: the first one is served.",
            code["filed twice"],
            "22.50",
            Expected.REDEEMED,
            card="filed twice",
        ),
        _RowStory(
            "Filed twice: the same form again, because no mail had come yet.",
            code["filed twice"],
            "22.50",
            Expected.POSSIBLE_DUPLICATE,
            card="filed twice",
            repeats=True,
        ),
        _RowStory(
            "Asks for more than the card holds.",
            code["too little on it"],
            "15.01",
            Expected.INSUFFICIENT_BALANCE,
            card="too little on it",
        ),
        _RowStory("No card has this code.", "zz7pqm4kzz8wtr5n", "10.00", Expected.CODE_NOT_FOUND),
        _RowStory(
            "Two cards in one cell.",
            f"{code['one of two in a cell']}\n{code['the other of two']}",
            "20.00",
            Expected.CODE_FORMAT_INCORRECT,
        ),
        _RowStory(
            "The masked form, copied from an earlier mail.",
            "•••• c2p9",
            "10.00",
            Expected.CODE_FORMAT_INCORRECT,
        ),
        _RowStory(
            "Three decimals: a slip on the number pad.",
            code["amount with three decimals"],
            "12.345",
            Expected.AMOUNT_INVALID,
            card="amount with three decimals",
        ),
        _RowStory(
            "Below zero: somebody meant to give money back.",
            code["amount below zero"],
            "-10.00",
            Expected.AMOUNT_INVALID,
            card="amount below zero",
        ),
        _RowStory(
            "No amount at all.",
            code["amount missing"],
            None,
            Expected.AMOUNT_INVALID,
            card="amount missing",
        ),
        _RowStory(
            "A barcode was scanned into the amount.",
            code["amount of a barcode"],
            "4006381333931",
            Expected.AMOUNT_INVALID,
            card="amount of a barcode",
        ),
        _RowStory(
            "The card has expired.",
            code["expired"],
            "10.00",
            Expected.CARD_EXPIRED,
            card="expired",
        ),
        _RowStory(
            "The card was deactivated.",
            code["deactivated"],
            "10.00",
            Expected.CARD_DISABLED,
            card="deactivated",
        ),
        _RowStory(
            "The card was made before the stores took cards.",
            code["made before the go-live"],
            "10.00",
            Expected.CARD_ONLINE_ONLY,
            card="made before the go-live",
        ),
        _RowStory(
            "Nobody said which store.",
            code["store missing"],
            "10.00",
            Expected.WAITS_FOR_A_STORE,
            card="store missing",
            with_store=False,
        ),
    )


@dataclass(frozen=True, slots=True)
class _SaleStory:
    """A request to file. `gift` holds the cells that only a gift has, without the tick itself.

    `sent_in` counts from today; `age` is given where it is not one of the minutes-old rows.
    """

    why: str
    amount: str
    recipient: tuple[str, str]
    expected: ExpectedOfSale
    gift: Mapping[str, str] | None = None
    theme: str = "Standard"
    quantity: int = 1
    sent_in: timedelta | None = None
    mistakes: frozenset[str] = frozenset()
    age: timedelta | None = None


# Oldest first, each with what has to become of it. All addresses are reserved for examples.
SALE_STORIES = (
    _SaleStory(
        "It was filed before the go-live: somebody has made the card by hand since.",
        "40.00",
        ("Walter Brandt", "walter.brandt@customers.example.com"),
        ExpectedOfSale.NEVER_TOUCHED,
        age=OLD_ROW_AGE,
    ),
    _SaleStory(
        "A customer buys a card for herself.",
        "50.00",
        ("Elena Vasquez", "elena.vasquez@customers.example.com"),
        ExpectedOfSale.ISSUED,
    ),
    _SaleStory(
        "A wedding gift: somebody else pays, and has something to say.",
        "120.00",
        ("Aïcha & Tomás", "aicha.and.tomas@customers.example.com"),
        ExpectedOfSale.ISSUED,
        gift={
            "Purchaser Name": "Ingrid Solberg",
            "Purchaser Email": "ingrid.solberg@customers.example.com",
            "Gift Message": "To many happy years, and a table big enough for all of us.\n"
            "With love, Ingrid",
        },
        theme="Wedding",
    ),
    _SaleStory(
        "A birthday gift: its mail waits for the day.",
        "35.00",
        ("Noah Adeyemi", "noah.adeyemi@customers.example.com"),
        ExpectedOfSale.ISSUED,
        gift={
            "Purchaser Name": "Ruth Adeyemi",
            "Purchaser Email": "ruth.adeyemi@customers.example.com",
            "Gift Message": "Happy birthday! 🎂 Buy yourself something useless.",
        },
        theme="Birthday",
        sent_in=SENT_LATER,
    ),
    _SaleStory(
        "A dozen for a club: twelve cards, one address, one mail.",
        "20.00",
        ("Harbor Rowing Club", "office@rowing.example.com"),
        ExpectedOfSale.ISSUED,
        theme="Holiday",
        quantity=12,
    ),
    _SaleStory(
        "Three mistakes at once: all of them are named in one mail.",
        "-25.00",
        ("Samir Haddad", "samir.haddad.customers.example.com"),
        ExpectedOfSale.REFUSED,
        sent_in=-DAY_GONE_BY,
        mistakes=frozenset({"Amount", "Recipient Email", "Send On"}),
    ),
    _SaleStory(
        # Shopify itself would make a card of up to 10,000.
        "More than a store may sell by itself: the office has to approve it.",
        "5000.00",
        ("Victor Lindgren", "victor.lindgren@customers.example.com"),
        ExpectedOfSale.HELD,
    ),
)


@dataclass(frozen=True, slots=True)
class _CheckStory:
    """A question to file; `card` is the story of the card that has the typed code, if one has."""

    why: str
    typed: str = field(repr=False)
    email: str
    expected: ExpectedOfCheck
    card: str | None = None


def _check_stories() -> tuple[_CheckStory, ...]:
    """The questions, oldest first, each with what its customer has to be mailed."""
    code = {story.name: story.code for story in CARD_STORIES}
    good = code["partly spent"]
    # Fingers slip: the last two letters in each other's place.
    slipped = good[:-2] + good[-1] + good[-2]
    return (
        _CheckStory(
            "A good card, typed as it is printed.",
            good.upper(),
            "lucia.moretti@customers.example.com",
            ExpectedOfCheck.BALANCE_SENT,
            card="partly spent",
        ),
        _CheckStory(
            "A mistyped code: no card has it.",
            slipped,
            "peter.novak@customers.example.com",
            ExpectedOfCheck.NO_BALANCE,
        ),
        _CheckStory(
            "The card has expired.",
            code["expired"],
            "hannah.weiss@customers.example.com",
            ExpectedOfCheck.NO_BALANCE,
            card="expired",
        ),
        _CheckStory(
            "The card was deactivated.",
            code["deactivated"],
            "omar.farouk@customers.example.com",
            ExpectedOfCheck.NO_BALANCE,
            card="deactivated",
        ),
    )


def seed_a_day(shop: Shop, base: Base) -> Day:
    """Fill an empty shop and a base with the standard tables; return what was made."""
    now = shop.now()
    stores = tuple(
        SeededStore(
            base.table("Stores").create({"Name": name, "Email": email})["id"], name, email, staff
        )
        for name, email, staff in STORES
    )
    cards = {story.name: _issue(shop, story) for story in CARD_STORIES}
    rows: list[SeededRow] = []
    filed_at = now - FIRST_ROW_AGE
    for place, story in enumerate(_row_stories()):
        hand = place - 1 if story.repeats else place
        store = stores[hand % len(stores)]
        employee = store.staff[hand % len(store.staff)]
        if story.age is None:
            at, filed_at = filed_at, filed_at + BETWEEN_ROWS
        else:
            at = now - story.age
        rows.append(_file(base, story, store, employee=employee, at=at))
    return Day(
        stores=stores,
        cards=cards,
        rows=tuple(rows),
        sales=_file_sales(shop, base, stores),
        checks=_file_checks(shop, base),
        orders=place_orders(shop, cards),
        live_from=now - LIVE_SINCE,
    )


def _issue(shop: Shop, story: _CardStory) -> GiftCard:
    now = shop.now()
    card = shop.issue_card(
        amount=story.amount,
        code=story.code,
        note="Sold in the web shop",
        expires_on=None if story.expired else shop.today() + STILL_GOOD_FOR,
        at=now - (HISTORICAL_CARD_AGE if story.historical else CARD_AGE),
    )
    if Decimal(story.spent):
        shop.debit(
            card.id,
            amount=Decimal(story.spent),
            note="Paid at the counter",
            processed_at=now - SPENT_AGE,
        )
    if Decimal(story.spent_on_web):
        shop.spend_on_web(card.id, story.spent_on_web)
    if story.expired:
        shop.update(card.id, expires_on=shop.today() - EXPIRED_SINCE)
    if story.deactivated:
        shop.deactivate(card.id)
    return card


@contextmanager
def _clock_at(base: Base, moment: datetime) -> Iterator[None]:
    """Let the base's clock stand at `moment`: Airtable stamps each new row with its own time."""
    with base.lock:
        running, base.clock = base.clock, lambda: moment
        try:
            yield
        finally:
            base.clock = running


def _file(
    base: Base, story: _RowStory, store: SeededStore, *, employee: str, at: datetime
) -> SeededRow:
    """File a row as the form does; a cell that nobody filled in is absent."""
    code = {each.name: each.code for each in CARD_STORIES}
    cells: dict[str, object] = {"Employee": employee, "Gift Card Code": story.typed}
    if story.with_store:
        cells["Store"] = [store.id]
    if story.amount is not None:
        cells["Amount"] = float(story.amount)
    with _clock_at(base, at):
        row = base.table("Redemptions").create(cells)
    return SeededRow(
        id=row["id"],
        why=story.why,
        store=store if story.with_store else None,
        typed=story.typed,
        code=code[story.card] if story.card else None,
        amount=None if story.amount is None else Decimal(story.amount),
        expected=story.expected,
    )


def _file_sales(shop: Shop, base: Base, stores: tuple[SeededStore, ...]) -> tuple[SeededSale, ...]:
    """File the requests to sell cards, each store in its turn."""
    now, sales = shop.now(), []
    filed_at = now - FIRST_ROW_AGE
    for place, story in enumerate(SALE_STORIES):
        if story.age is None:
            at, filed_at = filed_at, filed_at + BETWEEN_ROWS
        else:
            at = now - story.age
        send_on = None if story.sent_in is None else shop.today() + story.sent_in
        store = stores[place % len(stores)]
        sales.append(_file_sale(base, story, store, send_on=send_on, at=at))
    return tuple(sales)


def _file_sale(
    base: Base, story: _SaleStory, store: SeededStore, *, send_on: date | None, at: datetime
) -> SeededSale:
    name, email = story.recipient
    cells: dict[str, object] = {
        "Store": [store.id],
        "Employee": store.staff[0],
        "Amount": float(story.amount),
        "Quantity": story.quantity,
        "Recipient Name": name,
        "Recipient Email": email,
        "Theme": story.theme,
        "Kind": "Paid",
    }
    if story.gift is not None:
        cells |= {"Is Gift": True, **story.gift}
    if send_on is not None:
        cells["Send On"] = send_on.isoformat()
    with _clock_at(base, at):
        row = base.table("Creation Requests").create(cells)
    return SeededSale(
        id=row["id"],
        why=story.why,
        store=store,
        amount=Decimal(story.amount),
        quantity=story.quantity,
        recipient=email,
        purchaser=None if story.gift is None else story.gift["Purchaser Email"],
        send_on=send_on,
        expected=story.expected,
        mistakes=story.mistakes,
    )


def _file_checks(shop: Shop, base: Base) -> tuple[SeededCheck, ...]:
    """File the customers' questions, as the web site does."""
    code = {each.name: each.code for each in CARD_STORIES}
    filed_at, checks = shop.now() - FIRST_ROW_AGE, []
    for story in _check_stories():
        with _clock_at(base, filed_at):
            row = base.table("Balance Checks").create(
                {"Gift Card Code": story.typed, "Email": story.email}
            )
        filed_at += BETWEEN_ROWS
        checks.append(
            SeededCheck(
                id=row["id"],
                why=story.why,
                typed=story.typed,
                code=None if story.card is None else code[story.card],
                email=story.email,
                expected=story.expected,
            )
        )
    return tuple(checks)
