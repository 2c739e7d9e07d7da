"""Each function's role allows what its work calls, and sends to the queues its work sends to.

The embedded AWS enforces actions, but not of which queue, and only of what its tests live through;
so a missing permission would show in the cloud only.
"""

import ast
import pkgutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from importlib import import_module
from inspect import getsource
from types import ModuleType
from typing import Any

import boto3
import pytest
from moto import mock_aws

from giftcards import flows
from giftcards.clients.shopify.payments import STEPS_ASKED_FOR
from giftcards.flows import kinds
from giftcards.flows.kinds import DROPPED_MESSAGE
from giftcards.store.journal import OPERATION_PREFIX
from giftcards.wiring import read_secrets
from sandbox.shopify import CartLine, OrderPlan, Pay
from tests.cloudformation import load_template
from tests.flows import adjust_stories, purchase_stories, sale_stories, spend_stories, test_tag
from tests.flows.reconcile_stories import a_card, a_history, compare, late_debit
from tests.flows.stories import CODE, STORIES, begun
from tests.permissions import OLDER_KEY, Names, Right, allowed_by
from tests.template.reading import ROLE, attribute_of, events, of_type, reference_to
from tests.template_resources import BUCKET_NAME, TABLE_NAME
from tests.web_spending import CODE as OWN_CODE
from tests.web_spending import known_card, load, order, rest
from tests.world import WORKERS, World, running_world

# A card that a redemption is given up of, beside those that the shop's history is about.
UNTOUCHED_CODE = "bcdf2345ghjk6789"

DAY_SECONDS = 24 * 3600

# The stage whose secrets are read here; the template leaves it open.
STAGE = "recorded"

type Called = dict[str, set[Right]]


@dataclass(frozen=True)
class Seen:
    """What each function called in all stories, and the kinds of operations they made."""

    called: Called = field(default_factory=lambda: defaultdict(set))
    kinds: set[str] = field(default_factory=set)
    made_before: set[str] = field(default_factory=set)

    def note_kinds(self, world: World) -> None:
        """Of what was made while the calls were noted; how a story begins is not looked at."""
        made = operations_of(world)
        self.kinds.update(kind for key, kind in made.items() if key not in self.made_before)


def operations_of(world: World) -> dict[str, str]:
    """The kind of each operation, by its key in the table."""
    items = (one for one in world.items() if one["key"].startswith(OPERATION_PREFIX))
    return {item["key"]: item["kind"] for item in items}


# Kinds that no function makes, so that no role could lack anything for them; each with its reason.
MADE_BY_NO_FUNCTION = {
    DROPPED_MESSAGE: "`ops redrive --drop` makes it, by the rights of whoever gives the command",
}

# What Lambda itself does by a function's role: reading its queue, and writing its log.
OF_A_QUEUE = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
OF_A_LOG = ("logs:CreateLogStream", "logs:PutLogEvents")

# Of the web shop's long stories, a death at every so many-th effect: which calls a role needs comes
# from what was left undone, and that is the same for many neighbours.
STRIDE = 7

# Whole stories of everything but one redemption, told as they are.
OTHER_STORIES: tuple[Any, ...] = (
    *sale_stories.STORIES.values(),
    *purchase_stories.STORIES.values(),
    *spend_stories.STORIES.values(),
    *adjust_stories.STORIES.values(),
)

# Where the world's settings send every prong's ticks.
TICKS = "StoreTicksQueue"


@pytest.fixture(scope="module")
def seen() -> Seen:
    return all_stories()


@pytest.fixture(scope="module")
def called(seen: Seen) -> Called:
    return seen.called


def test_every_role_allows_what_its_function_calls(called: Called) -> None:
    assert set(of_type(load_template(), ROLE)) == {f"{function}Role" for function in called}
    missing = {name: needs(called, name) - allows(name) for name in called}
    assert not {name: sorted(rights) for name, rights in missing.items() if rights}


def test_no_role_allows_what_its_function_never_calls(called: Called) -> None:
    unused = {name: allows(name) - needs(called, name) for name in called}
    assert not {name: sorted(rights) for name, rights in unused.items() if rights}


def test_the_stories_make_operations_of_every_kind(seen: Seen) -> None:
    """The list of stories is kept by hand: a new flow without one would be seen by nobody."""
    known = set(kinds_of_all_flows())
    assert {"redemption", "sale", "archive", "digest"} <= known
    assert seen.kinds <= known, "a kind that is read in another way"
    assert sorted(known - seen.kinds) == sorted(MADE_BY_NO_FUNCTION)


def kinds_of_all_flows() -> Iterator[str]:
    """The kinds in `kinds.py`, and whatever a flow gives or knows an operation's kind by."""
    yield from (text for name, text in vars(kinds).items() if name.isupper())
    for found in pkgutil.walk_packages(flows.__path__, f"{flows.__name__}."):
        module = import_module(found.name)
        for name in names_of_kinds(module):
            text = getattr(module, name, None)  # of a function's own name, nothing
            if isinstance(text, str):
                yield text


def names_of_kinds(module: ModuleType) -> Iterator[str]:
    """X of `kind=X` and of `operation.kind == X`."""
    for node in ast.walk(ast.parse(getsource(module))):
        match node:
            case ast.keyword(arg="kind", value=ast.Name(id=name)):
                yield name
            case ast.Compare(left=ast.Attribute(attr="kind"), comparators=[ast.Name(id=name)]):
                yield name
            case _:
                pass


def allows(function: str) -> set[Right]:
    return allowed_by(load_template()["Resources"][f"{function}Role"]["Properties"])


def needs(called: Called, function: str) -> set[Right]:
    """What a function called, and what it takes to be started."""
    properties = load_template()["Resources"][function]["Properties"]
    log = reference_to(properties["LoggingConfig"]["LogGroup"])
    queues = {attribute_of(event["Queue"]) for event in events(properties, "SQS")}
    return (
        called[function]
        | {(action, log) for action in OF_A_LOG}
        | {(action, queue) for queue in queues for action in OF_A_QUEUE}
        | secrets_read()
    )


@cache
def secrets_read() -> frozenset[Right]:
    """What reading the secrets takes, which each function does at its cold start.

    It needs no right to the key: they are encrypted by the account's own for SSM (`aws/ssm`), which
    lets in whoever may read the parameter (AWS KMS, policies of AWS managed keys).
    """
    variables = load_template()["Globals"]["Function"]["Environment"]["Variables"]
    prefix = variables["SECRETS_PREFIX"]["Fn::Sub"].replace("${Stage}", STAGE)
    asked: set[Right] = set()

    def note(params: dict[str, Any], model: Any, **_: Any) -> None:
        rights = Names(queues={}, tables={}, keys={}, buckets={}).rights_for(
            f"ssm {model.name}", params
        )
        asked.update((action, where.replace(STAGE, "${Stage}")) for action, where in rights)

    with mock_aws():
        aws = boto3.session.Session(region_name="us-east-1")
        for name in ("shopify-token", "airtable-token", "klaviyo-key", "code-pepper"):
            aws.client("ssm").put_parameter(
                Name=f"{prefix}/{name}", Value="p" * 32, Type="SecureString"
            )
        aws.events.register("provide-client-params.ssm", note)
        assert read_secrets(aws, prefix=prefix).shopify_token == "p" * 32
    return frozenset(asked)


def ticks_of(function: str) -> str:
    """The queue that the template gives a function for its ticks; in the world all have one."""
    template = load_template()
    shared = template["Globals"]["Function"]["Environment"]["Variables"]
    own = template["Resources"][function]["Properties"]["Environment"]["Variables"]
    return reference_to((shared | own)["TICK_QUEUE_URL"])


def all_stories() -> Seen:
    """Every story, with what each function called in it."""
    seen = Seen()
    for story in STORIES.values():
        with begun(story) as (world, _, start):
            watch(world, seen)
            world.go_back(start)
            story.tell(world)
            world.come_to_rest()
            seen.note_kinds(world)
    for told in OTHER_STORIES:
        with running_world(**(getattr(told, "settings", None) or {})) as world:
            watch(world, seen)
            told.begin(world)
            for step in told.steps:
                step(world)
            live(world)  # some of them never come to rest: a person's word is what they wait for
            seen.note_kinds(world)
    for trouble in TROUBLES:
        with running_world() as world:
            watch(world, seen)
            trouble(world)
            seen.note_kinds(world)
    for begin, stride in ((file_all_kinds, 1), (shop_on_the_web, STRIDE), (give_back, STRIDE)):
        with running_world() as world:
            begin(world)
            start = world.keep()
            watch(world, seen)
            world.go_back(start)
            live(world)
            effects = len(world.effects.seen)
            world.come_to_rest()
            seen.note_kinds(world)
            for place in range(0, effects, stride):
                world.go_back(start)
                die_and_be_swept(world, place)
    return seen


def first_purchase_tick(world: World) -> None:
    """EventBridge's own minute, which orders the looks between the minutes."""
    world.work(lambda app: world.take_buy_tick(app, {"source": "aws.events"}))


def refuse_everything(world: World) -> None:
    """Messages that cannot be read at all: each comes back soon, which takes a right of its own."""
    for queue, _ in world.one_offs():
        group: dict[str, Any] = {"MessageGroupId": "a", "MessageDeduplicationId": "a"}
        world.sqs.send_message(
            QueueUrl=world.queue_urls[queue],
            MessageBody='{"operation": "nonsense#rec1"}',
            **(group if world.queue_urls[queue].endswith(".fifo") else {}),
        )
    world.drain()


def rotate_the_key(world: World) -> None:
    """A card made before, and a sale half made: both need the key they began with."""
    world.sell()
    world.serve()
    world.sell(Recipient_Email="later@example.com")
    world.effects.kill_on = {"CreateCard": "before"}
    world.tick()
    world.drain()
    world.rotate_code_key()
    world.come_to_rest()
    for record in world.base.table("Gift Cards").records():
        world.base.table("Gift Cards").update(record["id"], {"Resend": True})
    world.come_to_rest()


def lose_a_tag(world: World) -> None:
    """An order's tag whose message was never sent: the sweep is what finds it."""
    test_tag.claim(world, test_tag.place(world))
    world.come_to_rest()


def compare_the_books(world: World) -> None:
    """Rows are altered, lost and doubled, a stranger and a late reply move money: compare them."""
    a_history(world, shown=True)
    late_debit(world, UNTOUCHED_CODE)
    world.shop.debit(a_card(world).id, amount=Decimal(1), note="redemption#recNobody0000000")
    for name in ("Gift Cards", "Receipts", "Processed Orders"):
        table = world.base.table(name)
        altered, lost, doubled, *_ = table.records()
        amount = "Balance" if name == "Gift Cards" else "Amount"
        table.update(altered["id"], {amount: 99})
        table.delete(lost["id"])
        table.create(doubled["fields"])
    compare(world, reads_all=True)
    rest(world)
    world.advance((world.config.keep_days + 1) * DAY_SECONDS)  # and all of it is archived
    compare(world)


def name_no_store(world: World) -> None:
    """A row that nobody can be answered for: the office is told."""
    world.ask(Gift_Card_Code=CODE, Store=None)
    world.serve()


def wish_for_too_much_back(world: World) -> None:
    """More than was taken; and more than the cap, of a row whose tick was for something else."""
    rows = world.base.table("Redemptions")
    world.shop.issue_card(code=CODE, amount=500)
    row_id = world.ask(Gift_Card_Code=CODE, Amount=10)
    held = world.ask(Gift_Card_Code=CODE, Amount=300)
    world.advance(world.config.patience_seconds + 60)
    world.serve()
    for told in ({"Approved": True}, {"Reverse Amount": 300}, {"Approved": False}):
        rows.update(held, told)
        rows.update(row_id, {"Approved": True, "Reverse Amount": 11})
        world.come_to_rest()


def move_money_by_hand(world: World) -> None:
    """Staff do so at Shopify, and the office reads of it the next morning."""
    card = known_card(world)
    world.shop.debit(card.id, amount=Decimal(40))
    rest(world)
    world.advance(DAY_SECONDS)
    world.sweep()
    world.drain()


def pay_in_more_steps_than_are_shown(world: World) -> None:
    """Shopify shows no more than some of an order's steps, so nobody can read the order whole."""
    load(world, 500)
    placed = order(world, (OWN_CODE, 260), is_captured=False)
    for _ in range(STEPS_ASKED_FOR[-1]):
        world.shop.orders.capture(placed.id, Decimal(1))
    for _ in range(2):
        live(world)


TROUBLES = (
    first_purchase_tick,
    refuse_everything,
    rotate_the_key,
    lose_a_tag,
    compare_the_books,
    name_no_store,
    wish_for_too_much_back,
    move_money_by_hand,
    pay_in_more_steps_than_are_shown,
)


def live(world: World) -> None:
    """A minute: every prong has its tick, and all that follows from it."""
    for tick in world.ticks():
        tick()
    world.drain()


def file_all_kinds(world: World) -> None:
    """What a store and a customer can file."""
    world.shop.issue_card(code=CODE, amount=50)
    world.ask(Gift_Card_Code=CODE)
    world.check_balance(CODE)
    world.sell(Is_Gift=True, Purchaser_Name="Tom", Purchaser_Email="tom@example.com")


def shop_on_the_web(world: World) -> None:
    """A card is bought, another one pays, an order waits, and a balance changes by itself."""
    card = world.shop.issue_card(code=CODE, amount=50)
    world.shop.orders.place([CartLine("GIFT-CARD-50")], Pay())
    world.shop.orders.place([CartLine("GIFT-CARD-25")], Pay(), plan=OrderPlan(email=None))
    world.shop.orders.place([CartLine("LANTERN-S")], Pay([CODE]))
    world.shop.orders.place([CartLine(native_variant(world))], Pay())
    world.shop.cash_out(card.id, 5)


def native_variant(world: World) -> str:
    """Shopify's own gift card, by its id: it has no SKU."""
    (native,) = [one for one in world.shop.orders.products if one.is_gift_card]
    return native.variants[0].id


def give_back(world: World) -> None:
    """The office gives back what a store took, and cards that were bought are given back.

    One of them before anybody began to make it.
    """
    world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE, Amount=10)
    order = world.shop.orders.place([CartLine("GIFT-CARD-50")], Pay())
    world.come_to_rest()
    world.base.table("Redemptions").update(row_id, {"Reverse Amount": 10})
    world.shop.orders.refund(order.id, units={order.lines[0].id: 1})
    early = world.shop.orders.place([CartLine("GIFT-CARD-25", 2)], Pay())
    world.advance(60)
    world.buy_tick()
    world.shop.orders.refund(early.id, units={early.lines[0].id: 1})


# The functions at work, the last one now.
at_work: list[str] = []


def die_and_be_swept(world: World, place: int) -> None:
    """A worker dies, and the sweep is there before the prong: so late that rows are held."""
    world.effects.kill_at = {place: "before"}
    live(world)
    world.advance(world.config.patience_seconds + 60)
    world.sweep()
    world.drain()


class Keys(dict[str, str]):
    """The newest key is the stack's own; the others are those of earlier cards."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def __missing__(self, key_id: str) -> str:
        newest, *older = self._world.config.code_key_ids
        return {newest: "CodeKey", **dict.fromkeys(older, OLDER_KEY)}[key_id]


def watch(world: World, seen: Seen) -> None:
    """Note whose work each call belongs to, and what its role has to allow for it."""
    seen.made_before.clear()
    seen.made_before.update(operations_of(world))
    names = Names(
        queues={url: name for name, url in world.queue_urls.items()},
        tables={TABLE_NAME: "Journal"},
        keys=Keys(world),
        buckets={BUCKET_NAME: "Books"},
    )

    def asked(call: str, parameters: Mapping[str, Any]) -> None:
        if not at_work:
            return
        function = at_work[-1]
        for action, resource in names.rights_for(call, parameters):
            seen.called[function].add(
                (action, ticks_of(function) if resource == TICKS else resource)
            )

    world.effects.watch_asked = asked
    for method, function in WORKERS.items():
        setattr(world, method, watched(getattr(world, method), function))


def watched(work: Callable[..., Any], function: str) -> Callable[..., Any]:
    def watching(*arguments: Any) -> Any:
        at_work.append(function)
        try:
            return work(*arguments)
        finally:
            at_work.pop()

    return watching
