"""A shop's names, looked up once, and everything that does not fit told at once."""

import re

import pytest
import requests

from giftcards.clients.airtable import (
    AIRTABLE_REQUESTS_A_SECOND,
    OUTCOME_WRITER_REQUESTS_A_SECOND,
    PURCHASES_PRONG_REQUESTS_A_SECOND,
    RECONCILE_REQUESTS_A_SECOND,
    RECORD_WRITER_REQUESTS_A_SECOND,
    STORES_PRONG_REQUESTS_A_SECOND,
    BaseTable,
    Layout,
    expected_tables,
    read_schema,
    resolve_layout,
)
from giftcards.domain.outcomes import Outcome
from giftcards.errors import AccessRefused, BaseMismatch, ConfigurationError
from sandbox.airtable import Base

from .conftest import URL


def schema_of(base: Base, session: requests.Session) -> list[BaseTable]:
    return read_schema(
        base.token, base_id=base.id, session=session, endpoint_url=URL, timeout_seconds=5
    )


OPTIONS = {
    "number": {"precision": 0},
    "checkbox": {"icon": "check", "color": "greenBright"},
    "singleSelect": {"choices": [{"name": "Main Street"}]},
}


def replace_field(base: Base, table: str, name: str, type_: str) -> None:
    base.table(table).delete_field(name)
    options = {"options": OPTIONS[type_]} if type_ in OPTIONS else {}
    base.table(table).create_field({"name": name, "type": type_, **options})


def test_the_standard_base_fits(base: Base, layout: Layout) -> None:
    for table in expected_tables().values():
        assert layout.table_id(table.name) == base.table(table.name).id
        for field in table.fields:
            assert layout.field_id(table.name, field.name) == (
                base.table(table.name).field(field.name).id
            )


def test_a_shop_may_call_things_otherwise(base: Base, session: requests.Session) -> None:
    base.table("Redemptions").rename("GC Redemptions")
    base.table("GC Redemptions").rename_field("Amount", "Value")
    amount = base.table("GC Redemptions").field("Value").id
    with pytest.raises(BaseMismatch, match="no table “Redemptions”"):
        resolve_layout(schema_of(base, session), {})
    names = {"Redemptions": {"": "gc redemptions ", "Amount": "Value"}}
    layout = resolve_layout(schema_of(base, session), names)
    assert layout.field_id("Redemptions", "Amount") == amount
    by_id = {"Redemptions": {"": base.table("GC Redemptions").id, "Amount": amount}}
    assert resolve_layout(schema_of(base, session), by_id) == layout


def test_everything_that_is_missing_is_told_at_once(base: Base, session: requests.Session) -> None:
    base.delete_table("Status")
    base.table("Redemptions").delete_field("Amount")
    base.table("Redemptions").delete_field("Approved")  # optional
    base.table("Receipts").delete_field("At")
    base.table("Receipts").create_field({"name": "At", "type": "singleLineText"})
    names = {"Redemtions": {"": "x"}, "Stores": {"Nmae": "x"}}
    with pytest.raises(BaseMismatch) as caught:
        resolve_layout(schema_of(base, session), names)
    lines = str(caught.value).splitlines()[1:]
    told = [
        "mentions a table “Redemtions”",
        "mentions a field “Nmae” of “Stores”",
        "table “Redemptions” has no field “Amount” (any field): add it, or say in AirtableNames",
        "table “Receipts”: field “At” is of Airtable's type singleLineText, but has to be a date",
        "there is no table “Status”: add it",
    ]
    assert len(lines) == len(told)
    for line, part in zip(lines, told, strict=True):
        assert re.search(re.escape(part), line)


def test_an_optional_field_that_a_shop_names_has_to_be_there(
    base: Base, session: requests.Session
) -> None:
    with pytest.raises(BaseMismatch, match="no field “Allowed”"):
        resolve_layout(schema_of(base, session), {"Redemptions": {"Approved": "Allowed"}})


def test_what_people_fill_in_may_be_of_any_kind(base: Base, session: requests.Session) -> None:
    redemptions = base.table("Redemptions")
    for name in ("Store", "Amount"):
        redemptions.delete_field(name)
        redemptions.create_field({"name": name, "type": "singleLineText"})
    layout = resolve_layout(schema_of(base, session), {})
    assert layout.field_id("Redemptions", "Store") == redemptions.field("Store").id


@pytest.mark.parametrize("type_", ["singleLineText", "singleSelect"])
def test_the_store_that_sold_a_card_has_to_be_a_link(
    base: Base, session: requests.Session, type_: str
) -> None:
    """It is written as one: Airtable would refuse the whole row of the card, for ever."""
    replace_field(base, "Gift Cards", "Store", type_)
    with pytest.raises(BaseMismatch, match=r"“Store” is of .* has to be a link to another table"):
        resolve_layout(schema_of(base, session), {})


@pytest.mark.parametrize(
    ("type_", "fits"),
    [
        ("email", True),
        ("singleLineText", True),
        ("number", False),
        ("singleSelect", False),
        ("checkbox", False),
    ],
)
def test_an_owners_address_needs_a_field_that_takes_it(
    base: Base,
    session: requests.Session,
    type_: str,
    fits: bool,  # noqa: FBT001 - a column of the table above
) -> None:
    replace_field(base, "Gift Cards", "Owner Email", type_)
    schema = schema_of(base, session)
    if fits:
        assert resolve_layout(schema, {}).has("Gift Cards")
        return
    with pytest.raises(BaseMismatch, match=r"“Owner Email” is of .* a text or e-mail field"):
        resolve_layout(schema, {})


@pytest.mark.parametrize(
    ("table", "field", "target"),
    [
        ("Redemptions", "Gift Card", "Gift Cards"),
        ("Gift Cards", "Store", "Stores"),
        ("Creation Requests", "Gift Cards", "Gift Cards"),
        ("Processed Orders", "Gift Cards", "Gift Cards"),
    ],
)
def test_a_link_that_is_written_leads_to_the_table_that_is_meant(
    base: Base, session: requests.Session, table: str, field: str, target: str
) -> None:
    """A row of another table would not be found there, and the write be refused."""
    base.table(table).delete_field(field)
    elsewhere = {"linkedTableId": base.table("Receipts").id}
    base.table(table).create_field(
        {"name": field, "type": "multipleRecordLinks", "options": elsewhere}
    )
    base.table(target).rename("Renamed")
    names = {target: {"": "Renamed"}}
    with pytest.raises(BaseMismatch) as caught:
        resolve_layout(schema_of(base, session), names)
    (told,) = str(caught.value).splitlines()[1:]
    assert f"“{field}” links to “Receipts”, but has to link to “Renamed”" in told


def test_a_link_to_a_table_that_is_not_there_is_told_once(
    base: Base, session: requests.Session
) -> None:
    base.delete_table("Stores")
    with pytest.raises(BaseMismatch) as caught:
        resolve_layout(schema_of(base, session), {})
    told = str(caught.value).splitlines()[1:]
    assert [line for line in told if "links to" in line] == []
    assert [line for line in told if "no table “Stores”" in line] != []


def test_the_layout_is_kept_as_text(layout: Layout) -> None:
    assert Layout.from_json(layout.to_json()) == layout


@pytest.mark.parametrize("kept", ["", "{}", "[]", '{"tables": 1, "fields": 2}', "null"])
def test_a_spoiled_layout_says_what_to_do(kept: str) -> None:
    with pytest.raises(ConfigurationError, match="ops resume"):
        Layout.from_json(kept)


def test_a_layout_from_before_a_table_was_needed_says_what_to_do() -> None:
    old = Layout({}, {})
    with pytest.raises(BaseMismatch, match=r"“Stores”.*ops resume"):
        old.table_id("Stores")
    with pytest.raises(BaseMismatch, match=r"“Email”.*“Stores”.*ops resume"):
        old.field_id("Stores", "Email")
    with pytest.raises(BaseMismatch, match="no field “Approved”"):
        old.required_field_id("Redemptions", "Approved")
    assert old.field_id("Redemptions", "Approved") is None


def test_a_token_that_may_not_read_the_schema(base: Base, session: requests.Session) -> None:
    with pytest.raises(AccessRefused, match=r"schema\.bases:read"):
        read_schema(
            base.token, base_id="appAnother0000000", session=session, endpoint_url=URL,
            timeout_seconds=5,
        )  # fmt: skip


def test_the_shares_add_up_to_what_airtable_allows() -> None:
    writers = OUTCOME_WRITER_REQUESTS_A_SECOND + RECORD_WRITER_REQUESTS_A_SECOND
    prongs = STORES_PRONG_REQUESTS_A_SECOND + PURCHASES_PRONG_REQUESTS_A_SECOND
    assert writers + prongs + RECONCILE_REQUESTS_A_SECOND <= AIRTABLE_REQUESTS_A_SECOND


def test_every_word_that_a_single_select_lacks_is_told(
    base: Base, session: requests.Session
) -> None:
    """Airtable refuses the cell, and a row without its `Status` would wait for ever."""
    for table, field, choices in (
        ("Redemptions", "Status", ["Held"]),
        ("Redemptions", "Outcome", ["REDEEMED", "NOT_CHARGED"]),
        ("Receipts", "Outcome", ["Done", "Failed", "Something else"]),
    ):
        base.table(table).delete_field(field)
        offered = {"choices": [{"name": choice} for choice in choices]}
        base.table(table).create_field({"name": field, "type": "singleSelect", "options": offered})
    with pytest.raises(BaseMismatch) as caught:
        resolve_layout(schema_of(base, session), {})
    status, outcome = str(caught.value).splitlines()[1:]
    assert "“Status” lacks the choices “Processed”: add them" in status
    lacking = [f"“{one}”" for one in Outcome if one not in {Outcome.REDEEMED, Outcome.NOT_CHARGED}]
    assert f"“Outcome” lacks the choices {', '.join(lacking)}: add them" in outcome


def test_a_text_field_takes_every_word(base: Base, session: requests.Session) -> None:
    base.table("Redemptions").delete_field("Status")
    base.table("Redemptions").create_field({"name": "Status", "type": "singleLineText"})
    assert resolve_layout(schema_of(base, session), {}).has("Redemptions")
