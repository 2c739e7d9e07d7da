"""The shop's gift cards, as the rest of the application speaks of them.

Balances are Shopify's: they are read here and nowhere reckoned. Two things change anything. A debit
is not idempotent: `debit` sends it once, and `find_movement` tells afterwards whether it was
applied. A card is made by `create_card`, which is safe to repeat with the same code (`creating`).
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime, timedelta
from itertools import batched

import requests

from giftcards.clients.sending import send_once
from giftcards.clients.shopify import creating, replies
from giftcards.clients.shopify.graphql import API_VERSION, GraphQL
from giftcards.clients.shopify.points import MOST_WAIT_SECONDS, Bucket, Room
from giftcards.clients.shopify.tokens import ClientCredentials, StaticToken, TokenKeeper
from giftcards.domain.cards import (
    Card,
    CardLimits,
    CreateReply,
    Debited,
    DebitRefused,
    DebitReply,
    InsufficientFunds,
    Movement,
    NotedCard,
    ShopFacts,
)
from giftcards.domain.codes import Code
from giftcards.domain.money import Money
from giftcards.errors import Unconfirmed, VendorSurprise

# Shopify prices a query by the objects it may return and allows 1,000 points in one: a hundred
# cards cost a hundred.
CARDS_PER_QUERY = 100

# Search lags by tens of seconds; ten minutes is beyond all that was seen for gift cards.
SEARCH_LAG = timedelta(minutes=10)

# A shop that sells more cards than this within ten minutes finds some of them a moment later.
NEWEST_CARDS = 50

# A page of transactions costs its size in points; few cards have moved more often than this.
MOVEMENTS_PER_PAGE = 100

# Far more than any card has (a staff card used daily for years); beyond it a person looks, because
# "not found" must never mean "not looked for".
MOST_MOVEMENT_PAGES = 50

# Our clock and Shopify's differ by seconds at the worst. A reference belongs to one operation, so
# looking back too far finds nothing wrong, while looking back too little would miss a debit.
CLOCK_SKEW_MARGIN = timedelta(minutes=10)


class Shopify:
    """One shop's gift cards, by the Admin API.

    `base_url` is the shop's own address (`https://my-shop.myshopify.com`). `timeout_seconds` bounds
    each request in all. `session` is made to send each request to that address once.
    `on_version_mismatch(asked, answered)` is called once if Shopify answers by another version of
    its API than we were built for, which it does when it retires ours.

    A client for bulk work has a `reserve_points`: it leaves so many in Shopify's bucket, and may
    wait longer for the others (`most_wait_seconds`) than one that a customer waits for.

    Every method raises what the table in `graphql` says: `NotSent`, `AccessRefused`,
    `ConfigurationError` and `VendorSurprise`; `debit` and `create_card` also `Unconfirmed`.
    """

    def __init__(
        self,
        credentials: StaticToken | ClientCredentials,
        *,
        base_url: str,
        session: requests.Session,
        timeout_seconds: float,
        clock: Callable[[], datetime],
        on_version_mismatch: Callable[[str, str], None] | None = None,
        reserve_points: int = 0,
        most_wait_seconds: float = MOST_WAIT_SECONDS,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most_wait_seconds = most_wait_seconds
        address = base_url.rstrip("/")
        send_once(session, address)
        tokens = TokenKeeper(
            credentials,
            url=f"{address}/admin/oauth/access_token",
            session=session,
            timeout_seconds=timeout_seconds,
            clock=clock,
        )
        self._graphql = GraphQL(
            tokens,
            url=f"{address}/admin/api/{API_VERSION}/graphql.json",
            session=session,
            timeout_seconds=timeout_seconds,
            bucket=Bucket(
                reserve_points=reserve_points,
                most_wait_seconds=most_wait_seconds,
                sleep=sleep,
                monotonic=monotonic,
            ),
            on_version_mismatch=on_version_mismatch,
        )

    def shop_facts(self) -> ShopFacts:
        """The shop's name, currency and time zone."""
        shop = replies.part(self._graphql.ask("shop_facts", {}).data, "shop")
        return ShopFacts(
            name=replies.text(shop, "name"),
            currency=replies.text(shop, "currencyCode"),
            time_zone=replies.text(shop, "ianaTimezone"),
        )

    def find_card(self, code: Code) -> Card | None:
        """The card with exactly this code, or None.

        The search also matches fragments of other cards' codes, so the answer counts only if it is
        one card and ends like the code. It lags behind: a card issued moments ago may be missed.
        A warning about the search means that it was not applied: `VendorSurprise`.
        """
        answer = self._graphql.ask("find_card", {"code": code.value})
        if answer.search_warnings:
            raise VendorSurprise(
                "Shopify did not search as asked"
                f" ({', '.join(answer.search_warnings)}): its results are not to be trusted"
            )
        found = replies.parts(replies.part(answer.data, "giftCards"), "nodes")
        if len(found) != 1:
            return None
        card = replies.card(found[0])
        return card if card.last4 == code.last4 else None

    def sold_lately(self, codes: Collection[Code], *, now: datetime) -> bool:
        """Whether a card that ends like one of `codes` was made so recently that search may lag.

        Says nothing about whether it is that card: only that it is worth looking again. One
        question for all of them.
        """
        ends = {code.last4 for code in codes}
        answer = self._graphql.ask("newest_cards", {"count": NEWEST_CARDS})
        cards = map(replies.card, replies.parts(replies.part(answer.data, "giftCards"), "nodes"))
        return any(card.last4 in ends and now - card.created_at < SEARCH_LAG for card in cards)

    def read_card(self, card_id: str) -> Card | None:
        """The card as it is now, by its id (this read does not lag); None if there is none."""
        answer = self._graphql.ask("read_card", {"id": card_id})
        card = replies.part_or_none(answer.data, "giftCard")
        return None if card is None else replies.card(card)

    def read_cards(self, card_ids: Sequence[str]) -> dict[str, Card]:
        """The cards as they are now, by id; an id without a card is left out."""
        cards: dict[str, Card] = {}
        for some in batched(dict.fromkeys(card_ids), CARDS_PER_QUERY, strict=False):
            answer = self._graphql.ask("read_cards", {"ids": list(some)})
            for node in replies.parts(answer.data, "nodes"):
                card = replies.card(node)
                cards[card.id] = card
        return cards

    def room_to_debit(self, *, within_seconds: float) -> AbstractContextManager[Room]:
        """Room in Shopify's bucket of points for one debit, kept as long as the block lasts.

        Waits for it at the beginning, so enter it before noting that the debit is sent. Raises
        `NotSent` where it would take longer than `within_seconds`.
        """
        return self._graphql.room_for("debit_card", {}, within_seconds=within_seconds)

    def debit(
        self, card_id: str, *, amount: Money, reference: str, room: Room | None = None
    ) -> DebitReply:
        """Take `amount` (positive) off the card, once, with `reference` as the note.

        Never waits before it sends: without `room` there have to be points enough at once.
        Raises `Unconfirmed` when nobody knows whether it was applied: look with `find_movement`
        before anything else. `NotSent` and `AccessRefused` say for certain that it was not.
        """
        variables: Mapping[str, object] = {
            "id": card_id,
            "debit": {
                "debitAmount": {
                    "amount": f"{amount.decimal():f}",
                    "currencyCode": amount.currency,
                },
                "note": reference,
            },
        }
        answer = self._graphql.change("debit_card", variables, room=room)
        try:
            payload = replies.part(answer.data, "giftCardDebit")
            return _read_debit(payload, amount)
        except VendorSurprise as surprise:
            raise Unconfirmed(f"A debit's answer cannot be read: {surprise}") from surprise

    def card_limits(self) -> CardLimits:
        """The most that a card may hold, by the shop's own settings."""
        return creating.read_limits(self._graphql)

    def create_card(
        self,
        *,
        code: Code,
        amount: Money,
        reference: str,
        expires_on: date | None,
        template_suffix: str | None = None,
    ) -> CreateReply:
        """Make a card of `amount` with our `code`, once, with `reference` as its note.

        `expires_on` is the card's last day (None: it never expires); `template_suffix` picks the
        theme of its page. Waits for points as a question does, because sending it later does no
        harm. Raises `Unconfirmed` when nobody knows whether it was made: the same call
        with the same code is then the way to find out, as the table in `creating` has it.
        """
        return creating.create_card(
            self._graphql,
            code=code,
            amount=amount,
            reference=reference,
            expires_on=expires_on,
            template_suffix=template_suffix,
            within_seconds=self._most_wait_seconds,
        )

    def find_created(self, code: Code) -> NotedCard | None:
        """The card with exactly this code and its note, or None: the search lags behind."""
        return creating.find_created(self._graphql, code)

    def find_movement(
        self, card_id: str, *, reference: str, amount: Money, since: datetime
    ) -> Movement | None:
        """The debit of `amount` (positive) with `reference` as its note since `since`, or None.

        Reads every page of the card's transactions, newest first, and stops at none: neither their
        order nor a backdated one can hide a debit. A debit with our reference and another amount is
        a `VendorSurprise`, as is a card that is gone or has more pages than `MOST_MOVEMENT_PAGES`.
        """
        earliest = since - CLOCK_SKEW_MARGIN
        for movement in self._movements(card_id):
            is_ours = movement.note == reference and movement.processed_at >= earliest
            if not is_ours or movement.amount.minor >= 0:
                continue
            if movement.amount != -amount:
                raise VendorSurprise(
                    f"{movement.id} carries our reference {reference}, but is {movement.amount}"
                    f" and not {-amount}: compare it with the receipt"
                )
            return movement
        return None

    def _movements(self, card_id: str) -> Iterator[Movement]:
        before: str | None = None
        for _ in range(MOST_MOVEMENT_PAGES):
            variables = {"id": card_id, "pageSize": MOVEMENTS_PER_PAGE, "before": before}
            card = replies.part(self._graphql.ask("card_movements", variables).data, "giftCard")
            page = replies.part(card, "transactions")
            yield from map(replies.movement, reversed(replies.parts(page, "nodes")))
            place = replies.part(page, "pageInfo")
            if not replies.flag(place, "hasPreviousPage"):
                return
            before = replies.text(place, "startCursor")
        raise VendorSurprise(
            f"{card_id} has more than {MOST_MOVEMENT_PAGES * MOVEMENTS_PER_PAGE} transactions:"
            " look through them in Shopify's admin"
        )


def _read_debit(payload: replies.Json, amount: Money) -> DebitReply:
    """The third layer of errors, `userErrors`, or what the debit made."""
    refusals = replies.parts(payload, "userErrors")
    if refusals:
        refusal = refusals[0]
        code = replies.text_or_none(refusal, "code")
        if code == "INSUFFICIENT_FUNDS":
            return InsufficientFunds()
        if code is None or code == "INTERNAL_ERROR":
            raise Unconfirmed(f"Shopify failed inside while debiting ({code})")
        return DebitRefused(code=code, message=replies.text(refusal, "message"))
    made = replies.part(payload, "giftCardDebitTransaction")
    moved = replies.money(made, "amount")
    if moved != -amount:
        raise VendorSurprise(f"Shopify debited {moved} and not {-amount}")
    balance = replies.money(replies.part(made, "giftCard"), "balance")
    return Debited(transaction_id=replies.text(made, "id"), balance_after=balance)
