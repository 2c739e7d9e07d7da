"""The shop's gift cards and orders, as the rest of the application speaks of them.

Balances are Shopify's: they are read here and nowhere reckoned. Few things change anything. A debit
or a credit is not idempotent: it is sent once, and `find_movement` tells afterwards whether it was
applied (`moving`). A card is made by `create_card`, which is safe to repeat with the same code
(`creating`). Taking a card out of use and tagging an order are safe to repeat as well.
"""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime, timedelta
from itertools import batched

import requests

from giftcards.clients.sending import send_once
from giftcards.clients.shopify import creating, moving, orders, payments, replies
from giftcards.clients.shopify.graphql import API_VERSION, GraphQL
from giftcards.clients.shopify.points import MOST_WAIT_SECONDS, Bucket, Room
from giftcards.clients.shopify.tokens import ClientCredentials, StaticToken, TokenKeeper
from giftcards.domain.cards import (
    Card,
    CardLimits,
    CardPage,
    CreateReply,
    CreditReply,
    DeactivateReply,
    DebitReply,
    Movement,
    NotedCard,
    ShopFacts,
)
from giftcards.domain.codes import Code
from giftcards.domain.money import Money
from giftcards.domain.orders import OrderPage, OrderSight, PaidOrder, WebOrder
from giftcards.errors import VendorSurprise

# Shopify prices a query by the objects it may return and allows 1,000 points in one: a hundred
# cards cost a hundred.
CARDS_PER_QUERY = 100

# Search lags by tens of seconds; ten minutes is beyond all that was seen for gift cards.
SEARCH_LAG = timedelta(minutes=10)

# A shop that sells more cards than this within ten minutes finds some of them a moment later.
NEWEST_CARDS = 50


class Shopify:
    """One shop's gift cards and orders, by the Admin API.

    `base_url` is the shop's own address (`https://my-shop.myshopify.com`). `timeout_seconds` bounds
    each request in all. `session` is made to send each request to that address once.
    `on_version_mismatch(asked, answered)` is called once if Shopify answers by another version of
    its API than we were built for, which it does when it retires ours.

    A client for bulk work has a `reserve_points`: it leaves so many in Shopify's bucket, and may
    wait longer for the others (`most_wait_seconds`) than one that a customer waits for.

    Every method raises what the table in `graphql` says: `NotSent`, `AccessRefused`,
    `ConfigurationError` and `VendorSurprise`; `debit`, `credit` and `create_card` also
    `Unconfirmed`, `deactivate` and `tag_order` also `SafeToRepeat`.
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

    def granted_scopes(self) -> frozenset[str]:
        """The scopes that our app was granted in this shop. One to write lets us read as well."""
        answer = self._graphql.ask("granted_scopes", {})
        scopes = replies.parts(replies.part(answer.data, "currentAppInstallation"), "accessScopes")
        return frozenset(replies.text(scope, "handle") for scope in scopes)

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
        return moving.debit(self._graphql, card_id, amount=amount, reference=reference, room=room)

    def room_to_credit(self, *, within_seconds: float) -> AbstractContextManager[Room]:
        """Room for one credit, as `room_to_debit`."""
        return self._graphql.room_for("credit_card", {}, within_seconds=within_seconds)

    def credit(
        self, card_id: str, *, amount: Money, reference: str, room: Room | None = None
    ) -> CreditReply:
        """Put `amount` (positive) onto the card, once, with `reference` as the note.

        As `debit`: never waits before it sends, and `Unconfirmed` means that nobody knows.
        """
        return moving.credit(self._graphql, card_id, amount=amount, reference=reference, room=room)

    def deactivate(self, card_id: str) -> DeactivateReply:
        """Take a card out of use, for ever. A second time changes nothing.

        Raises `SafeToRepeat` when nobody knows whether it was applied: ask again.
        """
        return moving.deactivate(self._graphql, card_id, within_seconds=self._most_wait_seconds)

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
        self,
        card_id: str,
        *,
        reference: str,
        amount: Money,
        since: datetime,
        is_credit: bool = False,
    ) -> Movement | None:
        """The debit of `amount` (positive) with `reference` as its note since `since`, or None.

        With `is_credit` the credit of `amount` instead. Reads every page of the card's
        transactions, newest first, and stops at none: neither their order nor a backdated one can
        hide what we look for. A debit with our reference and another amount is a `VendorSurprise`,
        as is a card that is gone or has more pages than `MOST_MOVEMENT_PAGES`.
        """
        return moving.find_movement(
            self._graphql,
            card_id,
            reference=reference,
            amount=amount if is_credit else -amount,
            since=since,
        )

    def movements(self, card_id: str, *, since: datetime) -> list[Movement]:
        """What moved on the card since `since`, newest first, with some minutes before it.

        Our clock and Shopify's may differ, hence the minutes. A card that is gone or has more
        pages than `MOST_MOVEMENT_PAGES` is a `VendorSurprise`.
        """
        return moving.movements(self._graphql, card_id, since=since)

    def changed_cards(self, *, count: int, after: str | None = None) -> CardPage:
        """A page of all the shop's cards, at most `count` (up to 250), the newest change first.

        `after` is the `end_cursor` of the page before. No search is needed for it, so nothing lags
        as far as is known; a card that changes between two pages may be on both or on neither.
        """
        return self._page_of_cards("changed_cards", count=count, after=after)

    def all_cards(self, *, count: int, after: str | None = None) -> CardPage:
        """A page of all the shop's cards, at most `count` (up to 250), the oldest first.

        As `changed_cards`, in an order that never changes: a cursor stays good for a later run.
        """
        return self._page_of_cards("all_cards", count=count, after=after)

    def _page_of_cards(self, name: str, *, count: int, after: str | None) -> CardPage:
        answer = self._graphql.ask(name, {"count": count, "after": after})
        page = replies.part(answer.data, "giftCards")
        return CardPage(
            cards=tuple(map(replies.card_sight, replies.parts(page, "nodes"))),
            end_cursor=replies.next_cursor(page),
        )

    # Orders.

    def find_orders(self, search: str, *, most_pages: int) -> Iterator[list[OrderSight]]:
        """Pages of the orders a search of `searching` finds, the one unchanged longest first.

        Fifty a page, each asked for when it is reached, at most `most_pages`. A warning about the
        search means that it was not applied: `VendorSurprise`.
        """
        return orders.find_orders(self._graphql, search, most_pages=most_pages)

    def order_page(self, search: str, *, after: str | None = None) -> OrderPage:
        """One page of what `find_orders` finds; `after` is the `end_cursor` of the page before.

        A cursor tells a place in time: it stays good for a later run, with the same search.
        """
        return orders.order_page(self._graphql, search, after=after)

    def read_order(self, order_id: str) -> WebOrder | None:
        """The order as it is now, with all its lines; None where there is none for us."""
        return orders.read_order(self._graphql, order_id)

    def read_payments(self, order_id: str) -> PaidOrder | None:
        """How gift cards paid the order, and what went back to them; None where there is none.

        An order of 250 payments or more is a `VendorSurprise`: Shopify shows no more of them.
        """
        return payments.read_payments(self._graphql, order_id)

    def tag_order(self, order_id: str, tag: str) -> str | None:
        """Tag the order: why Shopify refused it, or None when it has the tag now.

        Raises `SafeToRepeat` when nobody knows whether it was applied: ask again.
        """
        return orders.tag_order(
            self._graphql, order_id, tag, within_seconds=self._most_wait_seconds
        )
