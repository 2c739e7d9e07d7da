"""What must hold whatever was asked for: answers, receipts, mirrors, codes, leases, rest."""

from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from string import ascii_letters, digits
from typing import TYPE_CHECKING, Any

from giftcards.clients.mail import tag_of
from giftcards.domain.drift import Drift
from giftcards.flows.answer_store import DROPPED
from giftcards.flows.kinds import ADJUSTED, DRIFT, HELD_ORDER
from giftcards.flows.messages import MAIL_WAITS
from giftcards.flows.redeem import KIND as REDEMPTION
from giftcards.metrics import Metric
from giftcards.receipts import Receipt
from giftcards.store.journal import Operation, State
from giftcards.store.table import OPEN_QUEUE, PARKED_QUEUE, unpack_moment
from giftcards.wiring import Application
from simulator.faults import BY_OTHERS, Kind, Planned
from simulator.mails import words_for, wrong_in
from simulator.stories.story import Promise, Settle, Story
from simulator.worker import told_of
from tests.aws_in_memory.ses import SentMail

if TYPE_CHECKING:
    from simulator.world import World

# With nothing going wrong, a tick that begins at once and all it calls.
A_HEALTHY_ANSWER_SECONDS = 30.0

# Who a store's answer comes from: the stores' prong, and what mails it. All others do bulk work.
SERVING_STORES = ("prong: ", "answer: ")
OUTAGES = frozenset({Kind.VENDOR_AWAY, Kind.VENDOR_DOWN})
# What happens beside a worker, or what it does not notice.
DELAYS_NOBODY = BY_OTHERS | {Kind.ECHOED, Kind.MESSAGE_TWICE}

# Codes are letters and digits of ASCII, in capitals or not: all other bytes, and each as small.
NO_LETTERS = bytes(set(range(256)) - set((ascii_letters + digits).encode()))
SMALL = bytes(range(256)).lower()

# What is said of a message that failed for a reason that does not pass.
FAILED = "a message failed"

# Of what comparing the books finds, what is about rows in Airtable. All else is about money that
# nobody can account for.
ABOUT_ROWS = frozenset(
    {
        Drift.MISSING_ROW,
        Drift.STALE_BALANCE,
        Drift.DUPLICATE_ROWS,
        Drift.RECEIPT_MISSING,
        Drift.RECEIPT_ALTERED,
    }
)

STORIES: Mapping[str, Story] = {}


def settle_drift(world: "World", app: Application, operation: Operation) -> None:
    """Whoever is told of a card that stands in several rows keeps the oldest, and says so."""
    if operation.snapshot["drift"] == Drift.DUPLICATE_ROWS:
        table = world.base.table("Gift Cards")
        card_id = operation.snapshot["subject"]
        rows = [row for row in table.records() if row["fields"]["Shopify ID"] == card_id]
        for row in rows[1:]:
            table.delete(row["id"])
    app.dismiss().dismiss(operation, by="the office")


SETTLERS: Mapping[str, Settle] = {DRIFT: settle_drift}


def one_answer(world: "World") -> Iterator[str]:
    """The outcome never changes; its store is mailed that one, at least once; the row shows it."""
    for name, text in world.dynamodb.broken:
        if name == "ONE_ANSWER":
            yield text
    mails: dict[str, list[SentMail]] = {}
    for mail in world.ses.sent():
        mails.setdefault(mail.tags["operation"], []).append(mail)
    for operation in world.operations.values():
        result = operation.result
        if result is None or result.mail_to is None:
            continue
        about = mails.pop(tag_of(operation.key), ())
        is_dropped = world.items[f"op#{operation.key}"].get("message_id") == DROPPED
        if operation.answered_at is None or (not about and not is_dropped):
            yield f"{operation.key} ({result.outcome}) was never mailed to {result.mail_to}"
        for mail in about:
            yield from _is_that_answer(world, mail, operation, result.mail_to)
    for tag in mails:
        yield f"a mail was sent about {tag}, of which there is nothing to be told"


def _is_that_answer(world: "World", mail: SentMail, operation: Operation, to: str) -> Iterator[str]:
    """A mail went to whom it had to, and says what became of the operation."""
    if mail.destinations["ToAddresses"] != [to]:
        yield f"the answer of {operation.key} went to {mail.destinations}, not to {to}"
    words = words_for(operation, world.operations)
    if words is None:
        yield f"nobody knows what a mail of {operation.kind} has to say ({operation.key})"
        return
    outcome = None if operation.result is None else operation.result.outcome
    for wrong in wrong_in(mail, words):
        yield f"the answer of {operation.key}, which is {outcome}, {wrong}"


def one_receipt(world: "World") -> Iterator[str]:
    """Every receipt stands in the journal once, and once in Airtable, as it was."""
    shown = Counter(row["Receipt"] for row in world.rows("Receipts"))
    cells = {row["Receipt"]: row for row in world.rows("Receipts")}
    known: set[str] = set()
    for operation in world.operations.values():
        for receipt in () if operation.result is None else operation.result.receipts:
            if receipt.id in known:
                yield f"the receipt {receipt.id} stands in the journal twice"
            known.add(receipt.id)
            if shown[receipt.id] == 0:
                yield f"the receipt {receipt.id} is missing in Airtable"
            elif shown[receipt.id] > 1:
                yield f"the receipt {receipt.id} stands in Airtable {shown[receipt.id]} times"
            else:
                yield from _misread(receipt, cells[receipt.id])
    for name in shown.keys() - known:
        yield f"Airtable shows a receipt {name} that the journal does not know"


def _misread(receipt: Receipt, row: Mapping[str, Any]) -> Iterator[str]:
    """What a receipt's row says otherwise than the journal's: its money first of all."""
    money = {"Amount": receipt.amount, "Balance After": receipt.balance_after}
    texts = {
        "Action": str(receipt.action),
        "Actor": receipt.actor,
        "Gift Card": receipt.card,
        "Outcome": str(receipt.outcome),
        "Operation": receipt.operation,
    }
    for name, amount in money.items():
        shown = None if row.get(name) is None else Decimal(str(row[name]))
        if shown != (None if amount is None else amount.decimal()):
            yield f"the receipt {receipt.id} shows {shown} as {name} in Airtable, not {amount}"
    for name, text in texts.items():
        if row.get(name) != text:
            yield f"the receipt {receipt.id} shows {row.get(name)} as {name} in Airtable"
    if not str(row.get("Details")).startswith(receipt.details):
        yield f"the receipt {receipt.id} reads {row.get('Details')} in Airtable"


def in_step(world: "World") -> Iterator[str]:
    """Every card that moved or was made has one row in Airtable, with the balance it has.

    With the web shop's prongs at work, so has every card there is.
    """
    rows = world.rows("Gift Cards")
    counted = Counter(row["Shopify ID"] for row in rows)
    balances = {row["Shopify ID"]: Decimal(str(row["Balance"])) for row in rows}
    moved = {
        operation.result.moved_card
        for operation in world.operations.values()
        if operation.result is not None and operation.result.moved_card is not None
    }
    for card in world.shop.cards:
        if card.id not in moved and card.id not in counted and not world.is_on_web:
            continue
        if counted[card.id] == 0:
            yield f"{card.id} has no row in Airtable"
        elif counted[card.id] > 1:
            yield f"{card.id} has {counted[card.id]} rows in Airtable"
        elif (
            counted[card.id] == 1
            and balances[card.id] != card.balance
            and not world.is_behind_by_right(card.id)
        ):
            yield f"{card.id} holds {card.balance}, and Airtable shows {balances[card.id]}"


def no_code(world: "World") -> Iterator[str]:
    """No log line, receipt, message, item, object, mail or processed cell holds a full code.

    Not in any spelling that differs in capitals, blanks, dashes and the like.
    """
    codes = [folded(card.code) for card in world.shop.cards]
    mails = [part for mail in world.ses.sent() for part in (mail.subject, mail.text, mail.body)]
    places = {
        "an item of the table": repr(world.new_items),
        "a message": "\n".join(world.sqs.bodies),
        "a cell in Airtable": repr(world.done_cells),
        "a mail": "\n".join(mails),
        "an object in the bucket": "\n".join(str(body) for body in world.s3.objects()),
        "a log line": repr(world.log.lines),
        "an error that Lambda shows": repr([told_of(error) for error in world.alarms]),
    }
    for place, text in places.items():
        plain = folded(text)
        if any(code in plain for code in codes):
            yield f"{place} holds a full code"


def folded(text: str) -> bytes:
    """Its letters and digits alone, all small, without what `repr` makes of a line's end."""
    return text.replace("\\n", "").encode().translate(SMALL, NO_LETTERS)


def nothing_lost(world: "World") -> Iterator[str]:
    """What failed for good was a dead letter or parked, and rang; sent again, it completed.

    A dead letter rings by its queue, which the template's alarms watch.
    """
    for name, url in world.urls.items():
        left = world.sqs.queue(url).messages
        if left and name.endswith("DeadLetters"):
            yield f"{len(left)} messages stay in {name}, though they were sent again"
    for key, item in world.items.items():
        if item.get("queue") == PARKED_QUEUE:
            yield f"{key} stays parked, though a person decided it"
    for operation in world.operations.values():
        if operation.state in {State.CLAIMED, State.SENT, State.COMMITTED}:
            yield f"{operation.key} stays {operation.state}"
    yield from _without_alarm(world)


def _without_alarm(world: "World") -> Iterator[str]:
    """What was left to a person, failed or is unexplained, and did not ring; or rang for nothing.

    Where somebody dies between alarm and write, it rings twice.
    """
    held = [key for key, one in world.operations.items() if one.kind == HELD_ORDER]
    failed = [message for message, _ in world.log.lines if message == FAILED]
    late = [message for message, _ in world.log.lines if message == MAIL_WAITS]
    money = [
        key
        for key, one in world.operations.items()
        if (one.kind == DRIFT and one.snapshot["drift"] not in ABOUT_ROWS)
        or (one.kind == ADJUSTED and _has_no_movement(one))
    ]
    what_rings = {
        Metric.PARKED: [*world.dynamodb.parked, *held],
        Metric.MESSAGE_FAILED: failed,
        Metric.MAIL_WAITED: late,
        Metric.UNEXPLAINED_MONEY: money,
    }
    for metric, things in what_rings.items():
        rang = world.counted.get(metric, 0)
        if rang < len(things) or (rang > len(things) and not world.gate.met):
            yield f"{metric} rang {rang} times, for {things}"
    if world.alarms and not world.gate.met:
        yield f"on a healthy day, functions ended with {world.alarms}"


def _has_no_movement(adjustment: Operation) -> bool:
    """Whether Shopify showed nothing behind a change, nor does it even out an earlier one."""
    told = adjustment.result.reason if adjustment.result is not None else None
    return not adjustment.snapshot["movements"] and "evens out" not in (told or "")


def lease_frees(world: "World") -> Iterator[str]:
    """A lease lasts no longer than it may, its fence grows, and at rest it is free."""
    for name, text in world.dynamodb.broken:
        if name == "LEASE_FREES":
            yield text
    longest = world.clock().timestamp() + world.config.lease_seconds + 1
    for key, item in world.items.items():
        until = item.get("lease_until")
        if until is not None and until / 1000 > longest:
            yield f"{key} is locked for longer than a lease"


def first_come(world: "World") -> Iterator[str]:
    """A store's answer never waits for others: nor for what befalls them, beyond a card's lease.

    Excused are accidents of those who serve the stores, outages, a row that somebody deleted, and
    one that was too old when all began; not what grew old in our hands.
    """
    if any(map(_holds_up_stores, world.gate.met)):
        return
    longest = A_HEALTHY_ANSWER_SECONDS + (world.config.lease_seconds if world.gate.met else 0)
    answered = 0
    for operation in world.operations.values():
        if operation.kind != REDEMPTION or operation.answered_at is None:
            continue
        answered += 1
        asked_at = unpack_moment(operation.snapshot["row_created_at"])
        waited = (operation.answered_at - asked_at).total_seconds()
        is_excused = (
            asked_at.timestamp() < world.timeline.began
            or operation.snapshot["row_id"] in world.deleted
        )
        if waited > longest and not is_excused:
            yield f"{operation.key} waited for {waited:.0f} s, and nothing held it up"
    noted = sum(metric is Metric.MAIL_WAITED for metric, _ in world.noted)
    if noted != answered and not world.gate.met:
        yield f"{answered} stores were answered, and the waits of {noted} were noted"


def _holds_up_stores(one: Planned) -> bool:
    """Whether an accident may delay a store's answer by right."""
    if one.kind in OUTAGES:
        return True
    return one.effect.startswith(SERVING_STORES) and one.kind not in DELAYS_NOBODY


def comes_to_rest(world: "World") -> Iterator[str]:
    """After the accidents stop, all is done within hours."""
    if world.is_restless:
        open_ones = [key for key, one in world.items.items() if one.get("queue") == OPEN_QUEUE]
        queued = [name for name, url in world.urls.items() if world.sqs.queue(url).messages]
        yield f"open: {open_ones}; messages in {queued}; rows wait: {world.waits()}"


def nothing_invented(world: "World") -> Iterator[str]:
    """What comparing the books finds is there for a reason that the history knows."""
    reasons = {
        Drift.DUPLICATE_ROWS: world.may_be_doubled,
        Drift.LATE_DEBIT: world.may_be_late,
        Drift.DUPLICATE_DEBIT: world.may_be_late or bool(world.charged_by_mistake),
        # What moved without us only the web shop's prong shows before.
        Drift.UNEXPLAINED_MOVEMENT: bool(world.web),
        Drift.STALE_BALANCE: world.may_be_late or world.may_be_doubled or bool(world.web),
    }
    for operation in world.operations.values():
        if operation.kind != DRIFT or operation.snapshot["drift"] in world.planted:
            continue
        if not reasons.get(operation.snapshot["drift"], False):
            yield f"{operation.key} was found, and nothing is wrong"


PROMISES: tuple[tuple[str, Promise], ...] = (
    ("COMES_TO_REST", comes_to_rest),
    ("NOTHING_INVENTED", nothing_invented),
    ("ONE_ANSWER", one_answer),
    ("ONE_RECEIPT", one_receipt),
    ("IN_STEP", in_step),
    ("NO_CODE", no_code),
    ("NOTHING_LOST", nothing_lost),
    ("LEASE_FREES", lease_frees),
    ("FIRST_COME", first_come),
)
