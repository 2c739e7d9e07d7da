"""Cards in the box behave as Shopify's do: amounts, codes, refusals, expiry."""

import threading
from datetime import date, timedelta
from decimal import Decimal

import pytest

from sandbox.shopify import Refusal
from sandbox.shopify.replies import format_amount
from tests.sandbox.shopify.harness import Caller, open_shop

UNKNOWN = "gid://shopify/GiftCard/1"


def error_of(answer: dict[str, list[dict[str, object]]]) -> tuple[object, object]:
    (error,) = answer["userErrors"]
    assert error["message"]
    return error["code"], error["field"]


@pytest.mark.parametrize(
    ("amount", "written"),
    [("5", "5.0"), ("3000", "3000.0"), ("12.34", "12.34"), ("12.50", "12.5"), ("-3", "-3.0")],
)
def test_amounts_are_written_with_at_least_one_decimal(amount: str, written: str) -> None:
    assert format_amount(Decimal(amount)) == written


def test_a_debit_is_negative_lowers_the_balance_and_keeps_its_note(caller: Caller) -> None:
    card = caller.shop.issue_card(amount=25)
    answer = caller.debit(card.id, "3.00", note="redemption#1")
    assert answer["userErrors"] == []
    made = answer["giftCardDebitTransaction"]
    assert made["__typename"] == "GiftCardDebitTransaction"
    assert made["amount"] == {"amount": "-3.0", "currencyCode": "USD"}
    assert made["note"] == "redemption#1"
    assert made["processedAt"] == "2026-11-23T17:00:00Z"
    assert made["giftCard"]["balance"]["amount"] == "22.0"
    assert caller.shop.card(card.id).balance == Decimal(22)


def test_the_same_debit_twice_is_two_debits(caller: Caller) -> None:
    card = caller.shop.issue_card(amount=25)
    caller.debit(card.id, "3", note="same")
    caller.debit(card.id, "3", note="same")
    assert caller.shop.card(card.id).balance == Decimal(19)


def test_a_card_can_be_emptied_but_not_overdrawn(caller: Caller) -> None:
    card = caller.shop.issue_card(amount=25)
    assert error_of(caller.debit(card.id, "25.01")) == (
        "INSUFFICIENT_FUNDS",
        ["debitInput", "debitAmount"],
    )
    assert caller.debit(card.id, "25")["userErrors"] == []
    assert caller.shop.card(card.id).balance == 0


@pytest.mark.parametrize("amount", ["0", "-1"])
def test_nothing_and_less_cannot_be_debited(caller: Caller, amount: str) -> None:
    card = caller.shop.issue_card(amount=25)
    assert error_of(caller.debit(card.id, amount))[0] == "NEGATIVE_OR_ZERO_AMOUNT"
    assert caller.shop.card(card.id).balance == Decimal(25)


def test_another_currency_and_an_unknown_card_are_refused(caller: Caller) -> None:
    card = caller.shop.issue_card(amount=25)
    assert error_of(caller.debit(card.id, "1", currency="EUR"))[0] == "MISMATCHING_CURRENCY"
    assert error_of(caller.debit(UNKNOWN, "1")) == ("GIFT_CARD_NOT_FOUND", ["id"])


def test_only_the_message_tells_an_expired_card_from_a_deactivated_one(caller: Caller) -> None:
    expired = caller.shop.issue_card(amount=25, expires_on=date(2026, 11, 22))
    ended = caller.shop.issue_card(amount=25)
    caller.run("deactivate_card", id=ended.id)
    answers = [caller.debit(expired.id, "1"), caller.debit(ended.id, "1")]
    assert [error_of(answer) for answer in answers] == [("INVALID", ["id"])] * 2
    assert "expired" in answers[0]["userErrors"][0]["message"]
    assert "deactivated" in answers[1]["userErrors"][0]["message"]


def test_a_card_is_good_until_its_last_day_is_over_where_the_shop_is(caller: Caller) -> None:
    card = caller.shop.issue_card(amount=25, expires_on=date(2026, 11, 23))
    caller.clock.advance(11 * 3600)  # 23:00 in New York, the next day in UTC
    assert caller.debit(card.id, "1")["userErrors"] == []
    caller.clock.advance(3600)
    assert error_of(caller.debit(card.id, "1"))[0] == "INVALID"
    (node,) = caller.run("list_cards", first=1)["giftCards"]["nodes"]
    assert node["enabled"] is True  # although it expired


def test_a_processing_time_may_lie_back_but_not_ahead(caller: Caller) -> None:
    card = caller.shop.issue_card(amount=25)
    ahead = (caller.clock.now + timedelta(seconds=1)).isoformat()
    assert error_of(caller.debit(card.id, "1", processedAt=ahead)) == (
        "INVALID",
        ["debitInput", "processedAt"],
    )
    made = caller.debit(card.id, "1", processedAt="2026-11-20T10:00:00-05:00")
    assert made["giftCardDebitTransaction"]["processedAt"] == "2026-11-20T15:00:00Z"


def test_creating_a_card_makes_no_transaction_and_tells_the_code_once(caller: Caller) -> None:
    answer = caller.create(code="ABCD-efgh 1234-2B5A", note="ours", expiresOn="2031-01-31")
    card = answer["giftCard"]
    assert answer["giftCardCode"] == "abcdefgh12342b5a"
    assert card["lastCharacters"] == "2b5a"
    assert card["maskedCode"] == "•••• •••• •••• 2b5a"
    assert card["note"] == "ours"
    assert card["expiresOn"] == "2031-01-31"
    assert card["transactions"]["nodes"] == []
    assert card["balance"] == card["initialValue"] == {"amount": "25.0", "currencyCode": "USD"}


def test_a_code_of_the_shops_own_is_made_up_when_none_is_given(caller: Caller) -> None:
    codes = {caller.create()["giftCardCode"] for _ in range(20)}
    assert len(codes) == 20
    assert all(len(code) == 16 and code.isalnum() and code == code.lower() for code in codes)


def test_a_code_can_never_be_used_again(caller: Caller) -> None:
    first = caller.create(code="abcdefgh12342b5a")
    caller.run("deactivate_card", id=first["giftCard"]["id"])
    answer = caller.create(code="ABCD EFGH 1234 2B5A")
    assert answer["giftCard"] is None
    assert answer["userErrors"] == [
        {"field": ["input", "code"], "code": None, "message": "Code has already been taken"}
    ]


@pytest.mark.parametrize(
    ("code", "refusal"),
    [("abcd123", "TOO_SHORT"), ("a" * 21, "TOO_LONG"), ("abcd_1234", "INVALID")],
)
def test_codes_are_eight_to_twenty_letters_and_digits(
    caller: Caller, code: str, refusal: str
) -> None:
    assert error_of(caller.create(code=code)) == (refusal, ["input", "code"])


def test_amounts_of_new_cards_have_limits() -> None:
    caller = open_shop(issue_limit=Decimal(100), purchase_limit=Decimal(50))
    limits = caller.run("shop_and_limits")["giftCardConfiguration"]
    assert limits["issueLimit"]["amount"] == "100.0"
    assert limits["purchaseLimit"]["amount"] == "50.0"
    over = {"amount": "100.01", "currencyCode": "USD"}
    assert error_of(caller.create(initialAmount=over))[0] == "GIFT_CARD_LIMIT_EXCEEDED"
    nothing = {"amount": "0", "currencyCode": "USD"}
    assert error_of(caller.create(initialAmount=nothing))[0] == "GREATER_THAN"
    assert error_of(caller.create(initialAmount=None))[0] == "MISSING_ARGUMENT"
    card = caller.shop.issue_card(amount=99)
    credit = {"creditAmount": {"amount": "1.01", "currencyCode": "USD"}}
    answer = caller.run("credit_card", id=card.id, credit=credit)["giftCardCredit"]
    assert error_of(answer)[0] == "GIFT_CARD_LIMIT_EXCEEDED"


def test_a_credit_is_positive(caller: Caller) -> None:
    card = caller.shop.issue_card(amount=25)
    credit = {"creditAmount": {"amount": "2.5", "currencyCode": "USD"}, "note": "sorry"}
    made = caller.run("credit_card", id=card.id, credit=credit)["giftCardCredit"]
    transaction = made["giftCardCreditTransaction"]
    assert transaction["amount"]["amount"] == "2.5"
    assert transaction["note"] == "sorry"
    assert transaction["giftCard"]["balance"]["amount"] == "27.5"


def test_deactivating_cannot_be_undone_and_may_be_repeated(caller: Caller) -> None:
    card = caller.shop.issue_card(amount=25)
    first = caller.run("deactivate_card", id=card.id)["giftCardDeactivate"]
    assert first["giftCard"]["enabled"] is False
    assert first["giftCard"]["deactivatedAt"] == "2026-11-23T17:00:00Z"
    caller.clock.advance(60)
    again = caller.run("deactivate_card", id=card.id)["giftCardDeactivate"]
    assert again["giftCard"]["deactivatedAt"] == "2026-11-23T17:00:00Z"
    unknown = caller.run("deactivate_card", id=UNKNOWN)["giftCardDeactivate"]
    assert error_of(unknown) == ("GIFT_CARD_NOT_FOUND", ["id"])


def test_note_expiry_and_theme_can_be_changed(caller: Caller) -> None:
    card = caller.shop.issue_card(amount=25, note="old", expires_on=date(2027, 1, 1))
    given = {"note": "new", "expiresOn": None, "templateSuffix": "birthday"}
    updated = caller.run("update_card", id=card.id, input=given)["giftCardUpdate"]["giftCard"]
    assert updated == {"id": card.id, **given}


def test_the_error_of_an_update_has_no_code(caller: Caller) -> None:
    wrong = """mutation { giftCardUpdate(id: "gid://shopify/GiftCard/1", input: {note: "x"}) {
        giftCard { id } userErrors { code message } } }"""
    (error,) = caller.send(wrong)["errors"]
    assert error["extensions"]["code"] == "undefinedField"
    answer = caller.run("update_card", id=UNKNOWN, input={"note": "x"})["giftCardUpdate"]
    assert answer["userErrors"][0]["field"] == ["id"]


def test_the_checkout_lowers_a_balance_without_us() -> None:
    for shown, kinds in ((False, []), (True, ["GiftCardDebitTransaction"])):
        caller = open_shop(checkout_in_transactions=shown)
        card = caller.shop.issue_card(amount=25)
        caller.shop.spend_on_web(card.id, "5.50")
        assert caller.shop.card(card.id).balance == Decimal("19.50")
        nodes = caller.transactions(card.id, first=5)["nodes"]
        assert [node["__typename"] for node in nodes] == kinds
        with pytest.raises(Refusal, match="not"):
            caller.shop.spend_on_web(card.id, 20)
        assert caller.shop.card(card.id).balance == Decimal("19.50")


def test_a_till_pays_out_cash(caller: Caller) -> None:
    card = caller.shop.issue_card(amount=25)
    caller.debit(card.id, "20")
    caller.shop.cash_out(card.id, 5)
    nodes = caller.transactions(card.id, first=5)["nodes"]
    assert [(node["__typename"], node["amount"]["amount"]) for node in nodes] == [
        ("GiftCardDebitTransaction", "-20.0"),
        ("GiftCardCashOutTransaction", "-5.0"),
    ]
    with pytest.raises(Refusal):
        caller.shop.cash_out(card.id, 1)


def test_every_change_and_only_a_change_moves_the_version(caller: Caller) -> None:
    seen = [caller.shop.version]
    card = caller.shop.issue_card(amount=25)
    seen.append(caller.shop.version)
    caller.debit(card.id, "1")
    seen.append(caller.shop.version)
    caller.shop.spend_on_web(card.id, 1)
    seen.append(caller.shop.version)
    caller.shop.deactivate(card.id)
    seen.append(caller.shop.version)
    assert seen == sorted(set(seen))
    caller.debit(card.id, "1")
    caller.shop.deactivate(card.id)
    caller.found("")
    assert caller.shop.version == seen[-1]


def test_transactions_come_in_pages_from_either_end(caller: Caller) -> None:
    card = caller.shop.issue_card(amount=25)
    for number in range(5):
        caller.debit(card.id, "1", note=f"n{number}")
    page = caller.transactions(card.id, last=2)
    assert [node["note"] for node in page["nodes"]] == ["n3", "n4"]
    assert page["pageInfo"]["hasPreviousPage"] is True
    assert page["pageInfo"]["hasNextPage"] is False
    page = caller.transactions(card.id, last=2, before=page["pageInfo"]["startCursor"])
    assert [node["note"] for node in page["nodes"]] == ["n1", "n2"]
    assert page["pageInfo"]["hasNextPage"] is True
    page = caller.transactions(card.id, last=2, before=page["pageInfo"]["startCursor"])
    assert [node["note"] for node in page["nodes"]] == ["n0"]
    assert page["pageInfo"]["hasPreviousPage"] is False
    page = caller.transactions(card.id, first=3)
    assert [node["note"] for node in page["nodes"]] == ["n0", "n1", "n2"]
    page = caller.transactions(card.id, first=3, after=page["edges"][-1]["cursor"])
    assert [node["note"] for node in page["nodes"]] == ["n3", "n4"]
    page = caller.transactions(card.id, first=2, reverse=True)
    assert [node["note"] for node in page["nodes"]] == ["n4", "n3"]
    assert all(node["giftCard"]["id"] == card.id for node in page["nodes"])


@pytest.mark.parametrize(
    "paging",
    [{}, {"first": 1, "last": 1}, {"first": 251}, {"first": -1}, {"first": 1, "after": "nonsense"}],
)
def test_impossible_pages_are_refused(caller: Caller, paging: dict[str, object]) -> None:
    card = caller.shop.issue_card(amount=25)
    query = "query($id: ID!, $first: Int, $last: Int, $after: String) { giftCard(id: $id) {"
    query += " transactions(first: $first, last: $last, after: $after) { nodes { id } } } }"
    (error,) = caller.send(query, {"id": card.id, **paging})["errors"]
    assert error["extensions"]["code"] == "BAD_REQUEST"


def test_transactions_may_be_slow_to_show_while_the_balance_is_not(caller: Caller) -> None:
    caller.shop.set_transaction_lag(30)
    card = caller.shop.issue_card(amount=25)
    caller.debit(card.id, "1")
    assert caller.shop.card(card.id).balance == Decimal(24)
    assert caller.transactions(card.id, first=5)["nodes"] == []
    caller.clock.advance(30)
    assert len(caller.transactions(card.id, first=5)["nodes"]) == 1


def test_nodes_reads_cards_and_transactions_by_id(caller: Caller) -> None:
    card = caller.shop.issue_card(amount=25)
    made = caller.debit(card.id, "1", note="n")["giftCardDebitTransaction"]
    nodes = caller.run("nodes", ids=[made["id"], UNKNOWN, card.id])["nodes"]
    assert nodes[0] == {"__typename": "GiftCardDebitTransaction", "id": made["id"], "note": "n"}
    assert nodes[1] is None
    assert nodes[2]["lastCharacters"] == card.last_characters


def test_threads_cannot_overspend_a_card(caller: Caller) -> None:
    card = caller.shop.issue_card(amount=25)
    outcomes: list[bool] = []

    def spend() -> None:
        for _ in range(20):
            try:
                caller.shop.debit(card.id, amount=Decimal(1))
                outcomes.append(True)
            except Refusal:
                outcomes.append(False)

    threads = [threading.Thread(target=spend) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count(True) == 25
    assert caller.shop.card(card.id).balance == 0
