"""Guards before any money moves: the search, the claim, and forms filed twice."""

from mutants.mutant import Guard, Mutant, named

SHOPIFY = "layers/shared/giftcards/clients/shopify/client.py"
FIND_CARD = "layers/shared/giftcards/clients/shopify/find_card.graphql"
LOOK_UP = "layers/shared/giftcards/flows/look_up.py"
REDEEM = "layers/shared/giftcards/flows/redeem.py"
DUPLICATES = "layers/shared/giftcards/domain/duplicates.py"
JOURNAL = "layers/shared/giftcards/store/journal.py"
TABLE = "layers/shared/giftcards/store/table.py"

MUTANTS = (
    Mutant(
        name="search-without-last-four",
        guard=Guard.SEARCH,
        breaks="The only hit of a search is taken, whatever it ends with.",
        file=SHOPIFY,
        old="return card if card.last4 == code.last4 else None",
        new="return card",
        tests=(
            *named(
                "clients/shopify/test_cards.py",
                "test_a_code_that_is_the_beginning_of_another_is_not_that_card",
            ),
            *named("flows/test_redeem.py", "test_a_fragment_of_a_code_finds_nobody"),
        ),
    ),
    Mutant(
        name="search-first-of-two",
        guard=Guard.SEARCH,
        breaks="Of two hits the first is taken.",
        file=SHOPIFY,
        old="if len(found) != 1:",
        new="if not found:",
        tests=named("clients/shopify/test_cards.py", "test_a_code_found_in_two_cards_is_neither"),
    ),
    Mutant(
        name="search-asks-for-one",
        guard=Guard.SEARCH,
        breaks="Only one hit is asked for, so a second one is never seen.",
        file=FIND_CARD,
        old="giftCards(first: 2, query: $code)",
        new="giftCards(first: 1, query: $code)",
        tests=named("clients/shopify/test_cards.py", "test_a_code_found_in_two_cards_is_neither"),
    ),
    Mutant(
        name="search-warnings-ignored",
        guard=Guard.SEARCH,
        breaks="A search that Shopify says it did not apply is trusted.",
        file=SHOPIFY,
        old="if answer.search_warnings:",
        new="if not answer:",
        tests=named(
            "clients/shopify/test_cards.py", "test_a_search_that_was_not_applied_is_not_trusted"
        ),
    ),
    Mutant(
        name="search-first-look-alike",
        guard=Guard.SEARCH,
        breaks="Of two cards whose codes look alike the first is taken.",
        file=LOOK_UP,
        old="return others[0] if len(others) == 1 else None",
        new="return others[0] if others else None",
        tests=named(
            "flows/test_redeem.py", "test_two_cards_that_both_look_alike_are_both_left_alone"
        ),
    ),
    Mutant(
        name="claim-without-condition",
        guard=Guard.CLAIM,
        breaks="The claim is put whether or not the row was claimed before.",
        file=TABLE,
        old=(
            '                ConditionExpression="attribute_not_exists(#key)",\n'
            '                ExpressionAttributeNames={"#key": "key"},\n'
        ),
        new="",
        tests=(
            *named(
                "store/test_journal.py",
                "test_the_same_claim_twice_is_one_operation",
                "test_a_refusal_without_a_card_is_claimed_and_committed_at_once",
            ),
            *named(
                "flows/test_guards.py", "test_a_row_that_two_workers_see_at_once_is_charged_once"
            ),
        ),
    ),
    Mutant(
        name="claim-believes-itself",
        guard=Guard.CLAIM,
        breaks="Whoever comes second goes on from his own claim, not from the one that stands.",
        file=JOURNAL,
        old="        return _unpack(standing)\n\n    def mark_sent(",
        new="        return _unpack(item)\n\n    def mark_sent(",
        tests=named(
            "store/test_journal.py",
            "test_the_same_claim_twice_is_one_operation",
            "test_a_refusal_without_a_card_is_claimed_and_committed_at_once",
        ),
    ),
    Mutant(
        name="claim-takes-other-contents",
        guard=Guard.CLAIM,
        breaks="The same row with other contents is taken for the same request.",
        file=JOURNAL,
        old='if standing["snapshot"] != item["snapshot"]:',
        new='if standing["kind"] != item["kind"]:',
        tests=named("store/test_journal.py", "test_other_contents_under_the_same_key_are_an_error"),
    ),
    Mutant(
        name="forgotten-debit-not-looked-for",
        guard=Guard.CLAIM,
        breaks="What a restored journal forgot to have charged is charged again.",
        file=REDEEM,
        old="if one.note == operation.key and one.amount.minor < 0]",
        new="if one.note == operation.key and one.amount.minor > 0]",
        tests=named("ops/test_find_charged.py", "test_what_was_charged_since_ends_as_charged"),
    ),
    Mutant(
        name="called-off-after-it-was-sent",
        guard=Guard.CLAIM,
        breaks="A debit that was sent can be called off.",
        file=REDEEM,
        old="if operation.state not in {State.CLAIMED, State.HELD}:",
        new="if operation.result is not None:",
        tests=named("ops/test_call_off.py", "test_what_was_sent_is_too_late"),
    ),
    Mutant(
        name="duplicates-not-judged",
        guard=Guard.DUPLICATES,
        breaks="Nobody looks whether a form was filed twice.",
        file=REDEEM,
        old="earlier = self._find_earlier(operation, charge, recent)",
        new="earlier = None",
        tests=named(
            "flows/test_outcomes.py",
            "test_the_same_form_filed_twice_is_charged_once_and_names_the_first",
            "test_two_forms_filed_at_once_are_charged_once",
        ),
    ),
    Mutant(
        name="duplicates-judged-before-the-lock",
        guard=Guard.DUPLICATES,
        breaks="What happened on the card is read before its lock is taken.",
        file=REDEEM,
        old=(
            "        lock = self.locks.acquire(lock_key(charge.card_id), now=self.clock())\n"
            "        if lock is None:"
        ),
        new=(
            "        seen = self.cards._table.get(lock_key(charge.card_id)) or {}\n"
            "        lock = self.locks.acquire(lock_key(charge.card_id), now=self.clock())\n"
            "        lock = lock and replace(lock, seen=seen)\n"
            "        if lock is None:"
        ),
        tests=named(
            "flows/test_guards.py",
            "test_a_form_filed_twice_is_noticed_by_two_workers_at_the_same_moment",
        ),
    ),
    Mutant(
        name="duplicates-of-failed-charges",
        guard=Guard.DUPLICATES,
        breaks="A charge that is known to have failed counts as the earlier filing.",
        file=REDEEM,
        old="charged = [one for one in like_it if one.was_refused or self._may_be_charged(one)]",
        new="charged = like_it",
        tests=named("flows/test_outcomes.py", "test_what_was_not_charged_is_no_duplicate"),
    ),
    Mutant(
        name="duplicates-of-held-forms",
        guard=Guard.DUPLICATES,
        breaks="A form that is held, and not charged, counts as the earlier filing.",
        file=REDEEM,
        old="if operation is not None and operation.state is State.HELD:",
        new="if operation is not None and operation.state is State.PARKED:",
        tests=named("flows/test_outcomes.py", "test_what_is_held_is_no_duplicate"),
    ),
    Mutant(
        name="duplicates-of-known-charges-only",
        guard=Guard.DUPLICATES,
        breaks="A charge of which nobody knows yet does not count as the earlier filing.",
        file=REDEEM,
        old="if operation is None or operation.result is None:\n            return True",
        new="if operation is None or operation.result is None:\n            return False",
        tests=named(
            "flows/test_outcomes.py", "test_what_may_have_been_charged_is_a_possible_duplicate"
        ),
    ),
    Mutant(
        name="duplicates-not-remembered",
        guard=Guard.DUPLICATES,
        breaks="The SENT mark leaves nothing on the card.",
        file=REDEEM,
        old="recent=pack_recent([*others, remembered]),",
        new="recent=[],",
        tests=named(
            "flows/test_outcomes.py",
            "test_the_same_form_filed_twice_is_charged_once_and_names_the_first",
        ),
    ),
    Mutant(
        name="duplicates-of-itself",
        guard=Guard.DUPLICATES,
        breaks="A charge that Shopify did not run is its own earlier filing when sent again.",
        file=DUPLICATES,
        old="if one.operation != operation and one.store_id == store_id",
        new="if one.store_id == store_id",
        tests=named(
            "flows/test_lost_replies.py", "test_a_debit_that_shopify_did_not_run_is_sent_again"
        ),
    ),
    Mutant(
        name="duplicates-third-filing-refused",
        guard=Guard.DUPLICATES,
        breaks="A third filing is refused like the second.",
        file=DUPLICATES,
        old="if one.was_refused:\n            return None",
        new="if one.was_refused:\n            continue",
        tests=named(
            "flows/test_outcomes.py",
            "test_a_third_filing_goes_through_and_a_fourth_is_refused_again",
        ),
    ),
)
