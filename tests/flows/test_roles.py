"""Each function's role allows what its work calls, and sends to the queues its work sends to.

The embedded AWS enforces actions, but not of which queue, and only of what its tests live through;
so a missing permission would show in the cloud only.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sandbox.shopify import CartLine, OrderPlan, Pay
from tests.cloudformation import load_template
from tests.flows.stories import CODE, STORIES, begun
from tests.template.reading import ROLE, as_list, attribute_of, of_type, reference_to, statements
from tests.world import WORKERS, KeptMoment, World, running_world

# The names IAM has for calls that it names otherwise (Service Authorization Reference).
IAM_NAMES = {
    "dynamodb:TransactWriteItems": {"dynamodb:UpdateItem"},  # of what is in the transaction
    "sesv2:SendEmail": {"ses:SendEmail"},
}


# Of the web shop's long stories, a death at every so many-th effect: which calls a role needs comes
# from what was left undone, and that is the same for many neighbours.
STRIDE = 7

# Where the world's settings send every prong's ticks.
TICKS = "StoreTicksQueue"


@dataclass
class Called:
    """What one function called: IAM's names of the calls, and the queues it sent to."""

    actions: set[str] = field(default_factory=set)
    queues: set[str] = field(default_factory=set)


def test_every_role_allows_what_its_function_calls() -> None:
    called = calls_of_all_stories()
    assert {f"{function}Role" for function in called} == set(of_type(load_template(), ROLE))
    for function, calls in called.items():
        role = load_template()["Resources"][f"{function}Role"]["Properties"]
        allowed = {action for one in statements(role) for action in as_list(one["Action"])}
        assert calls.actions <= allowed, f"{function} may not {sorted(calls.actions - allowed)}"
        may_send = queues_it_may_send_to(role)
        assert calls.queues <= may_send, f"{function} has no {sorted(calls.queues - may_send)}"


def ticks_of(function: str) -> str:
    """The queue that the template gives a function for its ticks; in the world all have one."""
    template = load_template()
    shared = template["Globals"]["Function"]["Environment"]["Variables"]
    own = template["Resources"][function]["Properties"]["Environment"]["Variables"]
    return reference_to((shared | own)["TICK_QUEUE_URL"])


def queues_it_may_send_to(role: dict[str, Any]) -> set[str]:
    return {
        attribute_of(resource)
        for one in statements(role)
        if "sqs:SendMessage" in as_list(one["Action"])
        for resource in as_list(one["Resource"])
    }


def calls_of_all_stories() -> dict[str, Called]:
    """What each function called in all stories."""
    called: dict[str, Called] = defaultdict(Called)
    for story in STORIES.values():
        with begun(story) as (world, _, start):
            watch(world, called)
            begin_at(world, start, called)
            story.tell(world)
            world.come_to_rest()
    for begin, stride in ((file_all_kinds, 1), (shop_on_the_web, STRIDE), (give_back, STRIDE)):
        with running_world() as world:
            begin(world)
            start = world.keep()
            watch(world, called)
            begin_at(world, start, called)
            live(world)
            effects = len(world.effects.seen)
            world.come_to_rest()
            for place in range(0, effects, stride):
                begin_at(world, start, called)
                die_and_be_swept(world, place)
    return called


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


def begin_at(world: World, start: KeptMoment, called: dict[str, Called]) -> None:
    """Go back, and from there on, until the world goes back again, see where messages are sent."""
    world.go_back(start)
    names = {url: name for name, url in world.queue_urls.items()}
    send = world.sqs.send_message

    def sending(**parameters: Any) -> Any:
        if at_work:
            function, queue = at_work[-1], names[parameters["QueueUrl"]]
            called[function].queues.add(ticks_of(function) if queue == TICKS else queue)
        return send(**parameters)

    world.sqs.send_message = sending  # type: ignore[method-assign]


# The functions at work, the last one now.
at_work: list[str] = []


def die_and_be_swept(world: World, place: int) -> None:
    """A worker dies, and the sweep is there before the prong: so late that rows are held."""
    world.effects.kill_at = {place: "before"}
    live(world)
    world.advance(world.config.patience_seconds + 60)
    world.sweep()
    world.drain()


def watch(world: World, called: dict[str, Called]) -> None:
    """Note whose work each call belongs to."""
    for method, function in WORKERS.items():
        setattr(world, method, watched(world, getattr(world, method), function, called[function]))


def watched(
    world: World, work: Callable[..., Any], function: str, calls: Called
) -> Callable[..., Any]:
    def watching(*arguments: Any) -> Any:
        began = len(world.effects.seen)
        at_work.append(function)
        try:
            return work(*arguments)
        finally:
            at_work.pop()
            calls.actions.update(actions_of(world.effects.seen[began:]))

    return watching


def actions_of(effects: list[str]) -> Iterator[str]:
    for name in effects:
        service, _, operation = name.partition(" ")
        if service in {"dynamodb", "sqs", "sesv2", "kms"}:
            action = f"{service}:{operation}"
            yield from IAM_NAMES.get(action, {action})
