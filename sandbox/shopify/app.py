"""The shop's front door: the two addresses of Shopify's Admin API, as a WSGI app.

    POST /admin/oauth/access_token              a token for a client id and secret
    POST /admin/api/2026-10/graphql.json        a question or a change

Beside them stand `/_sandbox/faults` (see `sandbox.faults`). Serve it with werkzeug, whose sockets a
fault can shut: `werkzeug.serving.make_server("127.0.0.1", 0, create_app(shop), threaded=True)`.
"""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from flask import Flask, Response, jsonify, request
from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    execute_sync,
    get_operation_ast,
)
from graphql.execution.values import get_variable_values

from sandbox.faults import Fault, FaultOrder, faults_blueprint
from sandbox.shopify.answers import ROOT
from sandbox.shopify.cost import LARGEST_QUERY, Pricing
from sandbox.shopify.replies import Caller, fill
from sandbox.shopify.schema import Json, WrongDocument, error_json, pruned_schema, read_document
from sandbox.shopify.shop import TOKEN_SECONDS, Call, CallLost, Shop, Stage
from sandbox.wsgi import Loss, LossyConnections, lose_reply

API_VERSION = "2026-10"
TOKEN_OPERATION = "access_token"  # noqa: S105 - the name of an operation, not a password

# The root fields that look into an index, which can be stale.
SEARCHES = frozenset({"giftCards", "orders"})

RATE_LIMITS_PAGE = "https://shopify.dev/api/usage/rate-limits"
LOST_AFTER = {Fault.DROP_REPLY: Loss.TIMED_OUT, Fault.BREAK_CONNECTION: Loss.RESET}


@dataclass(frozen=True, slots=True)
class _Question:
    """One request understood: the document, the operation in it, and the price."""

    document: DocumentNode
    operation: OperationDefinitionNode
    variables: Mapping[str, object]
    price: Pricing

    @property
    def names(self) -> list[str]:
        """What a fault may call it: the operation's own name, and its root fields."""
        selected = self.operation.selection_set.selections
        fields = [node.name.value for node in selected if isinstance(node, FieldNode)]
        return [*fields, self.operation.name.value] if self.operation.name else fields


def create_app(shop: Shop) -> Flask:
    """The WSGI app that answers for `shop`."""
    app = Flask("sandbox.shopify")
    app.config["PROPAGATE_EXCEPTIONS"] = True  # a mistake of ours shall not look like Shopify's
    app.wsgi_app = LossyConnections(app.wsgi_app)  # type: ignore[method-assign] # how Flask wraps middleware
    app.register_blueprint(faults_blueprint(shop.faults))

    @app.post("/admin/oauth/access_token")
    def access_token() -> Response:
        return _grant_token(shop)

    @app.post("/admin/api/<version>/graphql.json")
    def graphql(version: str) -> Response:
        answered_by = _answering_version(shop, version)
        if answered_by is None:
            return _reply({"errors": "Not Found"}, 404)
        reply = _answer_graphql(shop)
        reply.headers["X-Shopify-API-Version"] = answered_by
        reply.headers["X-Request-Id"] = str(uuid.uuid4())
        return reply

    return app


def _answering_version(shop: Shop, asked: str) -> str | None:
    """A retired version falls forward to the oldest one alive; one not published yet is nothing."""
    if not re.fullmatch(r"20\d\d-(01|04|07|10)", asked):
        return None
    alive = max(shop.oldest_api_version, API_VERSION)
    return None if asked > alive else max(asked, shop.oldest_api_version)


def _reply(body: object, status: int = 200) -> Response:
    reply = jsonify(body)
    reply.status_code = status
    return reply


def _lost(loss: Loss) -> Response:
    lose_reply(request.environ, loss)
    return Response(status=503)


def _fail_before(order: FaultOrder | None) -> Response | None:
    """The reply of a fault that applies nothing, or None when there is no such fault."""
    match order:
        case FaultOrder(fault=Fault.REFUSE_CONNECTION):
            return _lost(Loss.REFUSED)
        case FaultOrder(fault=Fault.FAIL_BEFORE):
            return _reply({"errors": "Internal Server Error"}, 500)
        case FaultOrder(fault=Fault.REFUSE_TOKEN):
            return _refuse_token()
        case _:
            return None


def _refuse_token() -> Response:
    text = "[API] Invalid API key or access token (unrecognized login or wrong password)"
    return _reply({"errors": text}, 401)


# ---- tokens ---------------------------------------------------------------------------------


def _grant_token(shop: Shop) -> Response:
    """The client-credentials grant. A form or JSON, as Shopify takes either."""
    given = request.get_json(silent=True) if request.is_json else request.form.to_dict()
    fields = given if isinstance(given, dict) else {}
    order = shop.faults.take([TOKEN_OPERATION], among=set(Fault) - {Fault.STALE_SEARCH})
    failed = _fail_before(order)
    if failed is not None:
        return failed
    if order is not None and order.fault in {Fault.THROTTLE, Fault.THROTTLE_429}:
        return _reply({"errors": "Exceeded 2 calls per second"}, 429)
    if fields.get("grant_type") != "client_credentials":
        return _reply({"error": "unsupported_grant_type"}, 400)
    granted = shop.grant_token(str(fields.get("client_id")), str(fields.get("client_secret")))
    if granted is None:
        return _reply({"error": "invalid_client"}, 400)
    if order is not None:
        return _lost(LOST_AFTER.get(order.fault, Loss.TIMED_OUT))
    token, scopes = granted
    return _reply(
        {"access_token": token, "scope": ",".join(sorted(scopes)), "expires_in": TOKEN_SECONDS}
    )


# ---- questions and changes ------------------------------------------------------------------


def _answer_graphql(shop: Shop) -> Response:
    scopes = shop.scopes_of(request.headers.get("X-Shopify-Access-Token", ""))
    if scopes is None:
        return _refuse_token()
    question = _understand(request.get_json(silent=True))
    if isinstance(question, Response):
        return question
    order = _order_for(shop, question)
    requested = question.price.requested()
    return _refuse_to_run(shop, order, requested) or _apply(shop, question, order, scopes)


def _refuse_to_run(shop: Shop, order: FaultOrder | None, requested: int) -> Response | None:
    """The reply when nothing is to be applied: a fault, too dear, or too fast. Takes the points."""
    failed = _fail_before(order)
    if failed is not None:
        return failed
    if requested > LARGEST_QUERY:
        return _reply({"errors": [_too_expensive(requested)]})
    fault = order.fault if order else None
    if fault is Fault.THROTTLE_429:
        return _throttled(shop, requested, 429)
    if fault is Fault.THROTTLE or not shop.spend_points(requested):
        return _throttled(shop, requested, 200)
    return None


def _apply(
    shop: Shop, question: _Question, order: FaultOrder | None, scopes: frozenset[str]
) -> Response:
    """Run the operation, now or late, and answer it or lose the answer."""
    fault = order.fault if order else None
    seconds = order.seconds if order else 0.0
    caller = Caller(shop, scopes, stale_seconds=seconds if fault is Fault.STALE_SEARCH else 0.0)
    if fault is Fault.APPLY_LATE:
        shop.apply_later(seconds, lambda: _run(question, caller))
        return _lost(Loss.TIMED_OUT)
    try:
        _tell_witness(shop, question, Stage.ARRIVED)
        with shop.at_rest():
            result = _run(question, caller)
        _tell_witness(shop, question, Stage.APPLIED)
    except CallLost:
        return _lost(Loss.RESET)
    if fault in LOST_AFTER:
        return _lost(LOST_AFTER[fault])
    if fault is Fault.FAIL_AFTER:
        return _reply({"errors": [_internal_error()]})
    return _reply(_body(shop, question, caller, result))


def _tell_witness(shop: Shop, question: _Question, stage: Stage) -> None:
    if shop.witness is None:
        return
    port = request.environ.get("REMOTE_PORT")
    caller = Call(
        names=tuple(question.names),
        variables=question.variables,
        port=int(port) if port else None,
    )
    shop.witness(caller, stage)


def _order_for(shop: Shop, question: _Question) -> FaultOrder | None:
    """The fault ordered for this call, if any; only a search can be stale."""
    is_search = not SEARCHES.isdisjoint(question.names)
    among = set(Fault) if is_search else set(Fault) - {Fault.STALE_SEARCH}
    return shop.faults.take(question.names, among=among)


def _understand(body: object) -> "_Question | Response":
    """Read the request's body; what is wrong with it comes back as the reply to give."""
    text = body.get("query") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(text, str):
        return _reply({"errors": {"query": "Required parameter missing or invalid"}}, 400)
    document = read_document(text)
    if isinstance(document, WrongDocument):
        return _reply({"errors": document.errors})
    operation = get_operation_ast(document, body.get("operationName"))
    if operation is None or operation.operation is OperationType.SUBSCRIPTION:
        return _reply({"errors": [{"message": "An operation name is required"}]})
    given = body.get("variables") or {}
    variables = get_variable_values(
        pruned_schema(), list(operation.variable_definitions), given, max_errors=None
    )
    if isinstance(variables, list):
        return _reply({"errors": [_invalid_variable(problem) for problem in variables]})
    price = Pricing(pruned_schema(), document, operation, variables)
    return _Question(document, operation, given, price)


def _run(question: _Question, caller: Caller) -> ExecutionResult:
    """Execute one operation. Raises whatever went wrong inside the sandbox itself."""
    result = execute_sync(
        pruned_schema(),
        question.document,
        ROOT,
        caller,
        dict(question.variables),
        question.operation.name.value if question.operation.name else None,
        fill,
    )
    for error in result.errors or ():
        if error.original_error and not isinstance(error.original_error, GraphQLError):
            raise error.original_error
    return result


def _cost(shop: Shop, requested: int, actual: int | None) -> Json:
    status = shop.throttle_status()
    return {
        "requestedQueryCost": requested,
        "actualQueryCost": actual,
        "throttleStatus": {
            "maximumAvailable": float(status.maximum_available),
            "currentlyAvailable": status.currently_available,
            "restoreRate": float(status.restore_rate),
        },
    }


def _body(shop: Shop, question: _Question, caller: Caller, result: ExecutionResult) -> Json:
    requested, actual = question.price.requested(), question.price.actual(result.data)
    shop.give_points_back(requested - actual)
    body: Json = {"data": result.data}
    if result.errors:
        body["errors"] = [error_json(error) for error in result.errors]
    extensions: Json = {"cost": _cost(shop, requested, actual)}
    if caller.search_warnings:
        extensions["search"] = caller.search_warnings
    body["extensions"] = extensions
    return body


def _throttled(shop: Shop, requested: int, status: int) -> Response:
    error = {
        "message": "Throttled",
        "extensions": {"code": "THROTTLED", "documentation": RATE_LIMITS_PAGE},
    }
    cost = _cost(shop, requested, None)
    return _reply({"errors": [error], "extensions": {"cost": cost}}, status)


def _too_expensive(cost: int) -> Json:
    return {
        "message": f"Query cost is {cost}, which exceeds the single query max cost limit"
        f" ({LARGEST_QUERY}).",
        "extensions": {
            "code": "MAX_COST_EXCEEDED",
            "cost": cost,
            "maxCost": LARGEST_QUERY,
            "documentation": RATE_LIMITS_PAGE,
        },
    }


def _internal_error() -> Json:
    request_id = str(uuid.uuid4())
    return {
        "message": "Internal error. Looks like something went wrong on our end.\n"
        f"Request ID: {request_id} (include this in support requests).",
        "extensions": {"code": "INTERNAL_SERVER_ERROR", "requestId": request_id},
    }


def _invalid_variable(problem: GraphQLError) -> Json:
    entry = error_json(problem)
    explanation = {"path": [], "explanation": problem.message}
    entry["extensions"] = {"code": "INVALID_VARIABLE", "problems": [explanation]}
    return entry
