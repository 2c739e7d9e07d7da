"""The same stories on moto, below botocore: our worlds' AWS in memory leads to the same effects."""

from typing import Any

import pytest

from tests.accounts import AccountKind
from tests.flows.stories import STORIES, Story, check
from tests.world import running_world


def tell(story: Story, account: AccountKind) -> dict[str, Any]:
    """Tell the story undisturbed; what its workers did, and what people see."""
    with running_world(account=account) as world:
        told = story.begin(world)
        world.effects.forget()
        story.tell(world)
        world.come_to_rest()
        outcome = check(world, story, told)
        return {
            "effects": list(world.effects.seen),
            "outcome": outcome,
            "mails": [(mail.destinations, mail.subject, mail.body) for mail in world.mails()],
            "receipts": world.cells("Receipts"),
            "cards": world.cells("Gift Cards"),
            "items": {item["key"]: sorted(item) for item in world.items()},
        }


@pytest.mark.parametrize("name", ["redeemed", "filed twice", "a lost reply, then found"])
def test_moto_and_the_aws_in_memory_tell_one_story(name: str) -> None:
    assert tell(STORIES[name], "in memory") == tell(STORIES[name], "moto")
