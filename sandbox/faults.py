"""What can go wrong at a vendor, switched on by hand: each switch is a real accident.

Every vendor in the box has a `Faults`, reached as `shop.faults` (or `base.faults`) from Python and
as `/_sandbox/faults` over HTTP. One order says which accident, to which operation, how many times:

    shop.faults.add(Fault.DROP_REPLY, operation="giftCardDebit", times=1)

    POST   /_sandbox/faults   {"fault": "drop-reply", "operation": "giftCardDebit", "times": 1}
    GET    /_sandbox/faults   the orders still waiting, oldest first
    DELETE /_sandbox/faults   forget them all

The switches:

    drop-reply         the request is applied, its reply never arrives
    break-connection   the same, but the connection breaks instead of staying silent
    fail-before        nothing is applied; HTTP 500
    refuse-connection  nothing is applied; there is no connection at all (over real HTTP, where a
                       connection exists by then, it is closed without a reply)
    fail-after         the request is applied, then answered with the vendor's internal error
                       (Shopify: INTERNAL_SERVER_ERROR with HTTP 200; elsewhere HTTP 500)
    apply-late         the reply never arrives; the request is applied `seconds` later
    throttle           nothing is applied; the vendor's usual "too fast" (Shopify: THROTTLED with
                       HTTP 200; elsewhere HTTP 429)
    throttle-429       nothing is applied; "too fast" with HTTP 429 at every vendor. Klaviyo asks
                       for a wait of `seconds`, if there are any
    refuse-token       nothing is applied; HTTP 401, though the token is good
    stale-search       a search answers as the index stood `seconds` ago; reads by id do not

`operation` names what the vendor calls it (Shopify: a root field such as `giftCardDebit`, or the
document's own operation name; `access_token` for the token endpoint; Airtable: see its package).
Left out, any operation that can suffer the fault takes it. `times` counts down and is 1 unless
said otherwise; `null` (`None`) means until it is cleared.
"""

import threading
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

from flask import Blueprint, Response, jsonify, request


class Fault(StrEnum):
    """The accidents; the module's docstring says what each does."""

    DROP_REPLY = "drop-reply"
    BREAK_CONNECTION = "break-connection"
    FAIL_BEFORE = "fail-before"
    REFUSE_CONNECTION = "refuse-connection"
    FAIL_AFTER = "fail-after"
    APPLY_LATE = "apply-late"
    THROTTLE = "throttle"
    THROTTLE_429 = "throttle-429"
    REFUSE_TOKEN = "refuse-token"  # noqa: S105 - the name of an accident, not a password
    STALE_SEARCH = "stale-search"


ALL_FAULTS = frozenset(Fault)

# Faults that need a time: applied how much later, or how old an index.
TIMED_FAULTS = frozenset({Fault.APPLY_LATE, Fault.STALE_SEARCH})


class FaultOrderError(ValueError):
    """The order names no fault we know, or makes no sense; the message says what to write."""


@dataclass(frozen=True, slots=True)
class FaultOrder:
    """One accident ordered: `times` left (None: until cleared), `seconds` for the timed ones."""

    fault: Fault
    operation: str | None
    times: int | None
    seconds: float


class Faults:
    """The accidents waiting to happen at one vendor. Safe to use from several threads."""

    def __init__(self, *, supported: Collection[Fault] = ALL_FAULTS) -> None:
        """Take orders for the `supported` faults only: an order nobody obeys would mislead."""
        self._supported = frozenset(supported)
        self._lock = threading.Lock()
        self._orders: list[FaultOrder] = []

    def add(
        self,
        fault: Fault | str,
        *,
        operation: str | None = None,
        times: int | None = 1,
        seconds: float = 0.0,
    ) -> None:
        """Order `fault` for the next `times` calls of `operation` (None: of any).

        Raises `FaultOrderError` for an unknown or unsupported fault, `times` below one, or a timed
        fault without `seconds`.
        """
        try:
            kind = Fault(fault)
        except ValueError:
            kind = None
        if kind is None or kind not in self._supported:
            known = ", ".join(sorted(self._supported))
            raise FaultOrderError(f"{str(fault)!r} is no fault known here; known are: {known}")
        if times is not None and times < 1:
            raise FaultOrderError("times counts the calls that fail: 1 or more, or null for all")
        if kind in TIMED_FAULTS and seconds <= 0:
            raise FaultOrderError(f"{kind} needs seconds, a number above 0")
        with self._lock:
            self._orders.append(FaultOrder(kind, operation, times, float(seconds)))

    def take(
        self, operations: Collection[str], *, among: Collection[Fault] = ALL_FAULTS
    ) -> FaultOrder | None:
        """Use up one ordered accident for a call known by any of the names `operations`.

        Only faults `among` those given are looked at (a search can be stale, a debit cannot); the
        oldest fitting order is taken, counted down, and returned.
        """
        with self._lock:
            for position, order in enumerate(self._orders):
                fits = order.operation is None or order.operation in operations
                if not fits or order.fault not in among:
                    continue
                if order.times == 1:
                    del self._orders[position]
                elif order.times is not None:
                    self._orders[position] = replace(order, times=order.times - 1)
                return order
        return None

    def waiting(self) -> list[FaultOrder]:
        """The orders not used up yet, oldest first."""
        with self._lock:
            return list(self._orders)

    def clear(self) -> None:
        """Forget every order: from now on all goes well."""
        with self._lock:
            self._orders.clear()


def _answer_with_orders(faults: Faults) -> Response:
    return jsonify({"faults": [asdict(order) for order in faults.waiting()]})


def _complaint(message: str) -> Response:
    reply = jsonify({"error": message})
    reply.status_code = 400
    return reply


def _whole_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _order_from_json(faults: Faults, body: object) -> None:
    """Put one order from its JSON; raises `FaultOrderError`."""
    if not isinstance(body, dict):
        raise FaultOrderError('send a JSON object such as {"fault": "drop-reply"}')
    unknown = sorted(set(body) - {"fault", "operation", "times", "seconds"})
    if unknown:
        raise FaultOrderError(f"{unknown} mean nothing here; give fault, operation, times, seconds")
    operation, times, seconds = body.get("operation"), body.get("times", 1), body.get("seconds", 0)
    if operation is not None and not isinstance(operation, str):
        raise FaultOrderError("operation is a name, or null for any")
    if times is not None and not _whole_number(times):
        raise FaultOrderError("times is a whole number, or null for all")
    if not isinstance(seconds, float) and not _whole_number(seconds):
        raise FaultOrderError("seconds is a number")
    faults.add(str(body.get("fault")), operation=operation, times=times, seconds=float(seconds))


def faults_blueprint(faults: Faults) -> Blueprint:
    """The switches over HTTP, for a vendor's Flask app: `app.register_blueprint(...)`."""
    blueprint = Blueprint("sandbox_faults", __name__)

    @blueprint.get("/_sandbox/faults")
    def show_faults() -> Response:
        return _answer_with_orders(faults)

    @blueprint.post("/_sandbox/faults")
    def order_fault() -> Response:
        try:
            _order_from_json(faults, request.get_json(silent=True))
        except FaultOrderError as problem:
            return _complaint(str(problem))
        return _answer_with_orders(faults)

    @blueprint.delete("/_sandbox/faults")
    def clear_faults() -> Response:
        faults.clear()
        return _answer_with_orders(faults)

    return blueprint
