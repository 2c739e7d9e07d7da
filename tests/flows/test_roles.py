"""Each function's role allows what its work calls.

The embedded AWS enforces no IAM, so a missing action would show in the cloud only.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from tests.cloudformation import load_template
from tests.flows.stories import CODE, STORIES, begun
from tests.template.reading import ROLE, as_list, of_type, statements
from tests.world import World, running_world

# The names IAM has for calls that it names otherwise (Service Authorization Reference).
IAM_NAMES = {
    "dynamodb:TransactWriteItems": {"dynamodb:UpdateItem"},  # of what is in the transaction
    "sesv2:SendEmail": {"ses:SendEmail"},
}


def test_every_role_allows_what_its_function_calls() -> None:
    called = calls_of_all_stories()
    assert {f"{function}Role" for function in called} == set(of_type(load_template(), ROLE))
    for function, actions in called.items():
        role = load_template()["Resources"][f"{function}Role"]["Properties"]
        allowed = {action for one in statements(role) for action in as_list(one["Action"])}
        assert actions <= allowed, f"{function} may not {sorted(actions - allowed)}"


def calls_of_all_stories() -> dict[str, set[str]]:
    """IAM's names of all calls to AWS, by the function that made them, in every story."""
    called: dict[str, set[str]] = defaultdict(set)
    for story in STORIES.values():
        with begun(story) as (world, _, start):
            watch(world, called)
            world.go_back(start)
            story.tell(world)
            world.come_to_rest()
    with running_world() as world:
        world.shop.issue_card(code=CODE, amount=50)
        world.ask(Gift_Card_Code=CODE)
        world.check_balance(CODE)
        world.sell(Is_Gift=True, Purchaser_Name="Tom", Purchaser_Email="tom@example.com")
        start = world.keep()
        watch(world, called)
        world.serve()
        for place in range(len(world.effects.seen)):
            world.go_back(start)
            die_and_be_swept(world, place)
    return called


def die_and_be_swept(world: World, place: int) -> None:
    """A worker dies, and the sweep is there before the prong: so late that rows are held."""
    world.effects.kill_at = {place: "before"}
    world.serve()
    world.advance(world.config.patience_seconds + 60)
    world.sweep()
    world.drain()


def watch(world: World, called: dict[str, set[str]]) -> None:
    """Note whose work each call belongs to."""
    names = {
        "take_tick": "StoreTransactions",
        "_answer": "AnswerStore",
        "_write": "WriteAirtable",
        "_issue": "IssueCards",
        "_deliver": "DeliverToCustomer",
        "_sweep": "Sweep",
    }
    for method, function in names.items():
        setattr(world, method, watched(world, getattr(world, method), called[function]))


def watched(world: World, work: Callable[..., Any], calls: set[str]) -> Callable[..., Any]:
    def watching(*arguments: Any) -> Any:
        began = len(world.effects.seen)
        try:
            return work(*arguments)
        finally:
            for name in world.effects.seen[began:]:
                service, _, operation = name.partition(" ")
                if service in {"dynamodb", "sqs", "sesv2", "kms"}:
                    action = f"{service}:{operation}"
                    calls.update(IAM_NAMES.get(action, {action}))

    return watching
