"""Airtable in a box: the base with its tables and forms, and the Web API the real one offers."""

from sandbox.airtable.base import Base
from sandbox.airtable.errors import AirtableError
from sandbox.airtable.fields import Field
from sandbox.airtable.standard_base import build_standard_base
from sandbox.airtable.table import Page, Query, RecordJson, Table, Upserted
from sandbox.airtable.web_api import create_app

__all__ = [
    "AirtableError",
    "Base",
    "Field",
    "Page",
    "Query",
    "RecordJson",
    "Table",
    "Upserted",
    "build_standard_base",
    "create_app",
]
