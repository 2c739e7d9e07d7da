"""Each function's role allows what its work calls, and sends to the queues its work sends to.

The embedded AWS enforces actions, but not of which queue, and only of what its tests live through;
so a missing permission would show in the cloud only.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pytest

from sandbox.shopify import CartLine, OrderPlan, Pay
from tests.cloudformation import load_template
from tests.flows import adjust_stories, purchase_stories, sale_stories, spend_stories, test_tag
from tests.flows.reconcile_stories import a_card, a_history, compare, late_debit
from tests.flows.stories import CODE, STORIES, begun
from tests.permissions import OLDER_KEY, SECRETS, Names, Right, allowed_by
from tests.template.reading import ROLE, attribute_of, events, of_type, reference_to
from tests.template_resources import BUCKET_NAME, TABLE_NAME
from tests.web_spending import rest
from tests.world import WORKERS, World, running_world

# A card that a redemption is given up of, beside those that the shop's history is about.
UNTOUCHED_CODE = "bcdf2345ghjk6789"

DAY_SECONDS = 24 * 3600

type Called = dict[str, set[Right]]

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
def called() -> Called:
    return calls_of_all_stories()


def test_every_role_allows_what_its_function_calls(called: Called) -> None:
    assert set(of_type(load_template(), ROLE)) == {f"{function}Role" for function in called}
    missing = {name: needs(called, name) - allows(name) for name in called}
    assert not {name: sorted(rights) for name, rights in missing.items() if rights}


def test_no_role_allows_what_its_function_never_calls(called: Called) -> None:
    unused = {name: allows(name) - needs(called, name) for name in called}
    assert not {name: sorted(rights) for name, rights in unused.items() if rights}


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
        # Every cold start reads them: tests/config/test_config.py, giftcards.wiring.application.
        | {("ssm:GetParametersByPath", SECRETS)}
    )


def ticks_of(function: str) -> str:
    """The queue that the template gives a function for its ticks; in the world all have one."""
    template = load_template()
    shared = template["Globals"]["Function"]["Environment"]["Variables"]
    own = template["Resources"][function]["Properties"]["Environment"]["Variables"]
    return reference_to((shared | own)["TICK_QUEUE_URL"])


def calls_of_all_stories() -> Called:
    """What each function called in all stories."""
    called: Called = defaultdict(set)
    for story in STORIES.values():
        with begun(story) as (world, _, start):
            watch(world, called)
            world.go_back(start)
            story.tell(world)
            world.come_to_rest()
    for told in OTHER_STORIES:
        with running_world(**(getattr(told, "settings", None) or {})) as world:
            watch(world, called)
            told.begin(world)
            for step in told.steps:
                step(world)
            live(world)  # some of them never come to rest: a person's word is what they wait for
    for trouble in TROUBLES:
        with running_world() as world:
            watch(world, called)
            trouble(world)
    for begin, stride in ((file_all_kinds, 1), (shop_on_the_web, STRIDE), (give_back, STRIDE)):
        with running_world() as world:
            begin(world)
            start = world.keep()
            watch(world, called)
            world.go_back(start)
            live(world)
            effects = len(world.effects.seen)
            world.come_to_rest()
            for place in range(0, effects, stride):
                world.go_back(start)
                die_and_be_swept(world, place)
    return called


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


TROUBLES = (first_purchase_tick, refuse_everything, rotate_the_key, lose_a_tag, compare_the_books)


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


def watch(world: World, called: Called) -> None:
    """Note whose work each call belongs to, and what its role has to allow for it."""
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
            called[function].add((action, ticks_of(function) if resource == TICKS else resource))

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
