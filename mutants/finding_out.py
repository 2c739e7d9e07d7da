"""Guards after the call: the commit, and finding out what became of a debit without an answer."""

from mutants.mutant import Guard, Mutant, named

JOURNAL = "layers/shared/giftcards/store/journal.py"
REDEEM = "layers/shared/giftcards/flows/redeem.py"
MONEY_MOVES = "layers/shared/giftcards/flows/money_moves.py"
SHOPIFY = "layers/shared/giftcards/clients/shopify/moving.py"


LOOK = """\
        found = self.moves.find_out(operation, card_id=charge.card_id, amount=charge.amount)
"""
BALANCE_AND_LOOK = """\
        card = self.shopify.read_card(charge.card_id)
        refusal = self._judge(card, charge.amount)
        if refusal is not None:
            return self._commit(operation, charge, refusal)
        found = self.moves.find_out(operation, card_id=charge.card_id, amount=charge.amount)
"""

CONDITION = 'condition = "#state = :judged_in AND attribute_not_exists(#result)"'
TABLE = "layers/shared/giftcards/store/table.py"

MUTANTS = (
    Mutant(
        name="commit-refused-by-a-meeting",
        guard=Guard.COMMIT,
        breaks="A write that meets a transaction is taken for a fault of ours.",
        file=TABLE,
        old='OTHERS_WRITE = {"TransactionConflictException", ',
        new="OTHERS_WRITE = {",
        tests=named(
            "flows/test_guards.py", "test_a_commit_that_meets_a_transaction_is_made_all_the_same"
        ),
    ),
    Mutant(
        name="commit-without-condition",
        guard=Guard.COMMIT,
        breaks="An outcome is written over another one.",
        file=JOURNAL,
        old=CONDITION,
        new='condition = "attribute_exists(#state) OR #state = :judged_in"',
        tests=named(
            "store/test_journal.py",
            "test_the_first_outcome_stands_for_ever",
            "test_what_was_judged_before_a_debit_was_sent_is_not_committed_after",
        ),
    ),
    Mutant(
        name="commit-over-another-state",
        guard=Guard.COMMIT,
        breaks="What was judged before the SENT mark is committed after it.",
        file=JOURNAL,
        old=CONDITION,
        new=(
            'condition = "(#state = :judged_in OR attribute_exists(#state))'
            ' AND attribute_not_exists(#result)"'
        ),
        tests=named(
            "store/test_journal.py",
            "test_what_was_judged_before_a_debit_was_sent_is_not_committed_after",
        ),
    ),
    Mutant(
        name="commit-over-another-mark",
        guard=Guard.COMMIT,
        breaks="An outcome is committed that was judged under another worker's SENT mark.",
        file=JOURNAL,
        old='condition += " AND #sent_by = :sent_by"',
        new='condition += " AND (#sent_by = :sent_by OR attribute_exists(#sent_by))"',
        tests=named(
            "store/test_journal.py", "test_an_outcome_judged_under_another_mark_is_not_committed"
        ),
    ),
    Mutant(
        name="balance-judged-first",
        guard=Guard.BALANCE_LAST,
        breaks="After a lost reply the balance is judged, which our own debit has lowered.",
        file=REDEEM,
        old=LOOK,
        new=BALANCE_AND_LOOK,
        tests=named(
            "flows/test_lost_replies.py", "test_our_own_debit_does_not_look_like_an_empty_card"
        ),
    ),
    Mutant(
        name="balance-decides-alone",
        guard=Guard.BALANCE_LAST,
        breaks="What is SENT is judged and charged like a fresh claim; nobody asks what moved.",
        file=REDEEM,
        old="operation = self._find_out(operation)",
        new="operation = self._charge(operation, deadline=deadline)",
        tests=named(
            "flows/test_lost_replies.py",
            "test_our_own_debit_does_not_look_like_an_empty_card",
            "test_a_debit_that_never_ran_is_not_charged_for_ever",
        ),
    ),
    Mutant(
        name="pages-first-only",
        guard=Guard.ALL_PAGES,
        breaks="Only the newest page of a card's transactions is read.",
        file=SHOPIFY,
        old='if not replies.flag(place, "hasPreviousPage"):',
        new='if replies.flag(place, "hasPreviousPage") in {True, False}:',
        tests=named("clients/shopify/test_debit.py", "test_a_debit_is_found_among_pages_of_others"),
    ),
    Mutant(
        name="pages-too-many-mean-no",
        guard=Guard.ALL_PAGES,
        breaks="A card with more pages than we read counts as one without our debit.",
        file=SHOPIFY,
        old='    raise VendorSurprise(\n        f"{card_id} has more than',
        new='    VendorSurprise(\n        f"{card_id} has more than',
        tests=named(
            "clients/shopify/test_debit.py", "test_pages_without_end_are_a_surprise_not_a_no"
        ),
    ),
    Mutant(
        name="pages-until-an-old-one",
        guard=Guard.ALL_PAGES,
        breaks="The search ends at the first transaction of before, which may be backdated.",
        file=SHOPIFY,
        old="            if not is_ours or movement.amount.minor * amount.minor <= 0:",
        new=(
            "            if movement.processed_at < earliest:\n"
            "                return None\n"
            "            if not is_ours or movement.amount.minor * amount.minor <= 0:"
        ),
        tests=named("clients/shopify/test_debit.py", "test_a_backdated_transaction_hides_no_debit"),
    ),
    Mutant(
        name="pages-of-no-card-mean-no",
        guard=Guard.ALL_PAGES,
        breaks="A card that Shopify no longer shows counts as one without our debit.",
        file=SHOPIFY,
        old=(
            '        card = replies.part(graphql.ask("card_movements", variables).data,'
            ' "giftCard")\n'
        ),
        new=(
            '        data = graphql.ask("card_movements", variables).data\n'
            '        card = replies.part_or_none(data, "giftCard")\n'
            "        if card is None:\n"
            "            return\n"
        ),
        tests=named(
            "clients/shopify/test_debit.py", "test_a_card_that_is_gone_is_a_surprise_not_a_no"
        ),
    ),
    Mutant(
        name="reference-ignored",
        guard=Guard.REFERENCE_AND_AMOUNT,
        breaks="Any debit of the same amount is taken for ours.",
        file=SHOPIFY,
        old="is_ours = movement.note == reference and movement.processed_at >= earliest",
        new="is_ours = movement.amount == amount and movement.processed_at >= earliest",
        tests=(
            *named(
                "clients/shopify/test_debit.py",
                "test_other_references_and_credits_are_not_our_debit",
            ),
            *named(
                "flows/test_lost_replies.py",
                "test_another_debit_of_the_same_amount_is_not_taken_for_ours",
            ),
        ),
    ),
    Mutant(
        name="reference-shared-by-operations",
        guard=Guard.REFERENCE_AND_AMOUNT,
        breaks="All redemptions have one reference: another one's debit is taken for ours.",
        file=SHOPIFY,
        old="is_ours = movement.note == reference and",
        new=('is_ours = str(movement.note).partition("#")[0] == reference.partition("#")[0] and'),
        tests=(
            *named(
                "clients/shopify/test_debit.py",
                "test_other_references_and_credits_are_not_our_debit",
            ),
            *named(
                "flows/test_lost_replies.py",
                "test_another_debit_of_the_same_amount_is_not_taken_for_ours",
            ),
        ),
    ),
    Mutant(
        name="reference-by-its-beginning",
        guard=Guard.REFERENCE_AND_AMOUNT,
        breaks="A reference that only begins like ours is taken for ours.",
        file=SHOPIFY,
        old="is_ours = movement.note == reference and",
        new='is_ours = (movement.note or "").startswith(reference) and',
        tests=named(
            "clients/shopify/test_debit.py", "test_other_references_and_credits_are_not_our_debit"
        ),
    ),
    Mutant(
        name="amount-ignored",
        guard=Guard.REFERENCE_AND_AMOUNT,
        breaks="A debit with our reference is taken for ours, whatever it took.",
        file=SHOPIFY,
        old="if movement.amount != amount:",
        new="if movement.amount.minor * amount.minor <= 0:",
        tests=(
            *named(
                "clients/shopify/test_debit.py",
                "test_our_reference_with_another_amount_is_a_surprise",
            ),
            *named("flows/test_parking.py", "test_what_nobody_can_explain_is_parked_and_shown"),
        ),
    ),
    Mutant(
        name="amount-of-a-credit",
        guard=Guard.REFERENCE_AND_AMOUNT,
        breaks="A credit with our reference is looked at as if it were the debit.",
        file=SHOPIFY,
        old="if not is_ours or movement.amount.minor * amount.minor <= 0:",
        new="if not is_ours:",
        tests=named(
            "clients/shopify/test_debit.py", "test_other_references_and_credits_are_not_our_debit"
        ),
    ),
    Mutant(
        name="amount-of-the-reply-ignored",
        guard=Guard.REFERENCE_AND_AMOUNT,
        breaks="A debit that took another amount than asked for counts as done.",
        file=SHOPIFY,
        old="if moved != -amount:",
        new="if moved.minor > 0:",
        tests=named(
            "clients/shopify/test_debit.py",
            "test_an_answer_nobody_can_read_leaves_the_debit_unconfirmed",
        ),
    ),
    Mutant(
        name="settling-not-waited-for",
        guard=Guard.SETTLING,
        breaks="The first look that finds no debit means not charged.",
        file=MONEY_MOVES,
        old="timedelta(seconds=self.settling_seconds)",
        new="timedelta(0)",
        tests=named(
            "flows/test_lost_replies.py",
            "test_a_debit_that_never_ran_is_not_charged_for_ever",
            "test_a_debit_that_is_applied_late_is_found_within_the_settling_time",
        ),
    ),
    Mutant(
        name="settling-counted-from-the-end-of-the-look",
        guard=Guard.SETTLING,
        breaks="A look that began within the settling time and ended after it means not charged.",
        file=MONEY_MOVES,
        old="if looked_at < operation.sent_at",
        new="if self.clock() < operation.sent_at",
        tests=named(
            "flows/test_guards.py", "test_a_look_that_began_within_the_settling_time_is_no_answer"
        ),
    ),
    Mutant(
        name="settling-then-sent-again",
        guard=Guard.SETTLING,
        breaks="After the settling time the debit is sent a second time.",
        file=REDEEM,
        old="return self._commit(operation, charge, Outcome.NOT_CHARGED)",
        new=(
            "self.journal.take_back_sent(operation, due_at=self.clock())\n"
            "                return operation"
        ),
        tests=(
            *named(
                "flows/test_lost_replies.py", "test_a_debit_that_never_ran_is_not_charged_for_ever"
            ),
            *named(
                "flows/test_outages.py",
                "test_a_debit_applied_beyond_the_settling_time_is_never_sent_again",
            ),
        ),
    ),
)
