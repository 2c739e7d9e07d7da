"""A day that passes as on AWS: ticks every quarter of a minute, and messages when they are due.

The minute comes from EventBridge; the ticks in between are the messages that the prong sent itself
(a worker that died first has sent none); the sweep has its timer; a message that failed stays away
for as long as its consumer asked. Only time that nobody would notice is skipped.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from giftcards.wiring import now
from tests.world import World

MINUTE = timedelta(seconds=60)

# As in the template: `SweepSchedule` is two minutes. EventBridge's rules are not aligned, so the
# sweep comes some seconds behind a minute.
SWEEP = timedelta(seconds=120)
SWEEP_OFFSET = timedelta(seconds=7)

# How soon a visible message is taken. An event source polls all the time; here that is each second
# for answers, and less often for what is nobody's answer or has stayed away for long already.
ANSWERS_POLL = timedelta(seconds=1)
SLOW_POLL = timedelta(seconds=5)
STAYS_AWAY = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Read:
    """A mail that somebody read: when SES took it, and its subject."""

    at: datetime
    to: str
    subject: str


class Day:
    """Lets time pass in a world, and notes when each mail was taken by SES."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.read: list[Read] = []
        self.accident: Callable[[str], None] | None = None
        self._minute = now()
        self._quiet_since = now()
        self._sweep = now() + SWEEP_OFFSET
        world.effects.watch = self._see

    def pass_by(self, seconds: float) -> None:
        """Live for so long."""
        end = now() + timedelta(seconds=seconds)
        while now() < end:
            self._happen()
            self._skip_to(min(end, self._next()))
        self._happen()

    def _happen(self) -> None:
        """Whatever is due now."""
        if now() >= self._minute:
            self._minute += MINUTE
            self.world.tick()
        self._take_ticks()
        if now() >= self._sweep:
            self._sweep += SWEEP
            self.world.sweep()
        self.world.drain()
        self._note_mails()

    def _take_ticks(self) -> None:
        """Our own delayed messages: Lambda takes what is due, and deletes it when it is done."""
        url = self.world.queue_urls["StoreTicksQueue"]
        for message in self.world.sqs.receive_message(QueueUrl=url).get("Messages", []):
            body = json.loads(message["Body"])
            late = now() - datetime.fromisoformat(body["due"])
            self.world.delayed_tick(
                late_by_seconds=round(late.total_seconds()), offset_seconds=body["offset"]
            )
            self.world.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    def _next(self) -> datetime:
        """When to look again: the next timer or tick, or sooner where a message is on its way."""
        since_minute = (now() - (self._minute - MINUTE)) // timedelta(seconds=15)
        quarter = self._minute - MINUTE + (since_minute + 1) * timedelta(seconds=15)
        moments = [self._minute, self._sweep, quarter]
        if not self._in_flight("AnswerStoreQueue"):
            self._quiet_since = now()
        elif now() - self._quiet_since < STAYS_AWAY:
            moments.append(now() + ANSWERS_POLL)
        if self._in_flight("AnswerStoreQueue") or self._in_flight("WriteAirtableQueue"):
            moments.append(now() + SLOW_POLL)
        return min(moment for moment in moments if moment > now())

    def _in_flight(self, queue: str) -> int:
        attributes = self.world.sqs.get_queue_attributes(
            QueueUrl=self.world.queue_urls[queue], AttributeNames=["All"]
        )["Attributes"]
        return int(attributes["ApproximateNumberOfMessages"]) + int(
            attributes["ApproximateNumberOfMessagesNotVisible"]
        )

    def _skip_to(self, moment: datetime) -> None:
        if moment > now():
            self.world.advance((moment - now()).total_seconds())

    def _see(self, name: str) -> None:
        """Told of each call of a worker before it happens, so a mail is noted at its own time."""
        self._note_mails()
        if self.accident is not None:
            self.accident(name)

    def _note_mails(self) -> None:
        for mail in self.world.mails()[len(self.read) :]:
            self.read.append(Read(at=now(), to=_address(mail), subject=mail.subject))


def _address(mail: Any) -> str:
    (address,) = mail.destinations["ToAddresses"]
    return str(address)
