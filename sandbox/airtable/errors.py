"""How Airtable says no: the HTTP status, the error's type, and its sentence, as the real one does.

The bodies are those of the Web API's documentation and of replies quoted in public bug reports.
What is not attested there says so: take its status as likely and its words as ours.
"""

from collections.abc import Mapping


class AirtableError(Exception):
    """A refusal, with the HTTP status and the JSON body in which Airtable would send it."""

    def __init__(self, status: int, kind: str, message: str | None = None) -> None:
        super().__init__(kind if message is None else f"{kind}: {message}")
        self.status = status
        self.kind = kind
        self.message = message

    def body(self) -> Mapping[str, object]:
        """The reply's JSON."""
        error = {"type": self.kind}
        return {"error": error if self.message is None else error | {"message": self.message}}


class PlainError(AirtableError):
    """A refusal whose body holds the error's type and nothing else: `{"error": "NOT_FOUND"}`."""

    def body(self) -> Mapping[str, object]:
        """The reply's JSON."""
        return {"error": self.kind}


class TooManyRequestsError(AirtableError):
    """Too many requests, in a second or in a month."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(429, kind, message)

    def body(self) -> Mapping[str, object]:
        """The reply's JSON, in its own shape."""
        return {"errors": [{"error": self.kind, "message": self.message}]}


def rate_limit_reached() -> AirtableError:
    """More than five requests in a second: the base answers nothing else for thirty seconds."""
    return TooManyRequestsError("RATE_LIMIT_REACHED", "Rate limit exceeded. Please try again later")


def monthly_calls_used_up() -> AirtableError:
    """The plan's calls of this month are used up; the Metadata API still answers."""
    return TooManyRequestsError(
        "PUBLIC_API_BILLING_LIMIT_EXCEEDED",
        "API billing plan limit exceeded. You've reached the maximum number of requests allowed "
        "for this month.",
    )


def authentication_required() -> AirtableError:
    """No token, or one that Airtable does not know."""
    return AirtableError(401, "AUTHENTICATION_REQUIRED", "Authentication required")


def model_not_found() -> AirtableError:
    """The token may not, or there is no such base or table: Airtable does not tell which."""
    return AirtableError(
        403,
        "INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND",
        "Invalid permissions, or the requested model was not found. Check that both your user and "
        "your token have the required permissions, and that the model names and/or ids are "
        "correct.",
    )


def not_found() -> AirtableError:
    """No such record, or no such address."""
    return PlainError(404, "NOT_FOUND")


def unknown_field(name: str) -> AirtableError:
    """A field, by name or id, that the table does not have."""
    return AirtableError(422, "UNKNOWN_FIELD_NAME", f'Unknown field name: "{name}"')


def row_does_not_exist(record_id: str) -> AirtableError:
    """A record named in a write that is not (or no longer) in the table."""
    return AirtableError(
        422, "ROW_DOES_NOT_EXIST", f"Record ID {record_id} does not exist in this table"
    )


def invalid_value(field_name: str) -> AirtableError:
    """A value that the field's type does not take."""
    return AirtableError(
        422,
        "INVALID_VALUE_FOR_COLUMN",
        f'Field "{field_name}" cannot accept the provided value',
    )


def invalid_records(message: str) -> AirtableError:
    """A batch that is too long or contradicts itself."""
    return AirtableError(422, "INVALID_RECORDS", message)


def invalid_request(
    message: str = "Invalid request: parameter validation failed. Check your request data.",
) -> AirtableError:
    """A request whose parameters or body have the wrong form."""
    return AirtableError(422, "INVALID_REQUEST_UNKNOWN", message)


def missing_fields() -> AirtableError:
    """A write without the cells it is about."""
    return AirtableError(
        422, "INVALID_REQUEST_MISSING_FIELDS", 'Could not find field "fields" in the request body'
    )


def invalid_formula(detail: str) -> AirtableError:
    """A formula that does not parse, or that the sandbox does not know."""
    return AirtableError(
        422,
        "INVALID_FILTER_BY_FORMULA",
        f"The formula for filtering records is invalid: {detail}",
    )


def iterator_not_available() -> AirtableError:
    """An `offset` that is too old: the list has to be read from its beginning."""
    return AirtableError(422, "LIST_RECORDS_ITERATOR_NOT_AVAILABLE")


def base_is_full(limit: int) -> AirtableError:
    """Unattested words: a base takes no more records than its plan allows, forms included."""
    return AirtableError(
        422, "RECORD_LIMIT_EXCEEDED", f"This base has reached its limit of {limit} records"
    )


def several_match() -> AirtableError:
    """Unattested words: an upsert whose key matches more than one record fails as a whole."""
    return invalid_records("More than one record matches the fields to merge on")


def service_unavailable() -> AirtableError:
    """Unattested words: Airtable is down."""
    return AirtableError(503, "SERVICE_UNAVAILABLE", "The service is temporarily unavailable")


def server_error() -> AirtableError:
    """Something broke at Airtable."""
    return AirtableError(500, "SERVER_ERROR", "Server error")
