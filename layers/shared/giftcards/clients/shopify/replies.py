"""Reads Shopify's JSON into cards, amounts and movements; anything unexpected is a surprise."""

from collections.abc import Mapping
from datetime import date, datetime

from giftcards.domain.cards import Card, CardSight, Movement
from giftcards.domain.money import Money, MoneyError
from giftcards.errors import VendorSurprise

type Json = Mapping[str, object]


def part(source: Json, name: str) -> Json:
    """The object at `name`; raises `VendorSurprise`."""
    value = source.get(name)
    if not isinstance(value, dict):
        raise VendorSurprise(f"Shopify's answer has no {name}")
    return value


def part_or_none(source: Json, name: str) -> Json | None:
    """The object at `name`, None where Shopify says null; raises `VendorSurprise`."""
    return None if source.get(name) is None else part(source, name)


def parts(source: Json, name: str) -> list[Json]:
    """The objects in the list at `name`, nulls left out; raises `VendorSurprise`."""
    return [value for value in entries(source, name) if isinstance(value, dict)]


def text(source: Json, name: str) -> str:
    """The text at `name`; raises `VendorSurprise`."""
    value = source.get(name)
    if not isinstance(value, str) or not value:
        raise VendorSurprise(f"Shopify's answer has no {name}")
    return value


def text_or_none(source: Json, name: str) -> str | None:
    """The text at `name`, None where Shopify says null; raises `VendorSurprise`."""
    return None if source.get(name) is None else text(source, name)


def words_or_none(source: Json, name: str) -> str | None:
    """What somebody may or may not have filled in at `name`; None where it is empty or null.

    Raises `VendorSurprise` where it is no text.
    """
    value = source.get(name)
    if value is not None and not isinstance(value, str):
        raise VendorSurprise(f"Shopify's {name} is no text")
    return value or None


def texts(source: Json, name: str) -> list[str]:
    """The texts in the list at `name`; raises `VendorSurprise`."""
    values = entries(source, name)
    if not all(isinstance(value, str) for value in values):
        raise VendorSurprise(f"Shopify's {name} are no texts")
    return [value for value in values if isinstance(value, str)]


def entries(source: Json, name: str) -> list[object]:
    """The list at `name` as it came, nulls included; raises `VendorSurprise`."""
    values = source.get(name)
    if not isinstance(values, list):
        raise VendorSurprise(f"Shopify's answer has no list {name}")
    return values


def count(source: Json, name: str) -> int:
    """The whole number at `name`, zero or more; raises `VendorSurprise`."""
    value = source.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise VendorSurprise(f"Shopify's answer has no number {name}")
    return value


def next_cursor(page: Json) -> str | None:
    """What to ask for the next page with, None on the last one; raises `VendorSurprise`."""
    place = part(page, "pageInfo")
    return text(place, "endCursor") if flag(place, "hasNextPage") else None


def flag(source: Json, name: str) -> bool:
    """The yes or no at `name`; raises `VendorSurprise`."""
    value = source.get(name)
    if not isinstance(value, bool):
        raise VendorSurprise(f"Shopify's answer has no {name}")
    return value


def money(source: Json, name: str) -> Money:
    """The amount at `name`: `{"amount": "5.0", "currencyCode": "USD"}`; raises `VendorSurprise`."""
    value = part(source, name)
    try:
        return Money.parse(text(value, "amount"), text(value, "currencyCode"))
    except MoneyError as problem:
        raise VendorSurprise(f"Shopify's {name} is no amount: {problem}") from problem


def moment(source: Json, name: str) -> datetime:
    """The time at `name`, with its offset; raises `VendorSurprise`."""
    try:
        value = datetime.fromisoformat(text(source, name))
    except ValueError as problem:
        raise VendorSurprise(f"Shopify's {name} is no time") from problem
    if value.tzinfo is None:
        raise VendorSurprise(f"Shopify's {name} is a time without its offset")
    return value


def day(source: Json, name: str) -> date:
    """The day at `name`; raises `VendorSurprise`."""
    try:
        return date.fromisoformat(text(source, name))
    except ValueError as problem:
        raise VendorSurprise(f"Shopify's {name} is no day") from problem


def card(source: Json) -> Card:
    """One gift card; raises `VendorSurprise`."""
    return Card(
        id=text(source, "id"),
        last4=text(source, "lastCharacters").lower(),
        balance=money(source, "balance"),
        initial_value=money(source, "initialValue"),
        enabled=flag(source, "enabled"),
        expires_on=None if source.get("expiresOn") is None else day(source, "expiresOn"),
        deactivated_at=(
            None if source.get("deactivatedAt") is None else moment(source, "deactivatedAt")
        ),
        created_at=moment(source, "createdAt"),
    )


def card_sight(source: Json) -> CardSight:
    """One gift card as the list of all cards shows it; raises `VendorSurprise`."""
    note = source.get("note")
    return CardSight(
        card=card(source),
        updated_at=moment(source, "updatedAt"),
        note=note if isinstance(note, str) else None,
    )


def movement(source: Json) -> Movement:
    """One transaction on a card; raises `VendorSurprise`. An empty note is a note."""
    note = source.get("note")
    return Movement(
        id=text(source, "id"),
        amount=money(source, "amount"),
        note=note if isinstance(note, str) else None,
        processed_at=moment(source, "processedAt"),
    )
