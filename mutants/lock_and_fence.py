"""Guards that keep two workers apart: the card's lock, and its fence."""

from mutants.mutant import Guard, Mutant, named

CARDS = "layers/shared/giftcards/store/cards.py"
JOURNAL = "layers/shared/giftcards/store/journal.py"
LEASES = "layers/shared/giftcards/store/leases.py"
MONEY_MOVES = "layers/shared/giftcards/flows/money_moves.py"
REDEEM = "layers/shared/giftcards/flows/redeem.py"
TEMPLATE = "template.yaml"
WIRING = "layers/shared/giftcards/wiring.py"

LOCK_OF_MARK = '"#lease_owner = :owner AND #lease_fence = :fence AND #lease_until > :now"'

MUTANTS = (
    Mutant(
        name="lock-always-given",
        guard=Guard.LOCK,
        breaks="A lease is given although somebody holds it.",
        file=LEASES,
        old='condition="attribute_not_exists(#lease_until) OR #lease_until < :now",',
        new=(
            'condition="attribute_not_exists(#lease_until) OR #lease_until < :now'
            ' OR #lease_until >= :now",'
        ),
        tests=(
            *named(
                "store/test_leases.py", "test_a_held_lease_is_respected_to_its_last_millisecond"
            ),
            *named("flows/test_guards.py", "test_a_card_on_which_another_worker_moves_money_waits"),
            *named("flows/test_tick.py", "test_a_held_lease_is_respected"),
        ),
    ),
    Mutant(
        name="lock-ends-early",
        guard=Guard.LOCK,
        breaks="A lease is given away in its last millisecond.",
        file=LEASES,
        old="OR #lease_until < :now",
        new="OR #lease_until <= :now",
        tests=named(
            "store/test_leases.py", "test_a_held_lease_is_respected_to_its_last_millisecond"
        ),
    ),
    Mutant(
        name="lock-of-somebody-else-believed",
        guard=Guard.LOCK,
        breaks="Whoever is refused a lease takes the holder's for his own.",
        file=LEASES,
        old='if item is None or item.get("lease_owner") != owner:',
        new="if item is None:",
        tests=(
            *named(
                "store/test_leases.py", "test_a_held_lease_is_respected_to_its_last_millisecond"
            ),
            *named("flows/test_guards.py", "test_a_card_on_which_another_worker_moves_money_waits"),
        ),
    ),
    Mutant(
        name="lock-of-the-row",
        guard=Guard.LOCK,
        breaks="The row is locked in place of the card.",
        file=REDEEM,
        old="lock = self.locks.acquire(lock_key(charge.card_id), now=self.clock())",
        new="lock = self.locks.acquire(lock_key(operation.key), now=self.clock())",
        tests=(
            *named("flows/test_guards.py", "test_a_card_on_which_another_worker_moves_money_waits"),
            *named("flows/test_outcomes.py", "test_two_forms_filed_at_once_are_charged_once"),
        ),
    ),
    Mutant(
        name="lock-kept",
        guard=Guard.LOCK,
        breaks="The lock is not given back, so the card's next customer waits for its end.",
        file=REDEEM,
        old="        finally:\n            self.locks.release(lock)",
        new="        finally:\n            pass",
        tests=named(
            "flows/test_side_by_side.py", "test_twenty_rows_of_one_card_are_served_in_their_order"
        ),
    ),
    Mutant(
        name="lock-released-by-anybody",
        guard=Guard.LOCK,
        breaks="A worker that lost its lease gives back the heir's.",
        file=LEASES,
        old='condition="#lease_owner = :owner AND #lease_fence = :fence",',
        new=(
            'condition="#lease_owner = :owner OR #lease_fence = :fence'
            ' OR attribute_exists(#lease_owner)",'
        ),
        tests=named("store/test_leases.py", "test_whoever_lost_the_lease_cannot_release_the_heirs"),
    ),
    Mutant(
        name="lock-not-asked-when-a-refusal-is-left",
        guard=Guard.LOCK,
        breaks="A worker that lost the card's lock still changes what the card remembers.",
        file=CARDS,
        old='condition="#lease_owner = :owner AND #lease_fence = :fence",',
        new=(
            'condition="#lease_owner = :owner OR #lease_fence = :fence'
            ' OR attribute_exists(#lease_owner)",'
        ),
        tests=named("store/test_cards.py", "test_whoever_lost_the_lock_leaves_nothing_on_the_card"),
    ),
    Mutant(
        name="lease-shorter-than-the-time-out",
        guard=Guard.LEASE,
        breaks="A card's lock ends while its worker may still wait for Shopify.",
        file=TEMPLATE,
        old="  LeaseSeconds:\n    Type: Number\n    Default: 30\n",
        new="  LeaseSeconds:\n    Type: Number\n    Default: 20\n",
        tests=named("template/test_waits.py", "test_whoever_lost_a_lease_is_dead_by_default"),
    ),
    Mutant(
        name="lease-set-shorter-than-the-time-out",
        guard=Guard.LEASE,
        breaks="A retailer may set a lock that ends while its worker may still wait for Shopify.",
        file=TEMPLATE,
        old="    MinValue: 30\n    MaxValue: 120\n",
        new="    MinValue: 20\n    MaxValue: 120\n",
        tests=named(
            "template/test_waits.py", "test_whoever_lost_a_lease_is_dead_whatever_a_retailer_sets"
        ),
    ),
    Mutant(
        name="lease-of-one-call-only",
        guard=Guard.LEASE,
        breaks="A card is locked for the time of one call, not of a worker's life.",
        file=WIRING,
        old="return Leases(self.table, seconds=self.config.lease_seconds)",
        new="return Leases(self.table, seconds=self.config.http_timeout_seconds)",
        tests=named("flows/test_redeem.py", "test_a_card_is_redeemed_and_everybody_knows"),
    ),
    Mutant(
        name="fence-does-not-grow",
        guard=Guard.FENCE,
        breaks="Each holder gets the same fence.",
        file=LEASES,
        old='"SET #lease_owner = :owner, #lease_until = :until ADD #lease_fence :one",',
        new='"SET #lease_owner = :owner, #lease_until = :until, #lease_fence = :one",',
        tests=named(
            "store/test_leases.py",
            "test_a_dead_workers_lease_is_taken_over_with_a_higher_fence",
            "test_a_released_lease_is_free_at_once_and_its_fence_goes_on",
        ),
    ),
    Mutant(
        name="fence-lower-is-good-enough",
        guard=Guard.FENCE,
        breaks="A lower fence than the card's still marks SENT.",
        file=JOURNAL,
        old=LOCK_OF_MARK,
        new='"#lease_owner = :owner AND #lease_fence >= :fence AND #lease_until > :now"',
        tests=named("store/test_journal.py", "test_a_lower_fence_does_not_send"),
    ),
    Mutant(
        name="fence-of-any-owner",
        guard=Guard.FENCE,
        breaks="The right fence is enough, whoever holds the lock.",
        file=JOURNAL,
        old=LOCK_OF_MARK,
        new=(
            '"(#lease_owner = :owner OR #lease_fence = :fence)'
            ' AND #lease_fence = :fence AND #lease_until > :now"'
        ),
        tests=named("store/test_journal.py", "test_another_owner_of_the_same_fence_does_not_send"),
    ),
    Mutant(
        name="fence-not-asked",
        guard=Guard.FENCE,
        breaks="SENT is marked without asking who holds the card's lock.",
        file=JOURNAL,
        old=LOCK_OF_MARK,
        new='"#lease_until > :now AND (#lease_owner = :owner OR #lease_fence >= :fence)"',
        tests=named(
            "store/test_journal.py",
            "test_nobody_sends_without_the_cards_lock",
            "test_a_lower_fence_does_not_send",
        ),
    ),
    Mutant(
        name="fence-of-a-lock-that-is-over",
        guard=Guard.FENCE,
        breaks="SENT is marked under a lock that has ended.",
        file=JOURNAL,
        old=LOCK_OF_MARK,
        new=(
            '"#lease_owner = :owner AND #lease_fence = :fence'
            ' AND (#lease_until > :now OR #lease_until <= :now)"'
        ),
        tests=named("store/test_journal.py", "test_nobody_sends_under_a_lock_that_is_over"),
    ),
    Mutant(
        name="fence-of-anothers-mark",
        guard=Guard.FENCE,
        breaks="A worker that finds the operation SENT by another one sends as well.",
        file=MONEY_MOVES,
        old="if sent.state is not State.SENT or sent.sent_by != lock.owner:",
        new="if sent.state is not State.SENT:",
        tests=named(
            "flows/test_guards.py", "test_a_worker_that_thaws_does_not_send_what_another_sent"
        ),
    ),
)
