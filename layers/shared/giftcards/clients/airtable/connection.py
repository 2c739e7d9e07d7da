"""How we speak to Airtable: in time, at a measured pace, and never twice where twice does harm."""

import time
from collections.abc import Callable
from typing import Any, override

import requests
from pyairtable import Api

# Airtable answers at most this many requests a second for one base, whoever asks (Airtable, "Rate
# limits"); one more costs everybody thirty seconds. So each part of the application has its share.
AIRTABLE_REQUESTS_A_SECOND = 5
OUTCOME_WRITER_REQUESTS_A_SECOND = 2
RECORD_WRITER_REQUESTS_A_SECOND = 1
STORES_PRONG_REQUESTS_A_SECOND = 1
PURCHASES_PRONG_REQUESTS_A_SECOND = 0.5
# Comparing the books and archiving take turns at one share: 50,000 records are read in 18.3 minutes
# (spaced out as below), and nobody waits for it.
RECONCILE_REQUESTS_A_SECOND = 0.5

# What leaves evenly does not arrive so: a request that was quick on its way comes closer to the one
# before it. So each part keeps a tenth more between its requests than its share would ask for, and
# two of a share of one a second never fall into the same second.
SPACED_OUT = 1.1

# A read whose connection broke is asked once more: it harms nobody, and a broken kept-alive
# connection is the most common accident. Nothing else is ever repeated here.
READ_ATTEMPTS = 2


class Pace:
    """So many requests a second, each as long after the one before; for one thread at a time.

    Evenly and not in bursts, because what is paced may change hands: workers take turns at a group
    of a queue, and know nothing of each other. Whoever gives it away takes a `rest` first, so that
    the next one may begin at once.
    """

    def __init__(
        self,
        requests_a_second: float,
        *,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sleep = sleep
        self._monotonic = monotonic
        self._seconds_apart = SPACED_OUT / requests_a_second
        self._last: float | None = None

    def wait(self) -> None:
        """Wait until one more request is within the pace, and count it."""
        self.rest()
        self._last = self._monotonic()

    def rest(self) -> None:
        """Wait until a request would be within the pace, whoever sends it."""
        if self._last is None:
            return
        pause = self._last + self._seconds_apart - self._monotonic()
        if pause > 0:
            self._sleep(pause)


class _MeasuredSession(requests.Session):
    """A session of our own: it keeps the pace, and repeats a read whose connection broke.

    It holds our token; requests, finished with it, travel through `carrier`.
    """

    def __init__(self, pace: Pace, carrier: requests.Session | None) -> None:
        super().__init__()
        self._pace = pace
        self._carrier = carrier

    @override
    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        attempts = READ_ATTEMPTS if request.method == "GET" else 1
        for attempt in range(1, attempts + 1):
            self._pace.wait()
            try:
                if self._carrier is not None:
                    return self._carrier.send(request, **kwargs)
                return super().send(request, **kwargs)
            except requests.ConnectionError as error:
                # One that timed out has cost its time already.
                if attempt == attempts or isinstance(error, requests.Timeout):
                    raise
        raise AssertionError("the last attempt returns or raises")


def connect(
    token: str,
    *,
    session: requests.Session | None,
    endpoint_url: str,
    timeout_seconds: float,
    pace: Pace,
) -> Api:
    """Airtable's API by pyairtable, with our time-out and pace, and without its retries.

    `session` only carries finished requests: its own headers stay as they are, so that a session
    shared with another vendor never shows our token there.
    """
    api = Api(
        token,
        # pyairtable's annotation says whole seconds; `requests`, which gets it, takes fractions.
        timeout=(timeout_seconds, timeout_seconds),  # type: ignore[arg-type]
        retry_strategy=None,
        endpoint_url=endpoint_url,
        use_field_ids=True,
    )
    api.session = _MeasuredSession(pace, carrier=session)
    api.api_key = token  # puts the token on the session that is there now
    return api
