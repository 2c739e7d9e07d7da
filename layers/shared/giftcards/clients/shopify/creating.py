"""Make a card at Shopify with a code of ours, and find it again when nobody knows if it exists.

Creating a card is not idempotent for Shopify, but for us it is safe to send again **with the same
code**, because a code exists once for ever: of two creations that both run, the second is answered
"taken". So what looks like the dangerous retry of a debit is none. What must never happen instead
is a try with another code while the first may have run: that would be a second card.

    the answer                       is the card there?   what the caller does
    -------------------------------  -------------------  ----------------------------------------
    Created                          yes                  goes on
    CodeTaken                        most likely ours     `find_created`: with our note it is ours;
                                                          with another it is foreign, and the next
                                                          counter is due; None means that the search
                                                          lags, so ask again: never another code
    CreateRefused                    no                   somebody mends the request
    Unconfirmed (no or no clear      nobody knows         the same call again, the same code
      answer)
    NotSent, AccessRefused           no                   the same call again, later
    VendorSurprise                   yes, but not as we   a person looks
                                       asked for it
"""

from datetime import date

from giftcards.clients.shopify import replies
from giftcards.clients.shopify.graphql import GraphQL
from giftcards.domain.cards import (
    CardLimits,
    CodeTaken,
    Created,
    CreateRefused,
    CreateReply,
    NotedCard,
)
from giftcards.domain.codes import Code
from giftcards.domain.hiding import hide_codes
from giftcards.domain.money import Money
from giftcards.errors import Unconfirmed, VendorSurprise

# The two ways in which Shopify says that a code is taken: the one of its schema, and the one that
# live stores were seen to answer, with no code beside the message.
TAKEN = "TAKEN"
TAKEN_MESSAGE = "code has already been taken"
CODE_FIELD = ["input", "code"]


def read_limits(graphql: GraphQL) -> CardLimits:
    """The most that a card may hold, issued or bought."""
    limits = replies.part(graphql.ask("card_limits", {}).data, "giftCardConfiguration")
    return CardLimits(
        issue=_money_or_none(limits, "issueLimit"),
        purchase=_money_or_none(limits, "purchaseLimit"),
    )


def create_card(
    graphql: GraphQL,
    *,
    code: Code,
    amount: Money,
    reference: str,
    expires_on: date | None,
    template_suffix: str | None,
    within_seconds: float,
) -> CreateReply:
    """Make one card, as soon as there are points for it; see the table at the top.

    Raises `NotSent` where that would take longer than `within_seconds`.
    """
    asked: dict[str, object] = {
        "code": code.value,
        "initialAmount": {
            "amount": f"{amount.decimal():f}",
            "currencyCode": amount.currency,
        },
        "note": reference,
    }
    if expires_on is not None:
        asked["expiresOn"] = expires_on.isoformat()
    if template_suffix is not None:
        asked["templateSuffix"] = template_suffix
    variables = {"input": asked}
    with graphql.room_for("create_card", variables, within_seconds=within_seconds) as room:
        answer = graphql.change("create_card", variables, room=room)
    try:
        payload = replies.part(answer.data, "giftCardCreate")
        refusals = replies.parts(payload, "userErrors")
        if refusals:
            return _read_refusal(refusals[0], code)
        source = replies.part(payload, "giftCard")
        echo = replies.text_or_none(payload, "giftCardCode")
        made = _noted_card(source)
    except VendorSurprise as surprise:
        raise Unconfirmed(f"A creation's answer cannot be read: {surprise}") from surprise
    _compare(made, code=code, echo=echo, amount=amount, reference=reference, expires_on=expires_on)
    return Created(made.card)


def find_created(graphql: GraphQL, code: Code) -> NotedCard | None:
    """The card with exactly this code, and its note; None while the search does not know it.

    By the same strict rule as a store's card: the search has to have been applied, and to have
    found one card that ends like the code.
    """
    answer = graphql.ask("find_created", {"code": code.value})
    if answer.search_warnings:
        raise VendorSurprise(
            "Shopify did not search as asked"
            f" ({', '.join(answer.search_warnings)}): its results are not to be trusted"
        )
    found = replies.parts(replies.part(answer.data, "giftCards"), "nodes")
    if len(found) != 1:
        return None
    noted = _noted_card(found[0])
    return noted if noted.card.last4 == code.last4 else None


def _read_refusal(refusal: replies.Json, code: Code) -> CodeTaken | CreateRefused:
    """The third layer of errors: why Shopify made no card. Raises `Unconfirmed`."""
    kind = replies.text_or_none(refusal, "code")
    message = replies.text_or_none(refusal, "message") or ""
    is_about_the_code = refusal.get("field") == CODE_FIELD
    if kind == TAKEN and is_about_the_code:
        return CodeTaken()
    if kind is None and is_about_the_code and TAKEN_MESSAGE in message.casefold():
        return CodeTaken()
    if kind is None or kind == "INTERNAL_ERROR":
        raise Unconfirmed(f"Shopify failed inside while making a card ({kind})")
    return CreateRefused(code=kind, message=hide_codes(message, known=[code.value]))


def _compare(
    made: NotedCard,
    *,
    code: Code,
    echo: str | None,
    amount: Money,
    reference: str,
    expires_on: date | None,
) -> None:
    """Raise `VendorSurprise` where the card that was made is not the one we asked for."""
    card = made.card
    wrong = {
        "code": card.last4 != code.last4 or (echo is not None and echo.lower() != code.value),
        "value": card.initial_value != amount,
        "note": made.note != reference,
        "last day": card.expires_on != expires_on,
    }
    names = [name for name, differs in wrong.items() if differs]
    if names:
        raise VendorSurprise(
            f"Shopify made the card {card.id} for {reference} with another {' and '.join(names)}"
            " than we asked for: look at it in Shopify's admin before anybody gets it"
        )


def _noted_card(source: replies.Json) -> NotedCard:
    note = source.get("note")
    return NotedCard(replies.card(source), note if isinstance(note, str) else None)


def _money_or_none(source: replies.Json, name: str) -> Money | None:
    return None if source.get(name) is None else replies.money(source, name)
