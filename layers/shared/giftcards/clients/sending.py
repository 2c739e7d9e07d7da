"""How a request leaves us, whoever the vendor: once, in time; and whether it left at all."""

from typing import cast

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError

from giftcards.errors import ConfigurationError


def in_all(seconds: float) -> tuple[float, float]:
    """A time-out for connecting, sending and waiting together.

    `requests` counts connecting and waiting separately when it is given a number; urllib3's own
    `Timeout(total=…)`, which it passes on, counts them together.
    """
    return cast("tuple[float, float]", urllib3.Timeout(total=seconds))


def send_once(session: requests.Session, base_url: str) -> None:
    """Have `session` send each request for `base_url` once, whatever else is mounted on it.

    A retry strategy mounted for another vendor (pyairtable's repeats POST) would debit twice, and
    any would outlast the time a request is given.
    Raises `ConfigurationError` where an adapter of another kind repeats requests.
    """
    adapter = session.get_adapter(base_url)
    if type(adapter) is HTTPAdapter:
        session.mount(base_url, HTTPAdapter(max_retries=0))
    elif isinstance(adapter, HTTPAdapter) and adapter.max_retries.total != 0:
        raise ConfigurationError(
            f"The transport for {base_url} repeats requests by itself, which would do a thing twice"
        )


def never_connected(problem: requests.RequestException) -> bool:
    """Whether there was no connection yet, so that nothing can have been sent."""
    if isinstance(problem, requests.exceptions.ConnectTimeout):
        return True
    cause = problem.args[0] if problem.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else cause
    return isinstance(reason, NewConnectionError | ConnectTimeoutError)
