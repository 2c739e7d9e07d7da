"""The pages for people, as a browser without JavaScript gets them."""

import html
import json
import re
from decimal import Decimal

import pytest

from sandbox.airtable import RecordJson
from tests.sandbox.pages.little_shop import LittleShop

FORM = "/forms/redeem"
FORMS = (FORM, "/forms/sell", "/gift-card-balance")


def filled_in(little_shop: LittleShop, **changes: str) -> dict[str, str]:
    asked = {
        "Store": little_shop.day.stores[0].id,
        "Employee": "Maya Ortiz",
        "Gift Card Code": little_shop.day.cards["fresh"].code,
        "Amount": "12.50",
    }
    return asked | {name.replace("_", " "): text for name, text in changes.items()}


def newest_row(little_shop: LittleShop) -> RecordJson:
    return little_shop.base.table("Redemptions").records()[-1]


def count_rows(little_shop: LittleShop) -> int:
    return len(little_shop.base.table("Redemptions").records())


# ---- the form ----


def test_a_submitted_form_is_a_row_as_airtable_files_it(little_shop: LittleShop) -> None:
    reply = little_shop.client.post(FORM, data=filled_in(little_shop))

    assert reply.status_code == 303
    assert newest_row(little_shop)["fields"] == {
        "Store": [little_shop.day.stores[0].id],
        "Employee": "Maya Ortiz",
        "Gift Card Code": little_shop.day.cards["fresh"].code,
        "Amount": 12.5,
    }
    thanks = little_shop.page(reply.location)
    assert "Thank you" in thanks
    assert "Submit another" in thanks
    assert f"/inbox/{little_shop.day.stores[0].email}" in thanks


def test_a_form_sent_twice_is_two_rows(little_shop: LittleShop) -> None:
    before = count_rows(little_shop)
    for _ in range(2):
        little_shop.client.post(FORM, data=filled_in(little_shop))
    assert count_rows(little_shop) == before + 2


@pytest.mark.parametrize("name", ["Store", "Employee", "Gift Card Code", "Amount"])
def test_an_empty_required_field_is_refused_and_nothing_typed_is_lost(
    little_shop: LittleShop, name: str
) -> None:
    before = count_rows(little_shop)
    typed = filled_in(little_shop, Employee="Zoë <b>") | {name: "  "}
    reply = little_shop.client.post(FORM, data=typed)

    assert reply.status_code == 422
    assert count_rows(little_shop) == before
    assert reply.text.count("This field is required.") == 1
    assert 'aria-invalid="true"' in reply.text
    if name != "Employee":
        assert "Zoë &lt;b&gt;" in reply.text


@pytest.mark.parametrize("typed", ["twelve", "12.5O", "nan", "Infinity", "1e999999"])
def test_text_in_the_amount_is_refused(little_shop: LittleShop, typed: str) -> None:
    before = count_rows(little_shop)
    reply = little_shop.client.post(FORM, data=filled_in(little_shop, Amount=typed))
    assert reply.status_code == 422
    assert count_rows(little_shop) == before


@pytest.mark.parametrize(
    ("typed", "kept"),
    [("12.345", 12.345), ("-10", -10), ("99999999999", 99999999999), ("$1,234.50", 1234.5)],
)
def test_any_number_is_taken_because_airtable_takes_it(
    little_shop: LittleShop, typed: str, kept: float
) -> None:
    assert (
        little_shop.client.post(FORM, data=filled_in(little_shop, Amount=typed)).status_code == 303
    )
    assert newest_row(little_shop)["fields"]["Amount"] == kept


def test_the_form_can_be_filled_in_from_its_address(little_shop: LittleShop) -> None:
    shown = little_shop.page(f"{FORM}?prefill_Gift+Card+Code=abcd-1234&prefill_Amount=7.25")
    assert 'value="abcd-1234"' in shown
    assert 'value="7.25"' in shown


def test_the_form_asks_nothing_that_is_ours(little_shop: LittleShop) -> None:
    names = re.findall(r'name="([^"]+)"', little_shop.page(FORM))
    assert [name for name in names if name not in {"viewport", "color-scheme"}] == [
        "Store",
        "Employee",
        "Gift Card Code",
        "Amount",
    ]


def test_the_thank_you_page_follows_the_row_and_finds_its_answer(little_shop: LittleShop) -> None:
    path = little_shop.client.post(FORM, data=filled_in(little_shop)).location
    row = newest_row(little_shop)
    assert "waits for the next tick" in little_shop.page(path)

    little_shop.base.table("Redemptions").update(
        row["id"], {"Status": "Processed", "Outcome": "REDEEMED", "Message": "Paid <12>"}
    )
    little_shop.mail(
        little_shop.day.stores[0].email, subject="Its own", text=f"redemption#{row['id']}"
    )
    little_shop.mail(
        little_shop.day.stores[0].email, subject="Another row's", text="redemption#recOther"
    )
    shown = little_shop.page(path)
    assert "REDEEMED" in shown
    assert "Paid &lt;12&gt;" in shown
    assert "Its own" in shown
    assert "Another row" not in shown

    little_shop.base.table("Redemptions").delete(row["id"])
    assert "somebody has deleted it" in little_shop.page(path)


# ---- tables ----


def test_every_table_of_the_base_has_a_page(little_shop: LittleShop) -> None:
    for table in little_shop.base.tables():
        assert f"<h1>{table.name}</h1>" in little_shop.page(f"/tables/{table.name}")


def test_links_are_shown_by_name_money_as_money_and_the_newest_row_stands_first(
    little_shop: LittleShop,
) -> None:
    cards = little_shop.base.table("Gift Cards")
    card = cards.create({"Card": "•••• 2b5a", "Balance": 1234.5})
    row = little_shop.base.table("Redemptions").create(
        {
            "Employee": "Newest <i>",
            "Store": [little_shop.day.stores[1].id],
            "Gift Card": [card["id"]],
            "Amount": -3,
            "Status": "Processed",
            "Outcome": "REDEEMED",
            "Approved": True,
        }
    )
    shown = little_shop.page("/tables/Redemptions")
    first = shown.split("<tr ")[2]
    assert row["id"] in first
    assert "Newest &lt;i&gt;" in first
    assert ">Old Mill</a>" in first
    assert ">•••• 2b5a</a>" in first
    assert "−$3.00" in first
    assert 'class="pill good">REDEEMED' in first
    assert 'aria-label="yes"' in first
    assert "$1,234.50" in little_shop.page("/tables/Gift Cards")


def test_a_long_table_shows_its_newest_rows_and_says_so(little_shop: LittleShop) -> None:
    table = little_shop.base.table("Receipts")
    for number in range(230):
        table.create({"Receipt": f"receipt {number}"})
    shown = little_shop.page("/tables/Receipts")
    assert "receipt 229<" in shown
    assert "receipt 29<" not in shown
    assert "30 older ones are not" in shown


def edited(little_shop: LittleShop, path: str, **changes: str) -> dict[str, list[str]]:
    """What a browser sends after somebody changed some inputs on a row's page."""
    page = little_shop.page(path)
    table = little_shop.base.table(path.split("/")[2])
    was = {
        html.unescape(name): html.unescape(text)
        for name, text in re.findall(r'name="was:([^"]+)" value="([^"]*)"', page)
    }
    assert set(was) == {field.name for field in table.fields()}
    form = {f"was:{name}": [text] for name, text in was.items()}
    for name, text in was.items():
        is_link = name in {"Store", "Gift Card", "Gift Cards"}
        form[name] = text.split(",") if is_link and text else [text]
    return form | {name.replace("_", " "): [text] for name, text in changes.items()}


def test_the_office_edits_a_cell_and_only_that_cell(little_shop: LittleShop) -> None:
    row = little_shop.day.rows[1]
    path = f"/tables/Redemptions/{row.id}"
    before = little_shop.base.table("Redemptions").get(row.id)["fields"]
    form = edited(little_shop, path, Amount="30")
    # Meanwhile the application serves the row: what it wrote must survive the office's edit.
    little_shop.base.table("Redemptions").update(row.id, {"Gift Card Code": "•••• t5rn"})

    assert little_shop.client.post(path, data=form).status_code == 303
    assert little_shop.base.table("Redemptions").get(row.id)["fields"] == before | {
        "Amount": 30,
        "Gift Card Code": "•••• t5rn",
    }


def test_saving_without_a_change_changes_no_cell(little_shop: LittleShop) -> None:
    for row in little_shop.day.rows:
        path = f"/tables/Redemptions/{row.id}"
        before = little_shop.base.table("Redemptions").get(row.id)
        form = edited(little_shop, path)
        little_shop.client.post(path, data=form)
        assert little_shop.base.table("Redemptions").get(row.id) == before


def test_the_office_chooses_a_store_ticks_a_box_and_empties_a_cell(little_shop: LittleShop) -> None:
    row = little_shop.day.rows[-1]
    path = f"/tables/Redemptions/{row.id}"
    store = little_shop.day.stores[2].id
    form = edited(little_shop, path, Store=store, Approved="yes", Amount="", Status="Processed")
    assert little_shop.client.post(path, data=form).status_code == 303

    cells = little_shop.base.table("Redemptions").get(row.id)["fields"]
    assert cells["Store"] == [store]
    assert cells["Approved"] is True
    assert cells["Status"] == "Processed"
    assert "Amount" not in cells


def test_the_office_approves_a_request_to_sell_and_changes_nothing_else(
    little_shop: LittleShop,
) -> None:
    table = little_shop.base.table("Creation Requests")
    for sale in little_shop.day.sales:
        path = f"/tables/Creation Requests/{sale.id}"
        before = table.get(sale.id)["fields"]
        form = edited(little_shop, path, Approved="yes")
        assert little_shop.client.post(path, data=form).status_code == 303
        assert table.get(sale.id)["fields"] == before | {"Approved": True}


def test_the_office_has_a_card_sent_again_to_another_address(little_shop: LittleShop) -> None:
    table = little_shop.base.table("Gift Cards")
    cells = {"Card": "•••• 2b5a", "Balance": 20, "Expires On": "2031-11-23"}
    card = table.create(cells)
    path = f"/tables/Gift Cards/{card['id']}"
    form = edited(little_shop, path, Resend="yes", Resend_To="right@customers.example.com")
    assert little_shop.client.post(path, data=form).status_code == 303
    assert table.get(card["id"])["fields"] == cells | {
        "Resend": True,
        "Resend To": "right@customers.example.com",
    }
    assert "right@customers.example.com" in little_shop.page("/tables/Gift Cards")


def test_a_request_for_many_cards_shows_the_first_and_counts_the_others(
    little_shop: LittleShop,
) -> None:
    cards = little_shop.base.table("Gift Cards")
    ids = [cards.create({"Card": f"•••• k{number:03}"})["id"] for number in range(50)]
    little_shop.base.table("Creation Requests").update(
        little_shop.day.sales[-1].id, {"Status": "In Progress", "Gift Cards": ids}
    )
    shown = little_shop.page("/tables/Creation Requests")
    assert shown.count("•••• k") == 3
    assert "and 47 more" in shown


def test_the_office_sees_what_became_of_a_request_without_scrolling(
    little_shop: LittleShop,
) -> None:
    head = re.findall(
        r'aria-hidden="true">.</span>([^<]+)</th>', little_shop.page("/tables/Creation Requests")
    )
    assert head[:7] == [
        "Employee", "Store", "Amount", "Quantity", "Recipient Name", "Status", "Outcome"
    ]  # fmt: skip
    asked = {field.name for field in little_shop.base.table("Creation Requests").fields()}
    assert set(head) == asked | {"Created"}


def test_the_office_sees_what_became_of_an_order_without_scrolling(little_shop: LittleShop) -> None:
    shown = little_shop.page("/tables/Processed Orders")
    little_shop.base.table("Processed Orders").create({"Order": "#1010", "Status": "Held"})
    held = little_shop.page("/tables/Processed Orders")

    assert "Release, the office&#39;s tick, lets a held order through" in shown
    assert '<span class="pill warn">Held</span>' in held
    head = re.findall(r'aria-hidden="true">.</span>([^<]+)</th>', held)
    assert head[:7] == ["Order", "Kind", "Status", "Amount", "Gift Cards", "Message", "Release"]


@pytest.mark.parametrize(
    ("table", "form"),
    [
        ("Redemptions", "/forms/redeem"),
        ("Creation Requests", "/forms/sell"),
        ("Balance Checks", "/gift-card-balance"),
        ("Receipts", None),
    ],
)
def test_a_table_leads_to_the_form_that_fills_it(
    little_shop: LittleShop, table: str, form: str | None
) -> None:
    found = re.findall(r'href="([^"]+)">Fill in the form', little_shop.page(f"/tables/{table}"))
    assert found == ([] if form is None else [form])


def test_text_in_a_number_cell_is_refused_and_nothing_is_changed(little_shop: LittleShop) -> None:
    row = little_shop.day.rows[1]
    path = f"/tables/Redemptions/{row.id}"
    before = little_shop.base.table("Redemptions").get(row.id)
    form = edited(little_shop, path, Amount="a lot", Employee="Somebody else")
    reply = little_shop.client.post(path, data=form)

    assert reply.status_code == 422
    assert "has to be a number" in reply.text
    assert 'value="a lot"' in reply.text
    assert little_shop.base.table("Redemptions").get(row.id) == before


def test_a_row_can_be_deleted_and_is_gone_then(little_shop: LittleShop) -> None:
    path = f"/tables/Redemptions/{little_shop.day.rows[3].id}"
    before = count_rows(little_shop)
    assert little_shop.client.post(f"{path}/delete").status_code == 303
    assert count_rows(little_shop) == before - 1
    assert little_shop.client.post(f"{path}/delete").status_code == 303
    assert little_shop.client.get(path).status_code == 410
    assert little_shop.client.post(path, data={}).status_code == 410
    assert count_rows(little_shop) == before - 1


# ---- mail ----


def test_a_store_reads_its_own_mail_and_the_office_sees_all(little_shop: LittleShop) -> None:
    harbor, mill = little_shop.day.stores[0].email, little_shop.day.stores[1].email
    little_shop.mail(harbor, subject="First")
    little_shop.mail(harbor, subject="Second")
    little_shop.mail(mill, subject="Third")

    own = little_shop.page(f"/inbox/{harbor}")
    assert own.index("Second") < own.index("First")
    assert "Third" not in own
    assert "Third" in little_shop.page("/inbox")


def test_a_mail_is_read_in_a_frame_that_can_do_nothing_or_as_text(little_shop: LittleShop) -> None:
    to = little_shop.day.stores[0].email
    little_shop.mail(
        to, text="plain <words>", html='<p class="x">designed</p><script>alert(1)</script>'
    )

    designed = little_shop.page(f"/inbox/{to}?mail=m0-0")
    assert 'sandbox=""' in designed
    assert 'srcdoc="&lt;p class=&#34;x&#34;&gt;designed' in designed
    assert "<script>alert" not in designed
    plain = little_shop.page(f"/inbox/{to}?mail=m0-0&part=text")
    assert "plain &lt;words&gt;" in plain
    assert "srcdoc" not in plain


def test_a_mail_without_a_designed_part_is_shown_as_text(little_shop: LittleShop) -> None:
    to = little_shop.day.stores[0].email
    little_shop.mail(to, text="only words")
    shown = little_shop.page(f"/inbox/{to}?mail=m0-0")
    assert '<pre class="mail-text">only words</pre>' in shown


def test_a_mail_that_is_not_there_is_said_to_be_gone(little_shop: LittleShop) -> None:
    assert "not here any more" in little_shop.page("/inbox?mail=nothing")


def test_inbox_json_is_a_list_of_exactly_these_facts(little_shop: LittleShop) -> None:
    little_shop.mail("office@shop.example.com", subject="One", text="t", html="<p>h</p>")
    mails = json.loads(little_shop.page("/inbox.json"))
    assert [mail["channel"] for mail in mails[1:]] == ["shopify"]  # of the seeded native card
    assert mails[:1] == [
        {
            "to": "office@shop.example.com",
            "from": "gift-cards@shop.example.com",
            "subject": "One",
            "text": "t",
            "html": "<p>h</p>",
            "channel": "ses",
            "at": "2026-11-23T17:00:00+00:00",
        }
    ]


def test_a_customer_has_a_box_too_and_klaviyos_mail_stands_between_the_others(
    little_shop: LittleShop,
) -> None:
    store = little_shop.day.stores[0].email
    little_shop.mail(store, subject="First")
    little_shop.customer_mail("mia@example.com", subject="A gift for you", text="From Rosa")
    for mail in json.loads(little_shop.page("/inbox.json")):
        if mail["channel"] == "klaviyo":
            break
    assert mail == {
        "to": "mia@example.com",
        "from": "gift-cards@shop.example.com",
        "subject": "A gift for you",
        "text": "From Rosa",
        "html": "<title>A gift for you</title><p>From Rosa</p>",
        "channel": "klaviyo",
        "at": "2026-11-23T17:00:00+00:00",
    }
    assert "First" in little_shop.page("/inbox")
    box = little_shop.page("/inbox/mia@example.com?mail=klaviyo-1")
    assert "First" not in box
    assert "by Klaviyo" in box
    assert "&lt;p&gt;From Rosa&lt;/p&gt;" in box
    assert "by SES" in little_shop.page(f"/inbox/{store}?mail=m0-0")


# ---- the shop ----


def test_full_codes_are_on_the_start_page_and_on_no_other(little_shop: LittleShop) -> None:
    fresh = little_shop.day.cards["fresh"]
    assert fresh.code in little_shop.page("/")
    for path in ("/shopify", f"/shopify/{fresh.number}", "/tables/Gift Cards", "/faults", "/inbox"):
        assert fresh.code not in little_shop.page(path)


def test_the_start_page_offers_cards_of_every_state(little_shop: LittleShop) -> None:
    shown = little_shop.page("/")
    for state in ("Not spent yet", "Partly spent", "Empty", "Expired", "Deactivated"):
        assert state in shown


def test_the_start_page_lists_the_stores_boxes_and_counts_the_mails_of_all_others(
    little_shop: LittleShop,
) -> None:
    for customer in ("mia@example.com", "noah@example.com"):
        little_shop.customer_mail(customer, subject="A gift for you", text="From Rosa")
    little_shop.mail(little_shop.day.stores[0].email)
    others = json.loads(little_shop.page("/inbox.json"))
    stores = {store.email for store in little_shop.day.stores}
    count = len([mail for mail in others if mail["to"] not in stores])

    shown = little_shop.page("/")

    for store in little_shop.day.stores:
        assert f"/inbox/{store.email}" in shown
    assert "mia@example.com" not in shown
    assert count >= 2
    row = shown.partition("Everybody else</a>")[2].partition("</li>")[0]
    assert f">{count} mails<" in row


def test_the_start_page_leads_into_the_web_shop_and_to_its_orders(little_shop: LittleShop) -> None:
    shown = little_shop.page("/")

    assert 'href="/storefront">Buy in the web shop' in shown
    count = len(little_shop.shop.orders.all)
    assert (
        '<a class="tile" href="/orders" data-row="orders in the web shop">'
        f"<b>{count}</b><span>orders in the web shop</span></a>" in shown
    )


def test_a_customer_pays_in_the_web_shop(little_shop: LittleShop) -> None:
    card = little_shop.day.cards["fresh"]
    path = f"/shopify/{card.number}"
    assert little_shop.client.post(path, data={"amount": "20.00"}).status_code == 303
    assert little_shop.shop.card(card.id).balance == Decimal("30.00")
    assert "$30.00" in little_shop.page(path)


@pytest.mark.parametrize("typed", ["50.01", "0", "-1", "1.234", "much", ""])
def test_a_payment_that_shopify_refuses_moves_nothing(little_shop: LittleShop, typed: str) -> None:
    card = little_shop.day.cards["fresh"]
    reply = little_shop.client.post(f"/shopify/{card.number}", data={"amount": typed})
    assert reply.status_code == 422
    assert "Shopify refused" in reply.text
    assert little_shop.shop.card(card.id).balance == Decimal("50.00")


def test_a_card_can_be_deactivated(little_shop: LittleShop) -> None:
    card = little_shop.day.cards["fresh"]
    little_shop.client.post(f"/shopify/{card.number}/deactivate")
    assert not little_shop.shop.card(card.id).enabled
    assert "Deactivated" in little_shop.page(f"/shopify/{card.number}")


# ---- accidents ----


def test_every_button_orders_its_accident_and_one_clears_them(little_shop: LittleShop) -> None:
    vendors = {
        "shopify": little_shop.shop.faults,
        "airtable": little_shop.base.faults,
        "klaviyo": little_shop.klaviyo.faults,
    }
    for slug, faults in vendors.items():
        forms = re.findall(
            rf'<form method="post" action="/faults/{slug}">(.*?)</form>',
            little_shop.page("/faults"),
            re.DOTALL,
        )
        assert forms
        for number, form in enumerate(forms, start=1):
            order = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))
            reply = little_shop.client.post(f"/faults/{slug}", data=order)
            assert reply.status_code == 303, (order, reply.text)
            assert len(faults.waiting()) == number
        assert "until cleared" in little_shop.page("/faults")
        little_shop.client.post(f"/faults/{slug}/clear")
        assert faults.waiting() == []


@pytest.mark.parametrize(
    "order",
    [
        {"fault": "earthquake", "times": "1"},
        {"fault": "drop-reply", "times": "some"},
        {"fault": "apply-late", "times": "1"},
        {"fault": "apply-late", "times": "1", "seconds": "nan"},
    ],
)
def test_an_order_that_makes_no_sense_is_refused_in_words(
    little_shop: LittleShop, order: dict[str, str]
) -> None:
    reply = little_shop.client.post("/faults/shopify", data=order)
    assert reply.status_code == 422
    assert 'role="alert"' in reply.text
    assert little_shop.shop.faults.waiting() == []


# ---- all pages ----


def test_the_version_moves_with_every_vendor(little_shop: LittleShop) -> None:
    seen = [little_shop.version()]
    assert little_shop.version() == seen[0]
    little_shop.base.table("Status").create({"Prong": "store_transactions"})
    seen.append(little_shop.version())
    little_shop.shop.spend_on_web(little_shop.day.cards["fresh"].id, 1)
    seen.append(little_shop.version())
    little_shop.mail("office@shop.example.com")
    seen.append(little_shop.version())
    little_shop.shop.faults.add("drop-reply")
    seen.append(little_shop.version())
    little_shop.klaviyo.faults.add("drop-reply")
    seen.append(little_shop.version())
    little_shop.customer_mail("mia@example.com")
    seen.append(little_shop.version())
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize(
    "path", ["/nothing", "/tables/Nothing", "/shopify/1", "/forms/other", "/tables/Nothing/rec1"]
)
def test_a_page_that_is_not_there_says_so_kindly(little_shop: LittleShop, path: str) -> None:
    reply = little_shop.client.get(path)
    assert reply.status_code == 404
    assert "no such page" in reply.text


def test_pages_load_nothing_from_elsewhere(little_shop: LittleShop) -> None:
    for path in ("/", *FORMS, "/tables/Redemptions", "/inbox", "/shopify", "/faults"):
        reply = little_shop.client.get(path)
        assert "default-src 'self'" in reply.headers["Content-Security-Policy"]
        addresses = re.findall(r'(?:src|href)="([^"]+)"', reply.text)
        assert [address for address in addresses if not address.startswith(("/", "#"))] == []


def test_every_input_has_a_label(little_shop: LittleShop) -> None:
    card = little_shop.day.cards["fresh"]
    row = little_shop.day.rows[1]
    for path in (*FORMS, f"/tables/Redemptions/{row.id}", f"/shopify/{card.number}", "/faults"):
        shown = little_shop.page(path)
        visible = re.findall(r"<(?:input|select|textarea)\b(?![^>]*hidden)[^>]*>", shown)
        assert visible
        for tag in visible:
            (identity,) = re.findall(r'\bid="([^"]+)"', tag)
            assert f'<label for="{identity}"' in shown
