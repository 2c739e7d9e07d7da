"""Who sends to the queue that starts it: Lambda stops what it takes for an endless loop.

A request that goes through the same function about sixteen times is dropped without a log line or
an error (AWS Lambda, "Use Lambda recursive loop detection to prevent infinite loops"); its message
waits in the queue for its visibility, again and again. The embedded AWS does not count messages.
"""

from typing import Any

from giftcards.flows.deliver import WAITS
from giftcards.flows.issue import CARDS_A_TURN
from giftcards.store.queues import LONGEST_DELAY_SECONDS
from tests.template.reading import FUNCTION, as_list, attribute_of, events, of_type, statements

STOPPED_AFTER = 16

# Only a tick of the full minute, which EventBridge sends, sends ticks itself (test_wake_up.py).
OF_A_TICK = 2
# What waits for longer than SQS can hold it back is called by the sweep: a chain of its own.
OF_A_DELIVERY = 1 + sum(wait <= LONGEST_DELAY_SECONDS for wait in WAITS)


def sends_to(template: dict[str, Any]) -> dict[str, set[str]]:
    """By function, which functions it starts by a message."""
    functions = of_type(template, FUNCTION)
    readers = {
        attribute_of(source["Queue"]): name
        for name, function in functions.items()
        for source in events(function, "SQS")
    }
    return {
        name: {
            readers[queue]
            for statement in statements(template["Resources"][f"{name}Role"]["Properties"])
            if "sqs:SendMessage" in as_list(statement["Action"])
            for queue in map(attribute_of, as_list(statement["Resource"]))
            if queue in readers
        }
        for name in functions
    }


def test_no_message_comes_back_through_another_function(template: dict[str, Any]) -> None:
    started = sends_to(template)
    assert any(started.values())
    for first in started:
        reached, fresh = set[str](), started[first] - {first}
        while fresh:
            reached |= fresh
            fresh = {after for name in fresh for after in started[name]} - reached
        assert first not in reached, f"what {first} sends comes back to it"


def test_whoever_calls_itself_often_is_allowed_to(template: dict[str, Any]) -> None:
    most_cards = template["Parameters"]["LargestQuantity"]["MaxValue"]
    turns = {
        "StoreTransactions": OF_A_TICK,
        "ShopifyPurchases": OF_A_TICK,
        "ShopifyRedemptions": OF_A_TICK,
        "DeliverToCustomer": OF_A_DELIVERY,
        # At least: a turn is shorter where Shopify's points run out.
        "IssueCards": most_cards // CARDS_A_TURN,
    }
    started = sends_to(template)
    assert {name for name in started if name in started[name]} == set(turns)

    functions = of_type(template, FUNCTION)
    assert "RecursiveLoop" not in template["Globals"]["Function"]
    assert {name for name in functions if functions[name].get("RecursiveLoop") == "Allow"} == {
        name for name, count in turns.items() if count >= STOPPED_AFTER / 2
    }
