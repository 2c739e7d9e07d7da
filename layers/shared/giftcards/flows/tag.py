"""Tag orders at Shopify whose cards are ordered.

    claimed ─► Shopify takes the tag ─► TAGGED
       │  └──► Shopify refuses it ─► counted, the sweep comes back to it; at last PARKED
       └─────► Shopify is away ─► the message comes back

A tag is for eyes, and for a search that finds less. Which orders were taken says the journal: a tag
reaches Shopify's search late, and anybody can remove it. An order that has the tag takes it once
more without a change, so every step may be repeated.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from aws_lambda_powertools import Logger

from giftcards.clients.shopify import Shopify
from giftcards.errors import NeedsAPerson, NotSent, VendorSurprise
from giftcards.flows.follow_up import FollowUp
from giftcards.flows.kinds import TAG
from giftcards.flows.park import Park
from giftcards.store.control import Control
from giftcards.store.journal import Journal, Operation, Result, State

TAGGED = "TAGGED"

# When the sweep looks after a tag whose worker died.
LOOK_AGAIN_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class TagOrder:
    """Gives an order its tag; may be called again at any moment.

    `longest_call_seconds` is how long Shopify may keep us, its points waited for.
    """

    journal: Journal
    control: Control
    shopify: Shopify
    follow_up: FollowUp
    park: Park
    logger: Logger
    clock: Callable[[], datetime]
    longest_call_seconds: float

    def tag(self, key: str, *, deadline: datetime) -> None:
        """Tag the order of the operation, unless that was done before.

        Raises `TryAgain` where Shopify is away, or no call fits into the time until `deadline`.
        """
        operation = self.journal.load(key)
        if operation is None or operation.kind != TAG:
            raise NeedsAPerson(f"{key} is no order to be tagged in the journal")
        if operation.state is State.COMMITTED:
            self.follow_up.hand_over(operation)
        if operation.state is not State.CLAIMED or not self.control.switch().is_running:
            return  # done, given up, or paused: the sweep comes back to what is left
        if self.clock() + timedelta(seconds=self.longest_call_seconds) > deadline:
            raise NotSent(f"{key} waits for the next worker: this one's time is nearly over")
        try:
            self._send(operation)
        except VendorSurprise as error:
            # Not raised: in a FIFO queue the orders behind this one would wait for it.
            self.logger.exception("an order was not tagged", extra={"operation": key})
            self.park.count_failure(operation, error)
        else:
            self._note_tagged(operation)

    def _send(self, operation: Operation) -> None:
        asked = operation.snapshot
        refusal = self.shopify.tag_order(asked["order_id"], asked["tag"])
        if refusal is not None:
            raise VendorSurprise(
                f"Shopify refuses order {asked['order']} the tag “{asked['tag']}”: {refusal}"
            )

    def _note_tagged(self, operation: Operation) -> None:
        now = self.clock()
        done = self.journal.commit(
            operation,
            Result(outcome=TAGGED, decided_at=now),
            due_at=now + timedelta(seconds=LOOK_AGAIN_SECONDS),
        )
        if done.state is State.COMMITTED:
            self.follow_up.hand_over(done)
