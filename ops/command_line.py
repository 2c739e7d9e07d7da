"""The engineer's commands.

    ops status --stack universal-gift-cards
    ops resume --stack universal-gift-cards        shows what it would process, then asks
    ops pause  --stack universal-gift-cards        no new debit from the next tick on
    ops park list   --stack universal-gift-cards   what only a person can finish, and why
    ops park decide KEY… retry|charged|not-charged|credited|not-credited|credit-back|dismiss
    ops call-off --stack universal-gift-cards      redemptions that were taken up, and not sent yet
    ops call-off KEY… --because TEXT               they are never charged; their stores are told
    ops find-charged --stack universal-gift-cards  which of them were charged, after a restore
    ops redrive --stack universal-gift-cards       what gave up, and whether it can go on
    ops redrive QUEUE|--all                        shows it, asks, and sends it again
    ops redrive QUEUE --drop ID|done               drops what leads to nothing any more
    ops redrive --parked                           how each thing that is parked is decided
    ops redrive --parked KEY…                      shows these, asks, and has them tried again
    ops freeze CARD --because TEXT --stack universal-gift-cards    refused in stores until released
    ops unfreeze CARD --because TEXT --stack universal-gift-cards
    ops reconcile [--all] [--wait] --stack universal-gift-cards     the books are compared now
    ops setup mail --stack universal-gift-cards     may SES send? the records that your DNS lacks
    ops setup klaviyo --stack universal-gift-cards  the customers' mails; run it after each update

Exit code 0: done. 1: something has to be mended first; the message says what. 2: wrong usage.
"""

import argparse
import getpass
import sys
from collections.abc import Callable, Sequence

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from giftcards.clients.airtable import Layout, read_schema, resolve_layout
from giftcards.clients.klaviyo import TemplateChange
from giftcards.clients.shopify.searching import unprocessed_orders
from giftcards.config import Config
from giftcards.domain.balance import BalanceRow
from giftcards.domain.creation import CreationRow
from giftcards.domain.outcomes import RedemptionRow
from giftcards.errors import GiftCardError
from giftcards.flows.dismiss import DISMISSED_KINDS
from giftcards.flows.freeze import global_id
from giftcards.flows.kinds import DRIFT, OWED, REPAY, RETURN, REVERSAL
from giftcards.flows.owe import CREDIT_BACK
from giftcards.flows.redeem import KIND as REDEMPTION
from giftcards.flows.redeem import operation_key
from giftcards.flows.sale import CONFIRMATION, DELIVERY, RESEND, SALE, Sale
from giftcards.flows.store_book import can_be_mailed
from giftcards.store.attempts import ROW_PREFIX
from giftcards.store.control import ProngState, Switch
from giftcards.store.journal import Operation, State
from giftcards.wiring import (
    PURCHASES_PRONG,
    REDEMPTIONS_PRONG,
    STORES_PRONG,
    Application,
)
from ops.airtable_calls import calls_a_month, comparing_calls_a_month, describe_plan
from ops.books import ask, describe_books, wait_for
from ops.call_off import call_off, find_charged, taken_up
from ops.deployment import count_dead_letters, open_deployment, stack_outputs
from ops.redrive import DONE, dead_letter_queues
from ops.redrive_command import redrive as redrive_queues
from ops.saying import say
from ops.setup_klaviyo import (
    CHECKLIST,
    branches,
    describe_change,
    introduce_metrics,
    renewals,
    upload_templates,
)
from ops.setup_mail import report_mail
from ops.shopify_access import describe_access
from ops.workers import describe_workers

PRONGS = (STORES_PRONG, PURCHASES_PRONG, REDEMPTIONS_PRONG)

# How a person decides what is parked, by its kind: the money moved, or it did not.
DECISIONS = {
    REDEMPTION: ("charged", "not-charged"),
    REVERSAL: ("credited", "not-credited"),
    REPAY: ("credited", "not-credited"),
    RETURN: ("charged", "not-charged"),
}
FATES = tuple(dict.fromkeys(word for words in DECISIONS.values() for word in words))

WORDS = ["retry", *FATES, "credit-back", "credit-back-too", "dismiss"]

# What waits for a person's word and for nothing else: no try of ours could end it.
NEVER_RETRIED = {OWED, DRIFT}

# What a customer is mailed through Klaviyo.
CUSTOMERS_MAIL = {DELIVERY, CONFIRMATION, RESEND}

# How many hundreds of waiting rows `resume` counts: past them, "or more" says enough.
PAGES_TO_COUNT = 10
ROWS_A_PAGE = 100

# The same of fifties of orders.
PAGES_OF_ORDERS_TO_COUNT = 20

# How many unfinished operations `status` counts, likewise.
OPERATIONS_TO_COUNT = 100


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    options = _parser().parse_args(arguments)
    command: Callable[[Application, argparse.Namespace], int] = options.command
    try:
        aws = boto3.session.Session(profile_name=options.profile, region_name=options.region)
        return command(open_deployment(options.stack, aws), options)
    except GiftCardError as error:
        say(f"Cannot go on: {error}", to_error=True)
    except (ClientError, BotoCoreError) as error:
        say(f"AWS refused: {error}", to_error=True)
    return 1


def resume(app: Application, options: argparse.Namespace) -> int:
    """Check the vendors, keep the base's layout, show what would be processed, ask, and resume."""
    app.config.refuse_looks_of_no_tick()
    facts = app.shopify.shop_facts()
    app.control.keep_facts(facts)
    say(f"Shopify   {facts.name}: {facts.currency}, days of {facts.time_zone}")
    for line in describe_access(app):
        say(f"          {line}")
    schema = read_schema(
        app.secrets.airtable_token,
        base_id=app.config.airtable_base_id,
        session=app.vendors,
        endpoint_url=app.config.airtable_url,
        timeout_seconds=app.config.http_timeout_seconds,
    )
    layout = resolve_layout(schema, app.airtable_names)
    app.control.keep_layout(layout.to_json())
    airtable = app.airtable(app.prong_pace)
    stores = airtable.stores()
    silent = [store.name for store in stores if not can_be_mailed(store)]
    say(f"Airtable  base {app.config.airtable_base_id}: {len(stores)} stores")
    if silent:
        say(f"          without one mail address, so their rows will wait: {', '.join(silent)}")
    for part, tables in layout.parts_off().items():
        say(f"          off: {part}, because the base has no table {' and '.join(tables)}")
    _say_calls(app.config, layout)
    for line in describe_workers(app.aws):
        say(line)
    _say_sender(app)
    since = app.config.live_from
    say(f"Live from {since.isoformat()}: older rows are never processed")
    rows: Sequence[RedemptionRow | CreationRow | BalanceRow]
    rows = airtable.waiting_redemptions(since=since, most_pages=PAGES_TO_COUNT)
    _say_waiting("redemption rows", rows)
    claimed, is_all = taken_up(app)
    if claimed or not is_all:
        say(
            f"          {len(claimed)}{'' if is_all else ' or more'} are taken up, and served"
            " whatever became of their rows: `ops call-off` shows them"
        )
    if layout.has("Creation Requests"):
        rows = airtable.waiting_creations(since=since, most_pages=PAGES_TO_COUNT)
        _say_waiting("creation requests", rows)
    if layout.has("Balance Checks"):
        rows = airtable.waiting_balance_checks(since=since, most_pages=PAGES_TO_COUNT)
        _say_waiting("balance checks", rows)
    _say_orders(app)
    if not options.yes and input("Resume? Type yes: ").strip().lower() != "yes":
        say("Still paused.")
        return 1
    app.control.throw_switch(run=True, by=getpass.getuser(), now=app.clock())
    say("Running: the next tick processes them.")
    return 0


def _say_calls(config: Config, layout: Layout) -> None:
    """What looking for rows costs of the calls that the shop's plan of Airtable has in a month."""
    calls = calls_a_month(config, layout)
    parts = ", ".join(f"{name} {count:,}" for name, count in calls.items())
    say(f"          looking for rows takes {sum(calls.values()):,} calls a month: {parts}")
    most = comparing_calls_a_month(config)
    say(f"          comparing the books takes up to {most:,}, in a base that is full")
    say(f"          {describe_plan(sum(calls.values()) + most)}")


def _say_waiting(name: str, rows: Sequence[RedemptionRow | CreationRow | BalanceRow]) -> None:
    is_all = len(rows) < PAGES_TO_COUNT * ROWS_A_PAGE
    say(f"Would process {len(rows)}{'' if is_all else ' or more'} waiting {name}")
    if rows:
        oldest, newest = rows[0].created_at.isoformat(), rows[-1].created_at.isoformat()
        say(f"          the oldest filed {oldest}, the newest {newest}")


def _say_orders(app: Application) -> None:
    """The web shop's paid orders of our cards that nobody has processed, by their tag."""
    skus = app.config.gift_card_skus
    if not skus:
        say("          off: our cards in the web shop, because GiftCardSkus is none")
        return
    search = unprocessed_orders(skus, tag=app.config.processed_tag, since=app.config.live_from)
    pages = app.shopify.find_orders(search, most_pages=PAGES_OF_ORDERS_TO_COUNT)
    found = [len(page) for page in pages]
    is_all = len(found) < PAGES_OF_ORDERS_TO_COUNT
    say(f"Would process {sum(found)}{'' if is_all else ' or more'} paid orders of gift cards")


def pause(app: Application, options: argparse.Namespace) -> int:  # noqa: ARG001 - all commands alike
    """Stop new work from the next tick on; what was sent before is still found out and answered."""
    app.control.throw_switch(run=False, by=getpass.getuser(), now=app.clock())
    say("Paused: rows wait. What was sent to Shopify before is still answered.")
    return 0


def status(app: Application, options: argparse.Namespace) -> int:
    """Show the switch, each prong, what is unfinished, parked or given up, and the books."""
    show_status(app)
    given_up = count_dead_letters(stack_outputs(options.stack, app.aws), app.aws)
    say(f"Dead letters: {sum(given_up.values())}")
    for name, count in given_up.items():
        if count:
            say(f"  {name}  {count}")
    return 0


def show_status(app: Application) -> None:
    """All of `status` that the journal tells."""
    say(_describe_switch(app.control.switch()))
    for prong in PRONGS:
        say(_describe_prong(prong, app.control.prong(prong)))
    unfinished = app.journal.unfinished(limit=OPERATIONS_TO_COUNT)
    parked = app.journal.parked(now=app.clock(), limit=OPERATIONS_TO_COUNT)
    _say_sales([one for one in unfinished if one.kind == SALE and one.result is None])
    _say_mail(
        [one for one in unfinished if one.kind in CUSTOMERS_MAIL and one.result is None],
        parked=[one for one in parked if one.kind in CUSTOMERS_MAIL],
        app=app,
    )
    due = app.journal.due(now=app.clock(), limit=OPERATIONS_TO_COUNT)
    say(f"Unfinished operations whose time has come: {_count(due)}")
    for operation in due:
        say(f"  {operation.key}  {operation.state}  since {operation.claimed_at.isoformat()}")
    say(f"Parked: {_count(parked)} operations, {_count(_parked_rows(app))} rows")
    if parked:
        say("  `ops park list` says why")
    for line in describe_books(app):
        say(line)


def reconcile(app: Application, options: argparse.Namespace) -> int:
    """Have the journal, Shopify and Airtable compared now, and not only tonight.

    Of cards that have not moved since the last comparison only the balance is looked at; --all has
    every movement of every card read. With --wait the exit code is 1 where something is wrong.
    """
    if not app.control.switch().is_running:
        say("Paused: nothing is compared before `ops resume`.", to_error=True)
        return 1
    wish = ask(app, reads_all=bool(options.all))
    say("Asked for: it begins within minutes. `ops status` shows how far it has got.")
    if not options.wait:
        return 0
    last = wait_for(app, wish, say=say)
    if last is None:
        say("It is not over yet; `ops status` shows when it is.", to_error=True)
        return 1
    for line in describe_books(app):
        say(line)
    return 1 if last.is_failed else 0


def _say_sales(sales: Sequence[Operation]) -> None:
    """How far each sale is whose cards are being made."""
    say(f"Sales in progress: {_count(sales)}")
    for operation in sales:
        quantity = Sale.of(operation).quantity
        since = operation.claimed_at.isoformat()
        say(f"  {operation.key}  {operation.progress} of {quantity} cards made, since {since}")


def _say_mail(
    waiting: Sequence[Operation], *, parked: Sequence[Operation], app: Application
) -> None:
    """Which mail customers have not got yet, and what it waits for."""
    say(f"Customers' mail not sent yet: {_count([*waiting, *parked])}")
    sales = app.journal.load_many(one.snapshot["sale"] for one in waiting)
    for operation in waiting:
        send_at = Sale.of(sales[operation.snapshot["sale"]]).send_at
        if operation.tries:
            why = f"was tried {operation.tries} times, and is tried again"
        elif operation.kind == DELIVERY and send_at is not None and send_at > app.clock():
            why = f"is to be sent at {send_at.isoformat()}"
        else:
            why = "is on its way"
        say(f"  {operation.key}  {why}")
    for operation in parked:
        say(f"  {operation.key}  was given up: `ops park list` says why")


def _count(some: Sequence[object]) -> str:
    return f"{len(some)}{' or more' if len(some) >= OPERATIONS_TO_COUNT else ''}"


def park_list(app: Application, options: argparse.Namespace) -> int:  # noqa: ARG001 - all commands alike
    """Show what is parked: operations and rows that only a person can finish."""
    operations = app.journal.parked(now=app.clock(), limit=OPERATIONS_TO_COUNT)
    rows = _parked_rows(app)
    say(f"Parked: {_count(operations)} operations, {_count(rows)} rows")
    for operation in operations:
        say(f"  {operation.key}  was {operation.parked_in}: {operation.parked_because}")
    for row_id in rows:
        say(
            f"  {ROW_PREFIX}{row_id}  killed its worker, or could not be understood, again and"
            " again: see the log, mend it"
        )
    return 0


def park_decide(app: Application, options: argparse.Namespace) -> int:
    """Finish what is parked: try it again, or say what Shopify's card page shows of its money.

    `charged` and `not-charged` are for a redemption and for what is taken off a returned card,
    `credited` and `not-credited` for what the office gives back. What may have moved money is
    looked for once more before `retry` sends it again; a redemption never is. A card that could not
    be made, a mail that could not be sent and a row can only be tried again.
    `credit-back` has a debit that came too late or twice given back, once; `credit-back-too` does
    so although the office has given something back for the same row.
    What moved on the web, or has to be put right at Shopify, is dismissed once a person saw to it.
    """
    key, decision = str(options.key), str(options.decision)
    if key.startswith(ROW_PREFIX):
        if decision != "retry":
            say("A row was never charged: it can only be tried again.", to_error=True)
            return 1
        if not app.attempts.unpark(key.removeprefix(ROW_PREFIX)):
            return _not_parked(key)
        say("The next tick tries it again.")
        return 0
    operation = app.journal.load(key)
    if operation is None or operation.state is not State.PARKED:
        return _not_parked(key)
    return _decide(app, operation, decision)


def park_decide_all(app: Application, options: argparse.Namespace) -> int:
    """Finish what is parked, one or many: try it again, or say what Shopify's card page shows.

    Many, or all of a kind, are shown and asked back for before the first is decided. What each word
    means, and what it is for, `ops redrive --parked` shows beside each operation.
    """
    keys = list(dict.fromkeys(options.keys))
    if options.all_of_kind is not None:
        parked = app.journal.parked(now=app.clock(), limit=OPERATIONS_TO_COUNT)
        keys += [one.key for one in parked if one.kind == options.all_of_kind]
    if not keys:
        say("Nothing is named, and nothing of the kind is parked.", to_error=True)
        return 1
    if len(keys) > 1 or options.all_of_kind is not None:
        for key in keys:
            say(f"  {key}")
        question = f"Decide all {len(keys)} as {options.decision}? Type yes: "
        if not options.yes and input(question).strip().lower() != "yes":
            say("Nothing was decided.")
            return 1
    return _decide_each(app, keys, str(options.decision))


def _decide_each(app: Application, keys: Sequence[str], decision: str) -> int:
    code = 0
    for key in keys:
        try:
            code |= park_decide(app, argparse.Namespace(key=key, decision=decision))
        except GiftCardError as error:  # the others are decided all the same
            say(f"Cannot decide {key}: {error}", to_error=True)
            code = 1
    return code


def redrive(app: Application, options: argparse.Namespace) -> int:
    """Send again what gave up, once what stood in its way was mended.

    Without a queue it shows what lies in each dead-letter queue, and what is parked. With one, or
    with --all, it shows that, asks, and sends again what can go on. What is done, or can never be
    completed, stays; --drop drops it, by its id or, with the word done, all that is done.
    With --parked it shows what is parked; with keys behind that, it shows these, asks, and has them
    tried again, as `ops park decide KEY… retry` does.
    """
    if options.parked is not None:
        if options.queue is not None or options.all or options.drop:
            say(
                "What is parked lies in no queue: name what is to be tried again behind --parked,"
                " and queues in a command of their own.",
                to_error=True,
            )
            return 1
        if options.parked:
            return _try_again(app, options.parked, yes=options.yes)
        return _say_how_parked(app, options.stack)
    queues = dead_letter_queues(stack_outputs(options.stack, app.aws))
    code = redrive_queues(app, queues, options)
    if options.queue is None and not options.all:
        say("")
        _say_how_parked(app, options.stack)
    return code


def _try_again(app: Application, named: Sequence[str], *, yes: bool) -> int:
    """Show what is named and why it is parked, ask, and have it tried again."""
    keys = list(dict.fromkeys(named))
    known = app.journal.load_many(keys)
    parked = {key: one for key, one in known.items() if one.state is State.PARKED}
    for key in keys:
        say(f"  {key}  {parked[key].parked_because}" if key in parked else f"  {key}")
    if not yes and input(f"Try {len(keys)} again? Type yes: ").strip().lower() != "yes":
        say("Nothing was changed.")
        return 1
    return _decide_each(app, keys, "retry")


def _say_how_parked(app: Application, stack: str) -> int:
    """What is parked, and by which words each can be decided, to be copied."""
    ours = f"--stack {stack}"
    operations = app.journal.parked(now=app.clock(), limit=OPERATIONS_TO_COUNT)
    rows = _parked_rows(app)
    say(f"Parked: {_count(operations)} operations, {_count(rows)} rows")
    for operation in operations:
        say(f"  {operation.key}  was {operation.parked_in}: {operation.parked_because}")
        say(f"      ops park decide {operation.key} {'|'.join(_words_for(operation.kind))} {ours}")
    for row_id in rows:
        say(f"  {ROW_PREFIX}{row_id}  killed its worker again and again: see the log, mend it")
        say(f"      ops park decide {ROW_PREFIX}{row_id} retry {ours}")
    for kind in dict.fromkeys(one.kind for one in operations):
        if "retry" in _words_for(kind):
            say(f"All of them: ops park decide --all-of-kind {kind} retry {ours}")
    if rows or any("retry" in _words_for(one.kind) for one in operations):
        say(f"Some of them: ops redrive --parked KEY… {ours}")
    return 0


def _words_for(kind: str) -> list[str]:
    """By which words what is parked of this kind can be decided."""
    words = [] if kind in NEVER_RETRIED else ["retry"]
    words += DECISIONS.get(kind, ())
    words += ["credit-back", "credit-back-too"] if kind == OWED else []
    words += ["dismiss"] if kind in DISMISSED_KINDS else []
    return words


def _decide(app: Application, operation: Operation, decision: str) -> int:
    key = operation.key
    if decision == "retry":
        return _retry(app, operation)
    if decision in {"credit-back", "credit-back-too"}:
        return _credit_back(app, operation, too=decision == "credit-back-too")
    if decision == "dismiss":
        return _dismiss(app, operation)
    words = DECISIONS.get(operation.kind)
    if words is None:
        say(
            f"{key} charges no card, so it cannot be decided whether it was charged: mend"
            " what `ops park list` names, then `retry`. Each card is made once and each mail sent"
            " once, however often it is tried.",
            to_error=True,
        )
        return 1
    if decision not in words:
        say(f"{key} is decided as {words[0]}, {words[1]} or retry.", to_error=True)
        return 1
    has_moved, by = decision == words[0], getpass.getuser()
    if operation.kind == REDEMPTION:
        decided = app.redeem().decide(operation, charged=has_moved, by=by)
    else:
        decided = app.adjust_balance().decide(operation, moved=has_moved, by=by)
    outcome = "nothing yet" if decided.result is None else decided.result.outcome
    say(f"{key} is {outcome} now; whoever has to know is told.")
    return 0


def freeze(app: Application, options: argparse.Namespace) -> int:
    """Let no store take a card until it is released. The web shop still does.

    For a chargeback or a theft. Only deactivating the card at Shopify stops the web shop, too, and
    that cannot be undone.
    """
    card_id = global_id(str(options.card))
    stands = app.freeze().freeze(card_id, by=_me(), because=str(options.because))
    say(f"{card_id} is frozen since {stands.at.isoformat()}, by {stands.by}: {stands.because}")
    return 0


def unfreeze(app: Application, options: argparse.Namespace) -> int:
    """Let stores take a frozen card again."""
    card_id = global_id(str(options.card))
    stands = app.freeze().release(card_id, by=_me(), because=str(options.because))
    if stands is None:
        say(f"{card_id} was never frozen.", to_error=True)
        return 1
    say(f"{card_id} is free since {stands.at.isoformat()}, by {stands.by}: {stands.because}")
    return 0


def _me() -> str:
    """Who gives the command, as receipts name him."""
    return f"{getpass.getuser()}, by ops"


def _retry(app: Application, operation: Operation) -> int:
    if operation.kind in NEVER_RETRIED:
        words = " or ".join(_words_for(operation.kind))
        say(f"{operation.key} waits for a decision, not for a try: {words}.", to_error=True)
        return 1
    app.journal.unpark(operation, due_at=app.clock())
    say("The next sweep tries it again.")
    return 0


def _credit_back(app: Application, owed: Operation, *, too: bool) -> int:
    if owed.kind != OWED:
        say(f"{owed.key} is no debit that is owed: nothing is credited back.", to_error=True)
        return 1
    stands = app.credit_back().begin(owed, by=_me(), too=too)
    outcome = "nothing yet" if stands.result is None else stands.result.outcome
    if outcome != CREDIT_BACK:
        say(f"{owed.key} was decided by somebody else: {outcome}.", to_error=True)
        return 1
    say(f"{owed.key} is given back once by {REPAY}#{owed.snapshot['operation']}.")
    return 0


def _dismiss(app: Application, operation: Operation) -> int:
    if operation.kind not in DISMISSED_KINDS:
        say(
            f"{operation.key} owes somebody an answer, a card or a mail: it cannot be dismissed.",
            to_error=True,
        )
        return 1
    app.dismiss().dismiss(operation, by=_me())
    say(f"{operation.key} is closed; a receipt says by whom.")
    return 0


def _parked_rows(app: Application) -> list[str]:
    """The parked rows that still wait. A row that the sweep answered leaves the list here."""
    rows = app.attempts.parked(now=app.clock(), limit=OPERATIONS_TO_COUNT)
    operations = app.journal.load_many(operation_key(row_id) for row_id in rows)
    answered = {
        row_id
        for row_id in rows
        if (operation := operations.get(operation_key(row_id))) and operation.result is not None
    }
    for row_id in answered:
        app.attempts.unpark(row_id)
    return [row_id for row_id in rows if row_id not in answered]


def _not_parked(key: str) -> int:
    say(f"{key} is not parked. `ops park list` shows what is.", to_error=True)
    return 1


def setup_mail(app: Application, options: argparse.Namespace) -> int:  # noqa: ARG001 - all commands alike
    """Say whether SES may send the stores' answers, and which records the domain's DNS lacks."""
    report = report_mail(app.aws, app.config.mail_from)
    for line in report.lines:
        say(line)
    return 0 if report.is_ready else 1


def setup_klaviyo(app: Application, options: argparse.Namespace) -> int:  # noqa: ARG001 - all commands alike
    """Bring the customers' mails to Klaviyo, and say what only a person can do there."""
    for metric in introduce_metrics(app):
        say(f"Metric    {metric}: Klaviyo knows it, by a test event of {app.config.office_email}")
    updated = []
    for name, change in upload_templates(app):
        say(f"Template  {name}: {describe_change(change)}")
        if change is TemplateChange.UPDATED:
            updated.append(name)
    say(CHECKLIST)
    for line in [*branches(), *renewals(updated)]:
        say(line)
    return 0


def _say_sender(app: Application) -> None:
    """How SES stands to the sender. Whoever resumes may not be allowed to ask it."""
    try:
        lines = report_mail(app.aws, app.config.mail_from).lines
    except (ClientError, BotoCoreError) as error:
        lines = (f"nobody can say whether SES sends ({error})",)
    for number, line in enumerate(lines):
        say(f"{'' if number else 'Mail':<10}{line}")


def _describe_switch(switch: Switch) -> str:
    if switch.since is None:
        return "Paused: never resumed. `ops resume` shows what it would process."
    word = "Running" if switch.is_running else "Paused"
    return f"{word} since {switch.since.isoformat()}, by {switch.by}"


def _describe_prong(prong: str, state: ProngState | None) -> str:
    if state is None:
        return f"{prong}: no run yet"
    word = "failing" if state.is_failing else "well"
    finished = "never" if state.last_finished is None else state.last_finished.isoformat()
    error = f"; last error: {state.last_error}" if state.last_error else ""
    return f"{prong}: {word} since {state.since.isoformat()}, last finished {finished}{error}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ops", description="Look after a deployed stack of universal gift cards."
    )
    commands = parser.add_subparsers(title="commands", required=True)
    park = commands.add_parser("park", help="What only a person can finish")
    parked = park.add_subparsers(title="commands", required=True)
    setup = commands.add_parser("setup", help="What a vendor needs before the first use")
    vendors = setup.add_subparsers(title="vendors", required=True)
    for where, name, command in (
        (commands, "status", status),
        (commands, "resume", resume),
        (commands, "pause", pause),
        (commands, "call-off", call_off),
        (commands, "find-charged", find_charged),
        (commands, "freeze", freeze),
        (commands, "unfreeze", unfreeze),
        (commands, "reconcile", reconcile),
        (parked, "list", park_list),
        (parked, "decide", park_decide_all),
        (commands, "redrive", redrive),
        (vendors, "mail", setup_mail),
        (vendors, "klaviyo", setup_klaviyo),
    ):
        words = (command.__doc__ or "").strip()
        sub = where.add_parser(name, help=words.splitlines()[0], description=words)
        sub.set_defaults(command=command)
        sub.add_argument("--stack", required=True, help="name of the CloudFormation stack")
        sub.add_argument("--region", help="AWS region, if not your default one")
        sub.add_argument("--profile", help="AWS profile, if not your default one")
        if command is park_decide_all:
            sub.add_argument("keys", nargs="*", metavar="key", help="as `ops park list` shows it")
            sub.add_argument("decision", choices=WORDS)
            sub.add_argument("--all-of-kind", metavar="KIND", help="all that are parked of a kind")
            sub.add_argument("--yes", action="store_true", help="do not ask, decide")
        if command is redrive:
            sub.add_argument("queue", nargs="?", help="as `ops redrive` shows it")
            sub.add_argument("--all", action="store_true", help="every queue")
            sub.add_argument(
                "--drop",
                action="append",
                default=[],
                metavar="ID",
                help=f"drop this message for good, or all that are {DONE}",
            )
            sub.add_argument(
                "--parked",
                nargs="*",
                metavar="KEY",
                help="only what is parked; with keys, these are tried again",
            )
            sub.add_argument("--yes", action="store_true", help="do not ask")
        if command is call_off:
            sub.add_argument("keys", nargs="*", metavar="key", help="redemption#rec… or rec…")
            sub.add_argument("--because", default="", help="why: the store's mail says so")
        if command in {freeze, unfreeze}:
            sub.add_argument("card", help="Shopify's number of the card, or its Shopify ID")
            sub.add_argument("--because", default="", help="why: its receipt says so")
        if command is reconcile:
            sub.add_argument("--all", action="store_true", help="read every card's movements")
            sub.add_argument("--wait", action="store_true", help="until it is over")
        if command is resume:
            sub.add_argument("--yes", action="store_true", help="do not ask, resume")
    return parser


if __name__ == "__main__":
    sys.exit(main())
