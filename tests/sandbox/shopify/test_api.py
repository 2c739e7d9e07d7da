"""Who may ask, in which words, how often: the API's own rules around the questions."""

from typing import Any

import pytest

from sandbox.shopify import Shop
from sandbox.shopify.shop import ALL_SCOPES
from tests.sandbox.shopify.harness import ADDRESS, DOCUMENTS, Caller, open_shop

SHOP = "{ shop { name } }"


def codes(body: dict[str, Any]) -> list[str]:
    return [error["extensions"]["code"] for error in body["errors"]]


# ---- tokens ---------------------------------------------------------------------------------


def test_a_wrong_token_is_turned_away(caller: Caller) -> None:
    caller.token = "shpat_wrong"
    body = caller.send(SHOP)
    assert caller.last.status_code == 401
    assert body["errors"].startswith("[API] Invalid API key or access token")


def grant(caller: Caller, **given: str) -> Any:
    fields = {"grant_type": "client_credentials", "client_id": "app", "client_secret": "secret"}
    caller.last = caller.session.post(
        f"{ADDRESS}/admin/oauth/access_token", data={**fields, **given}, timeout=1
    )
    return caller.last.json()


def test_an_app_fetches_a_token_that_lives_for_a_day(caller: Caller) -> None:
    caller.shop.add_app("app", "secret", scopes=frozenset({"read_gift_cards"}))
    granted = grant(caller)
    assert granted["scope"] == "read_gift_cards"
    assert granted["expires_in"] == 86_399
    caller.token = granted["access_token"]
    assert caller.send(SHOP)["data"]["shop"]["name"] == "Corner Shop"
    caller.clock.advance(86_398)
    assert "data" in caller.send(SHOP)
    caller.clock.advance(1)
    caller.send(SHOP)
    assert caller.last.status_code == 401


def test_json_fetches_a_token_too(caller: Caller) -> None:
    caller.shop.add_app("app", "secret")
    fields = {"grant_type": "client_credentials", "client_id": "app", "client_secret": "secret"}
    reply = caller.session.post(f"{ADDRESS}/admin/oauth/access_token", json=fields, timeout=1)
    assert set(reply.json()["scope"].split(",")) == ALL_SCOPES


@pytest.mark.parametrize(
    "given", [{"client_secret": "wrong"}, {"client_id": "other"}, {"grant_type": "password"}]
)
def test_a_wrong_secret_fetches_nothing(caller: Caller, given: dict[str, str]) -> None:
    caller.shop.add_app("app", "secret")
    assert "access_token" not in grant(caller, **given)
    assert caller.last.status_code == 400


def test_revoked_tokens_are_turned_away(caller: Caller) -> None:
    caller.shop.revoke_tokens()
    caller.send(SHOP)
    assert caller.last.status_code == 401


def test_a_missing_scope_denies_the_field_and_changes_nothing() -> None:
    caller = open_shop()
    caller.shop.add_static_token("shpat_reader", scopes=frozenset({"read_gift_cards"}))
    card = caller.shop.issue_card(amount=25)
    caller.token = "shpat_reader"
    text = (DOCUMENTS / "debit_card.graphql").read_text("utf-8")
    money = {"amount": "1", "currencyCode": "USD"}
    body = caller.send(text, {"id": card.id, "debit": {"debitAmount": money}})
    assert caller.last.status_code == 200
    assert codes(body) == ["ACCESS_DENIED"]
    assert body["errors"][0]["path"] == ["giftCardDebit"]
    assert body["data"] == {"giftCardDebit": None}
    assert "write_gift_card_transactions" in body["errors"][0]["message"]
    assert caller.shop.card(card.id).balance == 25
    body = caller.send(
        "query($id: ID!) { giftCard(id: $id) { id transactions(first: 1) { nodes { id } } } }",
        {"id": card.id},
    )
    assert body["data"] == {"giftCard": {"id": card.id, "transactions": None}}
    assert body["errors"][0]["path"] == ["giftCard", "transactions"]


def test_an_app_is_told_what_it_was_granted_whatever_that_is(caller: Caller) -> None:
    caller.shop.add_static_token(caller.token, scopes=frozenset({"write_orders", "read_orders"}))
    body = caller.send("{ currentAppInstallation { accessScopes { handle } } }")
    scopes = body["data"]["currentAppInstallation"]["accessScopes"]
    assert scopes == [{"handle": "read_orders"}, {"handle": "write_orders"}]


# ---- versions -------------------------------------------------------------------------------


def test_retired_versions_fall_forward_and_say_so(caller: Caller) -> None:
    caller.send(SHOP)
    assert caller.last.headers["X-Shopify-API-Version"] == "2026-10"
    caller.version = "2024-01"
    caller.send(SHOP)
    assert caller.last.headers["X-Shopify-API-Version"] == "2026-10"
    caller.shop.oldest_api_version = "2027-07"
    caller.version = "2026-10"
    assert "data" in caller.send(SHOP)
    assert caller.last.headers["X-Shopify-API-Version"] == "2027-07"


@pytest.mark.parametrize("version", ["2031-01", "2026-11", "latest"])
def test_versions_nobody_published_are_not_found(caller: Caller, version: str) -> None:
    caller.version = version
    caller.send(SHOP)
    assert caller.last.status_code == 404


# ---- words ----------------------------------------------------------------------------------


def test_a_field_outside_the_pruned_schema_is_refused_as_shopify_refuses(caller: Caller) -> None:
    body = caller.send('query Look { giftCard(id: "gid://shopify/GiftCard/1") { order { id } } }')
    assert caller.last.status_code == 200
    assert body == {
        "errors": [
            {
                "message": "Field 'order' doesn't exist on type 'GiftCard'",
                "locations": [{"line": 1, "column": 57}],
                "path": ["query Look", "giftCard", "order"],
                "extensions": {
                    "code": "undefinedField",
                    "typeName": "GiftCard",
                    "fieldName": "order",
                },
            }
        ]
    }


def test_an_argument_outside_the_pruned_schema_is_refused(caller: Caller) -> None:
    body = caller.send('{ giftCards(first: 1, savedSearchId: "x") { nodes { id } } }')
    (error,) = body["errors"]
    assert error["message"] == "Field 'giftCards' doesn't accept argument 'savedSearchId'"
    assert error["extensions"]["code"] == "argumentNotAccepted"


@pytest.mark.parametrize("name", ["customerId", "recipientAttributes"])
def test_what_would_send_mail_at_shopify_is_refused(caller: Caller, name: str) -> None:
    text = (DOCUMENTS / "create_card.graphql").read_text("utf-8")
    given = {"initialAmount": {"amount": "5", "currencyCode": "USD"}, name: "x"}
    assert codes(caller.send(text, {"input": given})) == ["INVALID_VARIABLE"]
    assert caller.shop.cards == []


@pytest.mark.parametrize(
    "amount", ["five", "NaN", "Infinity", "", None, True, {"cents": 5}, "1,50"]
)
def test_an_amount_that_is_none_is_refused(caller: Caller, amount: object) -> None:
    text = (DOCUMENTS / "create_card.graphql").read_text("utf-8")
    given = {"initialAmount": {"amount": amount, "currencyCode": "USD"}}
    assert codes(caller.send(text, {"input": given})) == ["INVALID_VARIABLE"]


def test_amounts_and_days_may_be_written_into_a_document(caller: Caller) -> None:
    body = caller.send(
        """mutation { giftCardCreate(input: {expiresOn: "2031-01-31",
        initialAmount: {amount: 12.5, currencyCode: USD}}) { giftCard { id expiresOn } } }"""
    )
    assert body["data"]["giftCardCreate"]["giftCard"]["expiresOn"] == "2031-01-31"
    (card,) = caller.shop.cards
    assert str(card.balance) == "12.5"


@pytest.mark.parametrize("given", ["2031-02-30", "soon"])
def test_days_and_times_that_are_none_are_refused(caller: Caller, given: str) -> None:
    text = (DOCUMENTS / "create_card.graphql").read_text("utf-8")
    money = {"amount": "5", "currencyCode": "USD"}
    body = caller.send(text, {"input": {"initialAmount": money, "expiresOn": given}})
    assert codes(body) == ["INVALID_VARIABLE"]
    text = (DOCUMENTS / "debit_card.graphql").read_text("utf-8")
    for moment in (given, "2026-11-23T10:00:00"):
        debit = {"debitAmount": money, "processedAt": moment}
        assert codes(caller.send(text, {"id": "gid://shopify/GiftCard/1", "debit": debit})) == [
            "INVALID_VARIABLE"
        ]


@pytest.mark.parametrize(
    "given", ["", "{ shop { name }", "query A { shop { name } } query B { shop { id } }"]
)
def test_broken_documents_are_refused(caller: Caller, given: str) -> None:
    assert caller.send(given)["errors"]


def test_a_body_without_a_document_is_a_bad_request(caller: Caller) -> None:
    reply = caller.session.post(
        f"{ADDRESS}/admin/api/2026-10/graphql.json",
        json={"nothing": 1},
        headers={"X-Shopify-Access-Token": caller.token},
        timeout=1,
    )
    assert reply.status_code == 400


def test_an_id_that_is_none_is_refused(caller: Caller) -> None:
    body = caller.send('{ giftCard(id: "123") { id } }')
    assert body["errors"][0]["message"] == "Invalid global id '123'"
    assert body["data"] == {"giftCard": None}


def test_the_shop_tells_its_facts() -> None:
    caller = open_shop(currency="EUR", time_zone="Europe/Berlin", name="Ecke", domain="e.example")
    assert caller.run("shop_and_limits")["shop"] == {
        "id": "gid://shopify/Shop/1",
        "name": "Ecke",
        "currencyCode": "EUR",
        "ianaTimezone": "Europe/Berlin",
        "myshopifyDomain": "e.example",
    }


# ---- points ---------------------------------------------------------------------------------


def cost(caller: Caller) -> dict[str, Any]:
    found: dict[str, Any] = caller.last.json()["extensions"]["cost"]
    return found


def test_recorded_costs(caller: Caller) -> None:
    card = caller.shop.issue_card(amount=25)
    debit = """giftCardDebit(id: $id,
        debitInput: {debitAmount: {amount: "1", currencyCode: USD}}) """
    made = "{ giftCardDebitTransaction { id amount { amount } } userErrors { message } }"
    caller.send(f"mutation($id: ID!) {{ {debit} {made} }}", {"id": card.id})
    assert cost(caller)["requestedQueryCost"] == cost(caller)["actualQueryCost"] == 11
    four = " ".join(f"a{n}: {debit} {{ userErrors {{ message }} }}" for n in range(4))
    caller.send(f"mutation($id: ID!) {{ {four} }}", {"id": card.id})
    assert cost(caller)["actualQueryCost"] == 40
    assert caller.shop.card(card.id).balance == 20


def test_what_is_sent_for_a_redemption_costs_what_was_recorded(caller: Caller) -> None:
    card = caller.shop.issue_card(amount=25)
    facts = "id lastCharacters balance { amount } initialValue { amount } enabled"
    caller.send(f"query($id: ID!) {{ giftCard(id: $id) {{ {facts} }} }}", {"id": card.id})
    assert cost(caller)["requestedQueryCost"] == cost(caller)["actualQueryCost"] == 9
    caller.debit(card.id, 5)  # with the transaction, its card and the card's balance
    assert cost(caller)["requestedQueryCost"] == cost(caller)["actualQueryCost"] == 11
    assert caller.shop.throttle_status().currently_available == 2_000 - 9 - 11


def test_a_card_that_is_not_there_costs_nothing_in_the_end(caller: Caller) -> None:
    query = '{ giftCard(id: "gid://shopify/GiftCard/1") { id } }'
    caller.send(query)
    assert cost(caller)["requestedQueryCost"] == 9
    assert cost(caller)["actualQueryCost"] == 0


def test_the_shop_itself_is_one_object(caller: Caller) -> None:
    caller.send("{ shop { name currencyCode } }")
    assert cost(caller)["requestedQueryCost"] == 1


def test_a_cards_transactions_come_on_top_of_it(caller: Caller) -> None:
    card = caller.shop.issue_card(amount=25)
    caller.run("card_transactions", id=card.id, last=100)
    assert cost(caller)["requestedQueryCost"] == 9 + 2 + 100
    assert cost(caller)["actualQueryCost"] == 9 + 2


def test_a_list_is_paid_by_what_was_asked_and_refunded_to_what_came(caller: Caller) -> None:
    caller.shop.issue_card(amount=25)
    caller.found("", first=50)
    assert cost(caller)["requestedQueryCost"] == 52
    assert cost(caller)["actualQueryCost"] == 3
    assert cost(caller)["throttleStatus"] == {
        "maximumAvailable": 2000.0,
        "currentlyAvailable": 1997,
        "restoreRate": 100.0,
    }
    caller.run("nodes", ids=["gid://shopify/GiftCard/1"] * 30)
    assert cost(caller)["requestedQueryCost"] == 30
    assert cost(caller)["actualQueryCost"] == 0


def test_lists_in_lists_multiply_and_fragments_count(caller: Caller) -> None:
    query = """query { giftCards(first: 10) { edges { node { ...moves } } } }
        fragment moves on GiftCard { transactions(first: 20) { edges { node { id } } } }"""
    caller.send(query)
    assert cost(caller)["requestedQueryCost"] == 2 + 10 * (1 + 2 + 20)


def test_one_query_may_not_cost_more_than_a_thousand(caller: Caller) -> None:
    query = "{ giftCards(first: 50) { nodes { transactions(first: 20) { nodes { id } } } } }"
    body = caller.send(query)
    assert codes(body) == ["MAX_COST_EXCEEDED"]
    assert body["errors"][0]["extensions"]["cost"] == 2 + 50 * 23


def test_an_empty_bucket_throttles_and_fills_with_time(caller: Caller) -> None:
    card = caller.shop.issue_card(amount=25)
    assert caller.shop.spend_points(1_995)
    text = (DOCUMENTS / "debit_card.graphql").read_text("utf-8")
    variables = {"id": card.id, "debit": {"debitAmount": {"amount": "1", "currencyCode": "USD"}}}
    body = caller.send(text, variables)
    assert caller.last.status_code == 200
    assert codes(body) == ["THROTTLED"]
    assert "data" not in body
    assert body["extensions"]["cost"]["actualQueryCost"] is None
    assert body["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"] == 5
    assert caller.shop.card(card.id).balance == 25
    caller.clock.advance(0.07)  # 7 points
    assert "data" in caller.send(text, variables)
    caller.clock.advance(3600)
    assert caller.shop.throttle_status().currently_available == 2_000
    assert caller.shop.refused_as_too_fast == 1


def test_a_card_of_a_code_shows_it_nowhere() -> None:
    shop = Shop()
    card = shop.issue_card(amount=5, code="abcdefgh12342b5a")
    assert "abcdefgh" not in repr(card)
