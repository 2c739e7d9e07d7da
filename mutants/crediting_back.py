"""Guards between a credit-back and `Reverse Amount`: a sale is undone twice by two words only."""

from mutants.mutant import Guard, Mutant, named

COMMAND_LINE = "ops/command_line.py"
JOURNAL = "layers/shared/giftcards/store/journal.py"
KINDS = "layers/shared/giftcards/flows/kinds.py"
OWE = "layers/shared/giftcards/flows/owe.py"
TAKE_REVERSALS = "layers/shared/giftcards/flows/take_reversals.py"
TWICE = "flows/test_charged_twice.py"
STORE = "store/test_reversals.py"

MUTANTS = (
    Mutant(
        name="credit-back-not-noted",
        guard=Guard.TWO_WORDS,
        breaks="The redemption does not learn that something was credited back for it.",
        file=OWE,
        old="        return [self.journal.credited_back(about, minor=minor)]\n",
        new="        return [self.journal.credited_back(about, minor=minor)][:0]\n",
        tests=named(TWICE, "test_after_a_credit_back_an_undo_needs_the_offices_second_word"),
    ),
    Mutant(
        name="credit-back-beside-an-undo",
        guard=Guard.TWO_WORDS,
        breaks="What the office has given back already does not stop a credit-back.",
        file=OWE,
        old="if (about.given_back or is_open) and not too:",
        new="if is_open and not too:",
        tests=named(TWICE, "test_after_an_undo_a_credit_back_has_to_be_meant_as_well"),
    ),
    Mutant(
        name="credit-back-beside-an-undo-under-way",
        guard=Guard.TWO_WORDS,
        breaks="An undo that has no end yet does not stop a credit-back.",
        file=OWE,
        old="if (about.given_back or is_open) and not too:",
        new="if about.given_back and not too:",
        tests=named(TWICE, "test_an_undo_that_was_begun_and_has_no_end_yet_counts"),
    ),
    Mutant(
        name="credit-back-never-meant-as-well",
        guard=Guard.TWO_WORDS,
        breaks="Whoever says that both are meant is not heard.",
        file=OWE,
        old="if (about.given_back or is_open) and not too:",
        new="if about.given_back or is_open:",
        tests=named(TWICE, "test_after_an_undo_a_credit_back_has_to_be_meant_as_well"),
    ),
    Mutant(
        name="credit-back-always-meant-as-well",
        guard=Guard.TWO_WORDS,
        breaks="The command says that both are meant, whatever the person has said.",
        file=COMMAND_LINE,
        old='too=decision == "credit-back-too"',
        new='too=decision != "retry"',
        tests=named(TWICE, "test_after_an_undo_a_credit_back_has_to_be_meant_as_well"),
    ),
    Mutant(
        name="credit-back-on-an-old-look",
        guard=Guard.TWO_WORDS,
        breaks="A credit-back begins although an undo has begun since it was judged.",
        file=JOURNAL,
        old='            "SET #credited_back = :minor",\n            condition=condition,\n',
        new=(
            '            "SET #credited_back = :minor",\n'
            '            condition=f"attribute_exists(#key) OR ({condition})",\n'
        ),
        tests=(
            *named(TWICE, "test_a_credit_back_that_was_judged_before_an_undo_does_not_begin"),
            *named(STORE, "test_whoever_did_not_see_an_undo_credits_nothing_back"),
        ),
    ),
    Mutant(
        name="credit-back-forgets-the-one-before",
        guard=Guard.TWO_WORDS,
        breaks="What was credited back before is forgotten by the next.",
        file=JOURNAL,
        old='{"minor": redemption.credited_back + minor}',
        new='{"minor": minor}',
        tests=named(STORE, "test_what_is_credited_back_adds_up"),
    ),
    Mutant(
        name="undo-on-an-old-look",
        guard=Guard.TWO_WORDS,
        breaks="An undo begins although something was credited back since it was judged.",
        file=JOURNAL,
        old='        parts.append("attribute_not_exists(#credited_back)")\n',
        new='        parts.append("attribute_exists(#key)")\n',
        tests=(
            *named(TWICE, "test_an_undo_that_was_judged_before_the_credit_back_does_not_begin"),
            *named(STORE, "test_whoever_did_not_see_what_was_credited_back_begins_nothing"),
        ),
    ),
    Mutant(
        name="undo-on-an-old-sum",
        guard=Guard.TWO_WORDS,
        breaks="An undo begins although more was credited back since it was judged.",
        file=JOURNAL,
        old='        parts.append("#credited_back = :credited")\n',
        new='        parts.append("(attribute_exists(#key) OR #credited_back = :credited)")\n',
        tests=named(STORE, "test_whoever_did_not_see_what_was_credited_back_begins_nothing"),
    ),
    Mutant(
        name="undo-before-the-decision",
        guard=Guard.TWO_WORDS,
        breaks="An undo does not wait until somebody has decided about the second debit.",
        file=TAKE_REVERSALS,
        old="    if owed is not None and owed.result is None:\n",
        new="    if owed is not None and owed.state is State.CLAIMED:\n",
        tests=named(TWICE, "test_an_undo_waits_until_somebody_has_decided_about_the_second_debit"),
    ),
    Mutant(
        name="undo-waits-for-ever",
        guard=Guard.TWO_WORDS,
        breaks="An undo waits even when somebody has decided about the second debit.",
        file=TAKE_REVERSALS,
        old="    if owed is not None and owed.result is None:\n",
        new="    if owed is not None:\n",
        tests=named(TWICE, "test_an_undo_waits_until_somebody_has_decided_about_the_second_debit"),
    ),
    Mutant(
        name="undo-without-the-second-word",
        guard=Guard.TWO_WORDS,
        breaks="After a credit-back the sale is undone without the office's second word.",
        file=TAKE_REVERSALS,
        old="if (is_above or credited is not None) and not has_word:",
        new="if is_above and not has_word:",
        tests=named(
            TWICE,
            "test_after_a_credit_back_an_undo_needs_the_offices_second_word",
            "test_what_was_typed_before_the_credit_back_needs_the_word_as_well",
        ),
    ),
    Mutant(
        name="undo-for-an-old-tick",
        guard=Guard.TWO_WORDS,
        breaks="The tick that let the redemption through is the second word after a credit-back.",
        file=TAKE_REVERSALS,
        old="        has_word=row.is_approved and not tick_is_old,\n",
        new="        has_word=row.is_approved,\n",
        tests=named(TWICE, "test_the_tick_of_before_is_no_word_about_an_undo_after_a_credit_back"),
    ),
    Mutant(
        name="undo-held-for-one-reason-only",
        guard=Guard.TWO_WORDS,
        breaks="A row held for its cap never says that something was credited back since.",
        file=KINDS,
        old='    return f"{key}#credited" if is_credited else key\n',
        new='    return f"{key}" if is_credited else key\n',
        tests=named(TWICE, "test_a_row_held_for_its_cap_says_what_was_credited_back_since"),
    ),
)
