"""What we remember of each card: where its code leads, and whether its mirror is up to date."""

from collections.abc import Iterable
from dataclasses import dataclass

from giftcards.domain.duplicates import RecentRedemption
from giftcards.domain.money import Money
from giftcards.store.leases import Lease
from giftcards.store.table import Item, Table, pack_moment, unpack_moment

CARD_PREFIX = "card#"
CODE_PREFIX = "code#"


def lock_key(card_id: str) -> str:
    """The key under which a card is locked while money moves on it."""
    return CARD_PREFIX + card_id


@dataclass(frozen=True, slots=True)
class MirrorState:
    """How often a card's balance moved (`wanted`), and up to which move it was mirrored."""

    card_id: str
    wanted: int
    synced: int

    @property
    def is_behind(self) -> bool:
        """Whether the card moved since it was last mirrored."""
        return self.synced < self.wanted


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
            )
            for key, item in items.items()
        ]

    def note_mirrored(self, state: MirrorState) -> None:
        """The balance read after noting `state.wanted` was written. Condition: `synced` grows."""
        self._table.update(
            CARD_PREFIX + state.card_id,
            "SET #synced = :seen",
            condition="attribute_not_exists(#synced) OR #synced < :seen",
            values={"seen": state.wanted},
        )
