"""How we prove to Shopify who we are: a token for ever, or a new one every day.

Shops whose custom app was made in the admin have a token that never ends (`StaticToken`). New shops
have an app of the Dev Dashboard, which fetches a token good for 24 hours (`ClientCredentials`).
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import requests

from giftcards.clients.sending import in_all
from giftcards.errors import AccessRefused, NotSent

# A token lives 24 hours. Renewed this much earlier, none ends between a check and its use, and a
# token endpoint that is down for a while stops nobody.
RENEW_EARLY = timedelta(hours=1)

# What a token endpoint answers when the id or the secret is wrong, or the app is not installed.
REFUSED_STATUSES = frozenset({400, 401, 403, 404})
OK = 200


@dataclass(frozen=True, slots=True)
class StaticToken:
    """A token of a custom app made in the admin (`shpat_…`): it does not end by itself."""

    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """An app of the Dev Dashboard: its tokens are fetched, and last 24 hours."""

    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Granted:
    token: str = field(repr=False)
    renew_at: datetime


class TokenKeeper:
    """Hands out the token to use now; fetches, keeps and renews it. Safe to use from threads."""

    def __init__(
        self,
        credentials: StaticToken | ClientCredentials,
        *,
        url: str,
        session: requests.Session,
        timeout_seconds: float,
        clock: Callable[[], datetime],
    ) -> None:
        self._credentials = credentials
        self._url = url
        self._session = session
        self._timeout_seconds = timeout_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._granted: _Granted | None = None

    def token(self) -> str:
        """The token for the next request; raises `NotSent` or `AccessRefused`."""
        if isinstance(self._credentials, StaticToken):
            return self._credentials.token
        with self._lock:
            if self._granted is None or self._clock() >= self._granted.renew_at:
                self._granted = self._fetch(self._credentials)
            return self._granted.token

    def renewed_after(self, refused: str) -> bool:
        """Whether another token than the `refused` one can be tried; forgets the refused one."""
        if isinstance(self._credentials, StaticToken):
            return False
        with self._lock:
            if self._granted is not None and self._granted.token == refused:
                self._granted = None
        return True

    def _fetch(self, app: ClientCredentials) -> _Granted:
        """One new token. Fetching has no effect on money, so every failure is `NotSent`."""
        asked_at = self._clock()
        try:
            reply = self._session.post(
                self._url,
                data={
                    "grant_type": "client_credentials",
                    "client_id": app.client_id,
                    "client_secret": app.client_secret,
                },
                headers={"Accept": "application/json"},
                timeout=in_all(self._timeout_seconds),
                allow_redirects=False,
            )
        except requests.RequestException as problem:
            # The cause is named, not chained: its request carries the secret.
            kind = type(problem).__name__
            raise NotSent(
                f"Shopify gave no access token ({kind}); the next run asks again"
            ) from None
        if reply.status_code in REFUSED_STATUSES:
            raise AccessRefused(
                f"Shopify refused our client id or secret (HTTP {reply.status_code}): check that"
                " the app is installed in the shop and that both are stored correctly"
            )
        if reply.status_code != OK:
            raise NotSent(f"Shopify gave no access token (HTTP {reply.status_code})")
        return self._read(reply, asked_at)

    @staticmethod
    def _read(reply: requests.Response, asked_at: datetime) -> _Granted:
        try:
            body = reply.json()
        except requests.JSONDecodeError:
            body = None
        token = body.get("access_token") if isinstance(body, dict) else None
        lives = body.get("expires_in") if isinstance(body, dict) else None
        if not isinstance(token, str) or not token or not isinstance(lives, int):
            raise NotSent("Shopify answered without an access token")
        # Half its life at least: a token shorter than RENEW_EARLY must not be fetched each time.
        kept = max(timedelta(seconds=lives) - RENEW_EARLY, timedelta(seconds=lives) / 2)
        return _Granted(token, asked_at + kept)
