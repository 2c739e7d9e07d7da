"""The shop's Airtable base, as our application reads and writes it."""

from giftcards.clients.airtable.client import (
    ROW_IS_HELD,
    ROW_IS_IN_PROGRESS,
    Airtable,
    ResendRow,
    UpdateReport,
    read_schema,
)
from giftcards.clients.airtable.connection import (
    AIRTABLE_REQUESTS_A_SECOND,
    OTHERS_REQUESTS_A_SECOND,
    OUTCOME_WRITER_REQUESTS_A_SECOND,
    RECORD_WRITER_REQUESTS_A_SECOND,
    STORES_PRONG_REQUESTS_A_SECOND,
    Pace,
)
from giftcards.clients.airtable.layout import (
    BaseField,
    BaseTable,
    ExpectedField,
    ExpectedTable,
    Kind,
    Layout,
    expected_tables,
    resolve_layout,
)

__all__ = [
    "AIRTABLE_REQUESTS_A_SECOND",
    "OTHERS_REQUESTS_A_SECOND",
    "OUTCOME_WRITER_REQUESTS_A_SECOND",
    "RECORD_WRITER_REQUESTS_A_SECOND",
    "ROW_IS_HELD",
    "ROW_IS_IN_PROGRESS",
    "STORES_PRONG_REQUESTS_A_SECOND",
    "Airtable",
    "BaseField",
    "BaseTable",
    "ExpectedField",
    "ExpectedTable",
    "Kind",
    "Layout",
    "Pace",
    "ResendRow",
    "UpdateReport",
    "expected_tables",
    "read_schema",
    "resolve_layout",
]
