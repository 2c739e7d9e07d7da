"""Airtable's Web API over a base: the addresses, parameters and replies its clients know.

    GET POST PATCH PUT DELETE  /v0/{base}/{table}             list, create, update, replace, delete
    POST                       /v0/{base}/{table}/listRecords a list whose address would be too long
    GET PATCH PUT DELETE       /v0/{base}/{table}/{record}    one record
    GET POST                   /v0/meta/bases/{base}/tables   tables and fields; a new table
    POST                       /v0/meta/bases/{base}/tables/{table}/fields   a new field
    GET POST DELETE            /_sandbox/faults               see `sandbox.faults`
    GET PUT                    /_sandbox/down                 {"down": true}: everything answers 503

Faults know these operations, alone or with a table's name behind them (`create Receipts`): `list`,
`get`, `create`, `update` (PATCH and PUT, upserts too), `delete`, `schema`, `create table`,
`create field`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Flask, Response, jsonify, request
from werkzeug.datastructures import MultiDict

from sandbox.airtable import errors
from sandbox.airtable.base import Base
from sandbox.airtable.errors import AirtableError
from sandbox.airtable.fields import Json
from sandbox.airtable.table import RECORDS_A_PAGE, Query, RecordJson, Table
from sandbox.faults import Fault, FaultOrder, faults_blueprint
from sandbox.wsgi import Loss, LossyConnections, lose_reply

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

Answer = Mapping[str, Json]

# What a list understands; anything else is refused rather than ignored.
LIST_PARAMETERS = frozenset(
    {
        "cellFormat", "fields", "filterByFormula", "maxRecords", "offset", "pageSize",
        "returnFieldsByFieldId", "sort", "timeZone", "userLocale", "view",
    }
)  # fmt: skip

# A search at Airtable is never stale: it has no index that lags.
FAULTS_BEFORE = frozenset(
    {
        Fault.FAIL_BEFORE,
        Fault.REFUSE_CONNECTION,
        Fault.THROTTLE,
        Fault.THROTTLE_429,
        Fault.REFUSE_TOKEN,
        Fault.APPLY_LATE,
    }
)
FAULTS_AFTER = frozenset({Fault.DROP_REPLY, Fault.BREAK_CONNECTION, Fault.FAIL_AFTER})


@dataclass(frozen=True, slots=True)
class Received:
    """A request as far as the base cares; it outlives the connection, for what is applied late."""

    verb: str
    parameters: MultiDict[str, str]
    json: Json

    def body(self) -> dict[str, Json]:
        """The JSON object that was sent; raises `AirtableError` if there is none."""
        if not isinstance(self.json, dict):
            raise errors.missing_fields()
        return self.json


def _received() -> Received:
    return Received(request.method, request.args, request.get_json(silent=True))


def create_app(base: Base) -> "WSGIApplication":
    """The Web API of one base, as a WSGI app."""
    app = Flask(__name__)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # Flask's default provider has it
    app.register_blueprint(faults_blueprint(base.faults))
    app.register_error_handler(AirtableError, _refuse)
    app.register_error_handler(404, lambda _error: _refuse(errors.not_found()))
    app.register_error_handler(405, lambda _error: _refuse(errors.not_found()))
    _add_record_routes(app, base)
    _add_metadata_routes(app, base)
    _add_down_switch(app, base)
    return LossyConnections(app)


def _refuse(error: AirtableError) -> Response:
    reply = jsonify(error.body())
    reply.status_code = error.status
    return reply


def _add_record_routes(app: Flask, base: Base) -> None:
    @app.route("/v0/<base_id>/<table>", methods=["GET", "POST", "PATCH", "PUT", "DELETE"])
    def many(base_id: str, table: str) -> Response:
        received = _received()
        operation = {"GET": "list", "POST": "create", "DELETE": "delete"}.get(
            received.verb, "update"
        )
        return _serve(base, base_id, table, operation, lambda there: _many(there, received))

    @app.post("/v0/<base_id>/<table>/listRecords")
    def list_records(base_id: str, table: str) -> Response:
        received = _received()
        return _serve(base, base_id, table, "list", lambda there: _list(there, received.body()))

    @app.route("/v0/<base_id>/<table>/<record_id>", methods=["GET", "PATCH", "PUT", "DELETE"])
    def one(base_id: str, table: str, record_id: str) -> Response:
        received = _received()
        operation = {"GET": "get", "DELETE": "delete"}.get(received.verb, "update")
        return _serve(
            base, base_id, table, operation, lambda there: _one(there, record_id, received)
        )


def _add_metadata_routes(app: Flask, base: Base) -> None:
    @app.get("/v0/meta/bases")
    def bases() -> Response:
        shown = [{"id": base.id, "name": "Gift Cards", "permissionLevel": "create"}]
        return _guard(base, ["bases"], lambda: {"bases": shown}, counts_as_call=False)

    @app.get("/v0/meta/bases/<base_id>/tables")
    def schema(base_id: str) -> Response:
        def answer() -> Answer:
            _check_base(base, base_id)
            return {"tables": [table.schema() for table in base.tables()]}

        return _guard(base, ["schema"], answer, counts_as_call=False)

    @app.post("/v0/meta/bases/<base_id>/tables")
    def create_table(base_id: str) -> Response:
        received = _received()

        def answer() -> Answer:
            _check_base(base, base_id)
            return _create_table(base, received.body())

        return _guard(base, ["create table"], answer, counts_as_call=False)

    @app.post("/v0/meta/bases/<base_id>/tables/<table>/fields")
    def create_field(base_id: str, table: str) -> Response:
        received = _received()

        def answer() -> Answer:
            _check_base(base, base_id)
            return base.table(table).create_field(received.body()).schema()

        return _guard(base, ["create field"], answer, counts_as_call=False)


def _add_down_switch(app: Flask, base: Base) -> None:
    @app.route("/_sandbox/down", methods=["GET", "PUT"])
    def down() -> Response:
        if request.method == "PUT":
            base.is_down = bool(_received().body().get("down"))
        return jsonify({"down": base.is_down})


# What surrounds every request: token, limits, faults.


def _serve(
    base: Base, base_id: str, table: str, operation: str, act: Callable[[Table], Answer]
) -> Response:
    """Answer a request about one table."""
    names = [operation, f"{operation} {table}"]
    names += [f"{operation} {one.name}" for one in base.tables() if one.id == table]

    def answer() -> Answer:
        _check_base(base, base_id)
        return act(base.table(table))

    return _guard(base, names, answer)


def _guard(
    base: Base, names: Sequence[str], answer: Callable[[], Answer], *, counts_as_call: bool = True
) -> Response:
    if request.headers.get("Authorization") != f"Bearer {base.token}":
        raise errors.authentication_required()
    base.admit(counts_as_call=counts_as_call)
    if (order := base.faults.take(names, among=FAULTS_BEFORE)) is not None:
        return _go_wrong_before(base, order, answer)
    # The fault is taken before the request is applied, so that a later one cannot take it away.
    after = base.faults.take(names, among=FAULTS_AFTER)
    try:
        with base.lock:
            reply = jsonify(answer())
    except AirtableError as refusal:
        reply = _refuse(refusal)  # a refusal gets lost like any other reply
    if after is None:
        return reply
    match after.fault:
        case Fault.DROP_REPLY:
            lose_reply(request.environ, Loss.TIMED_OUT)
        case Fault.BREAK_CONNECTION:
            lose_reply(request.environ, Loss.RESET)
        case _:
            return _refuse(errors.server_error())
    return reply


def _go_wrong_before(base: Base, order: FaultOrder, answer: Callable[[], Answer]) -> Response:
    match order.fault:
        case Fault.REFUSE_CONNECTION:
            lose_reply(request.environ, Loss.REFUSED)
        case Fault.APPLY_LATE:
            base.apply_later(order.seconds, lambda: _apply_unseen(answer))
            lose_reply(request.environ, Loss.TIMED_OUT)
        case Fault.THROTTLE | Fault.THROTTLE_429:
            base.punish()
            raise errors.rate_limit_reached()
        case Fault.REFUSE_TOKEN:
            raise errors.authentication_required()
        case _:
            raise errors.server_error()
    return Response()  # nobody will see it


def _apply_unseen(answer: Callable[[], Answer]) -> None:
    """A request that is applied late may be refused like any other; nobody is told."""
    try:
        answer()
    except AirtableError:
        return


def _check_base(base: Base, base_id: str) -> None:
    if base_id != base.id:
        raise errors.model_not_found()


# Requests and their replies.


def _create_table(base: Base, body: Mapping[str, Json]) -> Answer:
    name, fields = body.get("name"), body.get("fields")
    if not isinstance(name, str) or not isinstance(fields, list):
        raise errors.invalid_request()
    return base.create_table(name, fields, body.get("description")).schema()


def _many(table: Table, received: Received) -> Answer:
    match received.verb:
        case "GET":
            return _list(table, _list_parameters(received.parameters))
        case "POST":
            return _create(table, received.body())
        case "DELETE":
            record_ids = received.parameters.getlist("records[]")
            if not record_ids:
                raise errors.invalid_request()
            table.delete_many(record_ids)
            return {"records": [{"id": one, "deleted": True} for one in record_ids]}
        case _:
            return _update(table, received.body(), replace=received.verb == "PUT")


def _one(table: Table, record_id: str, received: Received) -> Answer:
    if received.verb == "GET":
        by_id = _flag(received.parameters.get("returnFieldsByFieldId"))
        return _as_answer(table.get(record_id, by_field_id=by_id))
    table.get(record_id)  # 404 for one record, where a batch answers 422
    if received.verb == "DELETE":
        table.delete(record_id)
        return {"id": record_id, "deleted": True}
    body = received.body()
    (changed,) = table.update_many(
        [(record_id, _cells(body))],
        replace=received.verb == "PUT",
        typecast=_flag(body.get("typecast")),
        by_id=_flag(body.get("returnFieldsByFieldId")),
    )
    return _as_answer(changed)


def _create(table: Table, body: Mapping[str, Json]) -> Answer:
    rows = body.get("records")
    if rows is not None and not isinstance(rows, list):
        raise errors.invalid_request()
    made = table.create_many(
        [_cells(row) for row in ([body] if rows is None else rows)],
        typecast=_flag(body.get("typecast")),
        by_id=_flag(body.get("returnFieldsByFieldId")),
    )
    return _as_answer(made[0]) if rows is None else {"records": made}


def _update(table: Table, body: Mapping[str, Json], *, replace: bool) -> Answer:
    rows = body.get("records")
    if not isinstance(rows, list) or not rows:
        raise errors.invalid_request()
    upsert = body.get("performUpsert")
    typecast, by_id = _flag(body.get("typecast")), _flag(body.get("returnFieldsByFieldId"))
    pairs = [(_id_of(row), _cells(row)) for row in rows]
    if upsert is None:
        changes = [(record_id, cells) for record_id, cells in pairs if record_id is not None]
        if len(changes) != len(pairs):
            raise errors.invalid_request()
        changed = table.update_many(changes, replace=replace, typecast=typecast, by_id=by_id)
        return {"records": changed}
    merge_on = upsert.get("fieldsToMergeOn") if isinstance(upsert, dict) else None
    if not isinstance(merge_on, list):
        raise errors.invalid_request()
    done = table.upsert_many(
        pairs, merge_on=merge_on, replace=replace, typecast=typecast, by_id=by_id
    )
    return {
        "records": done.records,
        "createdRecords": done.created,
        "updatedRecords": done.updated,
    }


def _list(table: Table, given: Mapping[str, Json]) -> Answer:
    unknown = set(given) - LIST_PARAMETERS
    if unknown or given.get("cellFormat", "json") != "json":
        raise errors.invalid_request()
    try:
        query = Query(
            formula=given.get("filterByFormula"),
            sort=[(one["field"], one.get("direction", "asc")) for one in given.get("sort", [])],
            fields=given.get("fields"),
            by_field_id=_flag(given.get("returnFieldsByFieldId")),
            page_size=int(given.get("pageSize", RECORDS_A_PAGE)),
            max_records=int(given["maxRecords"]) if "maxRecords" in given else None,
            view=given.get("view"),
        )
    except (KeyError, TypeError, ValueError):
        raise errors.invalid_request() from None
    page = table.list_page(query, given.get("offset"))
    answer: dict[str, Json] = {"records": page.records}
    return answer if page.offset is None else answer | {"offset": page.offset}


def _list_parameters(parameters: MultiDict[str, str]) -> dict[str, Json]:
    """The parameters of a list in the address, in the form in which a body has them."""
    given: dict[str, Json] = {}
    sort: dict[int, dict[str, str]] = {}
    for key, values in parameters.lists():
        if key == "fields[]":
            given["fields"] = values
        elif (part := re.fullmatch(r"sort\[(\d+)\]\[(field|direction)\]", key)) is not None:
            sort.setdefault(int(part[1]), {})[part[2]] = values[-1]
        else:
            given[key] = values[-1]
    return given | {"sort": [sort[place] for place in sorted(sort)]} if sort else given


def _flag(value: Json) -> bool:
    return value in (True, "true", "1", 1)


def _cells(row: Json) -> Mapping[str, Json]:
    cells = row.get("fields") if isinstance(row, dict) else None
    if not isinstance(cells, dict):
        raise errors.missing_fields()
    return cells


def _id_of(row: Json) -> str | None:
    record_id = row.get("id") if isinstance(row, dict) else None
    if record_id is not None and not isinstance(record_id, str):
        raise errors.invalid_request()
    return record_id


def _as_answer(record: RecordJson) -> Answer:
    return dict(record)
