"""What we remember of each card: where its code leads, and whether its mirror is up to date."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from giftcards.domain.duplicates import RecentRedemption
from giftcards.domain.money import Money
from giftcards.store.leases import Lease
from giftcards.store.table import (
    Item,
    Table,
    pack_moment,
    pack_money,
    unpack_moment,
    unpack_money,
)

CARD_PREFIX = "card#"
CODE_PREFIX = "code#"


def lock_key(card_id: str) -> str:
    """The key under which a card is locked while money moves on it."""
    return CARD_PREFIX + card_id


@dataclass(frozen=True, slots=True)
class MirrorState:
    """How often a card's balance moved (`wanted`), and up to which move it was mirrored.

    `is_shown`: it has a row in Airtable, which shows the balance `shown` as far as that was noted.
    """

    card_id: str
    wanted: int
    synced: int
    is_shown: bool = False
    shown: Money | None = None

    @property
    def is_behind(self) -> bool:
        """Whether the card moved since it was last mirrored."""
        return self.synced < self.wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What we know of a card that Shopify does not tell: whose it is, and who made it.

    `operation` is the operation that issued it, from which its code is worked out again; the other
    fields are the columns of its row in Airtable.
    """

    operation: str
    owner: str
    owner_email: str
    source: str
    store_id: str
    theme: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Freezing:
    """A card was frozen, or released: the `number`-th time that either was done, by whom, why."""

    number: int
    is_frozen: bool
    by: str
    because: str
    at: datetime


def is_frozen(lock: Lease) -> bool:
    """Whether the card was frozen when its lock was given."""
    return _is_frozen(lock.seen)


def recent_of(lock: Lease) -> list[RecentRedemption]:
    """The card's recent redemptions as they stood when its lock was given."""
    return [
        RecentRedemption(
            operation=one["operation"],
            store_id=one["store_id"],
            amount=Money(int(one["minor"]), one["currency"]),
            at=unpack_moment(one["at"]),
            was_refused=one["refused"],
        )
        for one in lock.seen.get("recent", [])
    ]


def pack_recent(recent: Iterable[RecentRedemption]) -> list[Item]:
    """Recent redemptions as they stand in a card's item."""
    return [
        {
            "operation": one.operation,
            "store_id": one.store_id,
            "minor": one.amount.minor,
            "currency": one.amount.currency,
            "at": pack_moment(one.at),
            "refused": one.was_refused,
        }
        for one in recent
    ]


class Cards:
    """The index of codes, and the bookkeeping of the mirror in Airtable."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, fingerprints: Iterable[str]) -> str | None:
        """The Shopify id of the card whose code has one of these fingerprints.

        The fingerprints are one code's, under the current pepper and the previous one.
        """
        found = self._table.get_many(CODE_PREFIX + fingerprint for fingerprint in fingerprints)
        return next((str(item["card_id"]) for item in found.values()), None)

    def remember(self, fingerprint: str, *, card_id: str) -> None:
        """Enter a code into the index. A code belongs to one card for ever (Shopify)."""
        self._table.put_if_absent({"key": CODE_PREFIX + fingerprint, "card_id": card_id})

    def leave_recent(self, lock: Lease, recent: Iterable[RecentRedemption]) -> None:
        """Remember a card's recent redemptions. Condition: its lock is still ours."""
        self._table.update(
            lock.key,
            "SET #recent = :recent",
            condition="#lease_owner = :owner AND #lease_fence = :fence",
            values={
                "recent": pack_recent(recent),
                "owner": lock.owner,
                "fence": lock.fence,
            },
        )

    def describe(self, card_id: str, about: About) -> None:
        """Keep what is known of a card we made. The first time stays; a second is harmless."""
        self._table.update(
            CARD_PREFIX + card_id,
            "SET #about = :about",
            condition="attribute_not_exists(#about)",
            values={"about": asdict(about)},
        )

    def about(self, card_ids: Iterable[str]) -> dict[str, About]:
        """What is known of those of these cards that we made, by Shopify id."""
        items = self._table.get_many(CARD_PREFIX + card_id for card_id in card_ids)
        return {
            key.removeprefix(CARD_PREFIX): About(
                **item["about"]
                | ({"owner_email": item["owner_email"]} if "owner_email" in item else {})
            )
            for key, item in items.items()
            if "about" in item
        }

    def resends(self, card_ids: Iterable[str]) -> dict[str, int]:
        """How often the office had each of these cards sent again, and its tick taken away."""
        wanted = list(card_ids)
        items = self._table.get_many(CARD_PREFIX + card_id for card_id in wanted)
        return {
            card_id: int(items.get(CARD_PREFIX + card_id, {}).get("resends", 0))
            for card_id in wanted
        }

    def note_resent(self, card_id: str, *, number: int) -> None:
        """The tick for the resend of this number is gone. Condition: the count grows."""
        self._table.update(
            CARD_PREFIX + card_id,
            "SET #resends = :number",
            condition="attribute_not_exists(#resends) OR #resends < :number",
            values={"number": number},
        )

    def note_owner_email(self, card_id: str, *, email: str, number: int) -> None:
        """The office corrected the owner's address with the resend of this number.

        Condition: no later resend has corrected it again.
        """
        self._table.update(
            CARD_PREFIX + card_id,
            "SET #owner_email = :email, #owner_email_by = :number",
            condition="attribute_not_exists(#owner_email_by) OR #owner_email_by <= :number",
            values={"email": email, "number": number},
        )

    def freeze(self, card_id: str, *, by: str, because: str, at: datetime) -> Freezing:
        """Let no store charge the card until it is released; return how it stands.

        Condition: it is not frozen. A card that is stays as it was frozen first.
        """
        return self._freeze(card_id, is_frozen=True, by=by, because=because, at=at)

    def release(self, card_id: str, *, by: str, because: str, at: datetime) -> Freezing | None:
        """Let stores charge a frozen card again; return how it stands.

        Condition: it is frozen. `None` for a card that never was.
        """
        if not self.frozen([card_id]):
            return self.freezing(card_id)
        return self._freeze(card_id, is_frozen=False, by=by, because=because, at=at)

    def frozen(self, card_ids: Iterable[str]) -> frozenset[str]:
        """Which of these cards are frozen."""
        items = self._table.get_many(CARD_PREFIX + card_id for card_id in card_ids)
        return frozenset(
            key.removeprefix(CARD_PREFIX) for key, item in items.items() if _is_frozen(item)
        )

    def _freeze(
        self, card_id: str, *, is_frozen: bool, by: str, because: str, at: datetime
    ) -> Freezing:
        """Freeze or release. Whoever meets his own first try finds it standing."""
        is_otherwise = "attribute_not_exists(#frozen) OR #frozen = :other"
        self._table.update(
            CARD_PREFIX + card_id,
            "SET #frozen = :frozen, #frozen_by = :by, #frozen_because = :because, #frozen_at = :at"
            " ADD #freezings :one",
            condition=is_otherwise if is_frozen else "#frozen = :other",
            values={
                "frozen": is_frozen,
                "other": not is_frozen,
                "by": by,
                "because": because,
                "at": pack_moment(at),
                "one": 1,
            },
        )
        standing = self.freezing(card_id)
        if standing is None:
            raise AssertionError(f"{card_id} was frozen or released, and its item does not say so")
        return standing

    def freezing(self, card_id: str) -> Freezing | None:
        """How the card was frozen or released last; `None` where it never was."""
        item = self._table.get(CARD_PREFIX + card_id)
        if item is None or "frozen" not in item:
            return None
        return Freezing(
            number=int(item["freezings"]),
            is_frozen=_is_frozen(item),
            by=item["frozen_by"],
            because=item["frozen_because"],
            at=unpack_moment(item["frozen_at"]),
        )

    def note_move(self, card_id: str) -> None:
        """The card's balance moved: its mirror is behind now. Once too often is harmless."""
        self._table.update(CARD_PREFIX + card_id, "ADD #wanted :one", values={"one": 1})

    def mirror_states(self, card_ids: Iterable[str]) -> list[MirrorState]:
        """How far behind the mirror of each of these cards is."""
        items = self._table.get_many(CARD_PREFIX + card_id for card_id in card_ids)
        return [
            MirrorState(
                card_id=key.removeprefix(CARD_PREFIX),
                wanted=int(item.get("wanted", 0)),
                synced=int(item.get("synced", 0)),
                is_shown="synced" in item,
                shown=unpack_money(item.get("shown")),
            )
            for key, item in items.items()
        ]

    def note_mirrored(self, state: MirrorState, *, shown: Money | None) -> None:
        """The balance `shown`, read after noting `state.wanted`, was written.

        Condition: `synced` does not fall. `None` where Shopify has no such card.
        """
        self._table.update(
            CARD_PREFIX + state.card_id,
            "SET #synced = :seen, #shown = :shown",
            condition="attribute_not_exists(#synced) OR #synced <= :seen",
            values={"seen": state.wanted, "shown": pack_money(shown)},
        )

    def recent_operations(self, card_id: str) -> list[str]:
        """The keys of what stores asked of this card lately."""
        item = self._table.get(CARD_PREFIX + card_id) or {}
        return [str(one["operation"]) for one in item.get("recent", [])]


def _is_frozen(item: Mapping[str, Any]) -> bool:
    return bool(item.get("frozen", False))
