"""DynamoDB deletes what has `forget_at`; nothing that money hangs on has it."""

from tests.world import World

COUNTS = ("issued#", "sold#", "checks#")


def test_only_counts_of_a_day_are_ever_forgotten(world: World) -> None:
    world.shop.issue_card(code="wxyz2345abcd6789", amount=50)
    world.ask(Gift_Card_Code="wxyz2345abcd6789")
    world.sell(Quantity=2)
    world.check_balance("wxyz2345abcd6789")
    world.serve()
    forgotten = {item["key"] for item in world.items() if "forget_at" in item}
    assert {key.split("#")[0] + "#" for key in forgotten} == set(COUNTS)
    kept = {item["key"].split("#")[0] for item in world.items()} - {"issued", "sold", "checks"}
    assert {"op", "card", "code"} <= kept
