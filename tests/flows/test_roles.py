"""Each function's role allows what its work calls, and nothing it never calls.

The embedded AWS enforces no IAM, so a missing action would show in the cloud only.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from tests.cloudformation import load_template
from tests.flows.stories import STORIES, begun
from tests.template.reading import as_list, statements
from tests.world import World

# The names IAM has for calls that it names otherwise (Service Authorization Reference).
IAM_NAMES = {
    "dynamodb:TransactWriteItems": {"dynamodb:UpdateItem"},  # of what is in the transaction
    "sesv2:SendEmail": {"ses:SendEmail"},
}

# What Lambda itself does in a function's name: it reads the queues and writes the logs.
BY_LAMBDA = {
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
}

# Read at a cold start, which a world does not have.
AT_COLD_START = {"ssm:GetParametersByPath"}


def test_every_role_allows_what_its_function_calls_and_no_more() -> None:
    called = calls_of_all_stories()
    for function, actions in called.items():
        role = load_template()["Resources"][f"{function}Role"]["Properties"]
        allowed = {action for one in statements(role) for action in as_list(one["Action"])}
        assert actions <= allowed, f"{function} may not {sorted(actions - allowed)}"
        unused = allowed - actions - BY_LAMBDA - AT_COLD_START
        assert not unused, f"{function} never does {sorted(unused)}"


def calls_of_all_stories() -> dict[str, set[str]]:
    """IAM's names of all calls to AWS, by the function that made them, in every story."""
    called: dict[str, set[str]] = defaultdict(set)
    for story in STORIES.values():
        with begun(story) as (world, _, start):
            watch(world, called)
            world.go_back(start)
            story.tell(world)
            world.come_to_rest()
    with begun(STORIES["redeemed"]) as (world, _, start):
        watch(world, called)
        STORIES["redeemed"].tell(world)
        for place in range(len(world.effects.seen)):
            for seconds in (60, world.config.patience_seconds + 60):
                world.go_back(start)
                die_and_be_swept(world, place, after_seconds=seconds)
    return called


def die_and_be_swept(world: World, place: int, *, after_seconds: int) -> None:
    """A worker dies, Airtable is away for a while, and the sweep is there before the prong."""
    world.effects.kill_at = {place: "before"}
    world.serve()
    world.base.is_down = True
    world.advance(after_seconds)
    world.sweep()
    world.drain()
    world.base.is_down = False


def watch(world: World, called: dict[str, set[str]]) -> None:
    """Note whose work each call belongs to."""
    names = {
        "_tick": "StoreTransactions",
        "_answer": "AnswerStore",
        "_write": "WriteAirtable",
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
