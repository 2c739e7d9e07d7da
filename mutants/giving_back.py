"""Guards of what undoes a payment: money given back, returned cards, frozen cards."""

from mutants.mutant import Guard, Mutant, named

ADJUST = "layers/shared/giftcards/flows/adjust.py"
CREDIT = "layers/shared/giftcards/flows/credit.py"
CARDS = "layers/shared/giftcards/store/cards.py"
FREEZE = "layers/shared/giftcards/flows/freeze.py"
JOURNAL = "layers/shared/giftcards/store/journal.py"
MONEY_MOVES = "layers/shared/giftcards/flows/money_moves.py"
REDEEM = "layers/shared/giftcards/flows/redeem.py"
RETURN_CARD = "layers/shared/giftcards/flows/return_card.py"
REVERSE = "layers/shared/giftcards/flows/reverse.py"
TAKE_REVERSALS = "layers/shared/giftcards/flows/take_reversals.py"
WRITE_AIRTABLE = "layers/shared/giftcards/flows/write_airtable.py"

LOCK = """\
        if lock is None:
            raise NotSent(f"{operation.key} waits: money moves on its card at this moment")
"""

MUTANTS = (
    Mutant(
        name="giving-back-never-looked-for",
        guard=Guard.GIVING_BACK,
        breaks="No tick is told which of the minute's it is, so nothing is given back.",
        file="functions/store_transactions/handler.py",
        old="offset_seconds=offset)",
        new="offset_seconds=1)",
        tests=named("flows/test_looks.py", "test_what_the_office_gives_back_is_explained_at_once"),
    ),
    Mutant(
        name="giving-back-more-than-was-taken",
        guard=Guard.GIVING_BACK,
        breaks="A total above what was taken is given back.",
        file=TAKE_REVERSALS,
        old="if total > taken:",
        new="if total == taken and total < taken:",
        tests=named("flows/test_reversals.py", "test_what_cannot_be_given_back_is_said_once"),
    ),
    Mutant(
        name="giving-back-the-whole-total-each-time",
        guard=Guard.GIVING_BACK,
        breaks="What was given back before is forgotten: a raised total is credited as a whole.",
        file=TAKE_REVERSALS,
        old="amount=total - Money(redemption.given_back, total.currency),",
        new="amount=total,",
        tests=named("flows/test_reversals.py", "test_a_raised_total_gives_back_what_is_missing"),
    ),
    Mutant(
        name="giving-back-a-lower-total",
        guard=Guard.GIVING_BACK,
        breaks="A total below what was given back is not refused.",
        file=TAKE_REVERSALS,
        old="if total < before:",
        new="if total < before and total > before:",
        tests=named(
            "flows/test_reversals.py",
            "test_a_lowered_total_is_refused_once_and_can_be_raised_again",
        ),
    ),
    Mutant(
        name="giving-back-without-waiting",
        guard=Guard.GIVING_BACK,
        breaks="A step is judged while nobody knows what became of the one before.",
        file=TAKE_REVERSALS,
        old="if is_open or (last is not None and last.result is None):",
        new="if is_open:",
        tests=named(
            "flows/test_reversals.py", "test_a_raised_total_waits_until_the_step_before_is_over"
        ),
    ),
    Mutant(
        name="giving-back-for-an-open-redemption",
        guard=Guard.GIVING_BACK,
        breaks="It is judged while nobody knows what became of the redemption.",
        file=TAKE_REVERSALS,
        old="if is_open or (last is not None and last.result is None):",
        new="if last is not None and last.result is None:",
        tests=named(
            "flows/test_reversals.py", "test_nothing_is_decided_while_a_redemption_is_open"
        ),
    ),
    Mutant(
        name="giving-back-above-the-cap",
        guard=Guard.GIVING_BACK,
        breaks="The cap is held against the step, not against all that is given back.",
        file=TAKE_REVERSALS,
        old="is_above = cap is not None and wanted.total > cap\n",
        new="is_above = cap is not None and wanted.amount > cap\n",
        tests=named("flows/test_reversals.py", "test_more_than_the_cap_waits_for_the_second_word"),
    ),
    Mutant(
        name="giving-back-begun-by-two",
        guard=Guard.GIVING_BACK,
        breaks="A claim does not ask which step was begun last.",
        file=JOURNAL,
        old='"attribute_not_exists(#reversal)"',
        new='"attribute_exists(#key)"',
        tests=(
            *named("store/test_reversals.py", "test_of_two_that_saw_the_same_only_one_begins"),
            *named("flows/test_reversals.py", "test_of_two_looks_at_two_totals_only_one_begins"),
        ),
    ),
    Mutant(
        name="giving-back-on-an-old-sum",
        guard=Guard.GIVING_BACK,
        breaks="A claim does not ask how much was given back.",
        file=JOURNAL,
        old="parts = [_given_back(redemption.given_back)]",
        new='parts = ["(attribute_exists(#key) OR #given_back = :before)"]',
        tests=named(
            "store/test_reversals.py", "test_whoever_did_not_see_what_was_given_back_begins_nothing"
        ),
    ),
    Mutant(
        name="giving-back-finished-by-an-older-step",
        guard=Guard.GIVING_BACK,
        breaks="What was given back grows by a step that is not the last one begun.",
        file=JOURNAL,
        old='condition=f"#reversal = :by AND {_given_back(before)}",',
        new='condition=f"(attribute_exists(#key) OR #reversal = :by) AND {_given_back(before)}",',
        tests=named(
            "store/test_reversals.py",
            "test_an_outcome_that_builds_on_something_else_is_an_error_and_moves_nothing",
        ),
    ),
    Mutant(
        name="giving-back-grows-from-anything",
        guard=Guard.GIVING_BACK,
        breaks="What was given back grows from whatever sum stands there.",
        file=JOURNAL,
        old='condition=f"#reversal = :by AND {_given_back(before)}",',
        new='condition="#reversal = :by AND (attribute_exists(#key) OR #given_back = :before)",',
        tests=named("store/test_reversals.py", "test_an_outcome_that_saw_another_sum_is_an_error"),
    ),
    Mutant(
        name="giving-back-not-counted",
        guard=Guard.GIVING_BACK,
        breaks="The commit does not make grow what was given back.",
        file=REVERSE,
        old="also=[grows] if is_done else [],",
        new="also=[],",
        tests=named("flows/test_reversals.py", "test_a_raised_total_gives_back_what_is_missing"),
    ),
    Mutant(
        name="giving-back-counted-without-moving",
        guard=Guard.GIVING_BACK,
        breaks="What could not be given back counts as given back.",
        file=REVERSE,
        old="also=[grows] if is_done else [],",
        new="also=[grows],",
        tests=named(
            "flows/test_reversals.py",
            "test_a_larger_total_is_tried_after_one_that_failed",
            "test_a_refusal_between_the_look_and_the_credit_is_final",
        ),
    ),
    Mutant(
        name="giving-back-without-the-lock",
        guard=Guard.GIVING_BACK,
        breaks="A credit does not wait for whoever moves money on the card.",
        file=CREDIT,
        old=LOCK,
        new=(
            "        if lock is None:\n"
            "            lock = Lease(lock_key(credit.card_id), 'nobody', 0, deadline)\n"
        ),
        tests=named(
            "flows/test_adjust.py", "test_a_card_on_which_another_worker_moves_money_waits"
        ),
    ),
    Mutant(
        name="giving-back-lock-kept",
        guard=Guard.GIVING_BACK,
        breaks="The lock is not given back, so the card's next customer waits for its end.",
        file=CREDIT,
        old="        finally:\n            self.locks.release(lock)",
        new="        finally:\n            pass",
        tests=named("flows/test_adjust.py", "test_the_lock_is_given_back"),
    ),
    Mutant(
        name="giving-back-forgets-the-filings",
        guard=Guard.GIVING_BACK,
        breaks="The mark of a credit wipes out what the card remembers of stores' forms.",
        file=CREDIT,
        old='recent=lock.seen.get("recent", []),',
        new="recent=[],",
        tests=named("flows/test_adjust.py", "test_the_card_remembers_what_stores_filed"),
    ),
    Mutant(
        name="giving-back-looks-for-a-debit",
        guard=Guard.GIVING_BACK,
        breaks="After a lost reply a debit is looked for, not the credit.",
        file=CREDIT,
        old="amount=credit.amount, is_credit=True",
        new="amount=credit.amount, is_credit=False",
        tests=named(
            "flows/test_adjust.py", "test_a_credit_that_was_applied_is_found_and_not_sent_again"
        ),
    ),
    Mutant(
        name="giving-back-without-looking-first",
        guard=Guard.GIVING_BACK,
        breaks="What a restored journal has forgotten to have given back is given back again.",
        file=CREDIT,
        old="ended = None if card is None else self._end_if_given(operation, credit, card)",
        new="ended = None",
        tests=named(
            "flows/test_adjust.py", "test_what_a_restored_journal_forgot_to_have_sent_is_found"
        ),
    ),
    Mutant(
        name="giving-back-beside-a-forgotten-part",
        guard=Guard.GIVING_BACK,
        breaks="A part that the journal has forgotten is given back once more with the whole.",
        file=CREDIT,
        old="if one.note not in known]",
        new="if one.note == operation.key]",
        tests=named(
            "flows/test_adjust.py",
            "test_a_total_that_was_raised_since_is_left_to_the_office",
            "test_a_part_that_is_forgotten_counts_whatever_a_person_said_of_another",
        ),
    ),
    Mutant(
        name="giving-back-beside-what-was-only-asked-for",
        guard=Guard.GIVING_BACK,
        breaks="A part counts as sent by this journal as soon as its operation exists.",
        file=CREDIT,
        old="if one.sent_at is not None\n",
        new="if one.claimed_at is not None\n",
        tests=named(
            "flows/test_adjust.py",
            "test_what_this_journal_refused_to_send_is_still_forgotten",
            "test_the_reference_on_less_is_not_sent_again_whatever_was_before",
        ),
    ),
    Mutant(
        name="giving-back-hindered-by-what-is-known",
        guard=Guard.GIVING_BACK,
        breaks="What a person was told of as too late keeps later steps from being given back.",
        file=CREDIT,
        old="[one for one in steps if one.note not in known]",
        new="list(steps)",
        tests=named(
            "flows/test_adjust.py",
            "test_what_the_journal_knows_to_have_come_too_late_is_no_part_of_it",
        ),
    ),
    Mutant(
        name="giving-back-sent-again-unasked",
        guard=Guard.GIVING_BACK,
        breaks="What was looked for in vain is sent again without a person's word.",
        file=MONEY_MOVES,
        old="if operation.may_send_again:",
        new="if operation.sent_by:",
        tests=named("flows/test_adjust.py", "test_each_retry_is_good_for_one_sending"),
    ),
    Mutant(
        name="giving-back-word-without-condition",
        guard=Guard.GIVING_BACK,
        breaks="A mark is taken back although no person has said so.",
        file=JOURNAL,
        old='condition="#state = :sent AND #sent_by = :mark AND #send_again = :true",',
        new=(
            'condition="#state = :sent AND #sent_by = :mark'
            ' AND (#send_again = :true OR attribute_exists(#key))",'
        ),
        tests=named(
            "store/test_reversals.py", "test_only_a_persons_word_lets_it_be_sent_again_and_once"
        ),
    ),
    Mutant(
        name="giving-back-word-good-for-ever",
        guard=Guard.GIVING_BACK,
        breaks="One word of a person lets it be sent again and again.",
        file=JOURNAL,
        old='" #sent_amount = :amount REMOVE #send_again",',
        new='" #sent_amount = :amount",',
        tests=named(
            "store/test_reversals.py", "test_a_word_about_what_was_sent_later_does_not_stand"
        ),
    ),
    Mutant(
        name="giving-back-word-about-a-claim",
        guard=Guard.GIVING_BACK,
        breaks="Whoever has a claim tried again has also allowed a second sending.",
        file=JOURNAL,
        old='"again": operation.parked_in is State.SENT,',
        new='"again": operation.parked_in is not None,',
        tests=named("store/test_reversals.py", "test_a_word_about_what_was_never_sent_is_none"),
    ),
    Mutant(
        name="giving-back-while-paused",
        guard=Guard.GIVING_BACK,
        breaks="Money moves although the system is paused.",
        file=ADJUST,
        old="if operation.state is State.CLAIMED and not self.control.switch().is_running:",
        new="if operation.state is State.HELD and not self.control.switch().is_running:",
        tests=named(
            "flows/test_adjust.py",
            "test_while_the_system_is_paused_nothing_is_sent_and_what_was_is_found_out",
        ),
    ),
    Mutant(
        name="giving-back-of-what-never-left",
        guard=Guard.GIVING_BACK,
        breaks="A person may count as credited what was never sent.",
        file=CREDIT,
        old="if credited and operation.parked_in is not State.SENT:",
        new="if credited and operation.parked_in is None:",
        tests=named(
            "flows/test_adjust.py", "test_what_was_never_sent_cannot_be_decided_as_credited"
        ),
    ),
    Mutant(
        name="giving-back-covered-by-an-older-word",
        guard=Guard.GIVING_BACK,
        breaks="A late write shows again what the row said before it was given back.",
        file=WRITE_AIRTABLE,
        old="if operation.kind == REDEMPTION and operation.given_back:\n        return True",
        new="if operation.kind == REDEMPTION:\n        return False",
        tests=named("flows/test_reversals.py", "test_an_older_word_never_covers_a_newer_one"),
    ),
    Mutant(
        name="returning-the-used",
        guard=Guard.RETURNING,
        breaks="A card that was used and filled again is deactivated.",
        file=RETURN_CARD,
        old="return card.balance == card.initial_value and not was_spent and not is_reserved",
        new="return card.balance == card.initial_value and not is_reserved",
        tests=named(
            "flows/test_returns.py", "test_a_card_that_was_used_and_filled_again_is_not_untouched"
        ),
    ),
    Mutant(
        name="returning-the-reserved",
        guard=Guard.RETURNING,
        breaks="A card from which a checkout is about to take is deactivated.",
        file=RETURN_CARD,
        old="return card.balance == card.initial_value and not was_spent and not is_reserved",
        new="return card.balance == card.initial_value and not was_spent",
        tests=named("flows/test_returns.py", "test_what_the_web_shop_keeps_back_leaves_it_in_use"),
    ),
    Mutant(
        name="returning-what-was-added",
        guard=Guard.RETURNING,
        breaks="All that is on the card is taken, also what was added to it later.",
        file=RETURN_CARD,
        old="rest = min(card.balance, found.value)",
        new="rest = card.balance",
        tests=named("flows/test_returns.py", "test_what_was_added_to_a_card_is_not_taken_off"),
    ),
    Mutant(
        name="returning-without-a-second-look",
        guard=Guard.RETURNING,
        breaks="Nobody is told of what was spent right before the card went out of use.",
        file=RETURN_CARD,
        old="used = found.value - card.balance",
        new="used = found.value - found.value",
        tests=named("flows/test_returns.py", "test_a_card_spent_from_at_that_moment_is_told_of"),
    ),
    Mutant(
        name="returning-without-the-lock",
        guard=Guard.RETURNING,
        breaks="A card is taken out of use while a store charges it.",
        file=RETURN_CARD,
        old=LOCK,
        new=(
            "        if lock is None:\n"
            "            lock = Lease(lock_key(found.card_id), 'nobody', 0, deadline)\n"
        ),
        tests=named("flows/test_returns.py", "test_it_is_looked_at_under_the_cards_lock"),
    ),
    Mutant(
        name="returning-unmarked",
        guard=Guard.RETURNING,
        breaks="Nobody notes that the card is dead by our own hand.",
        file=RETURN_CARD,
        old="        self.ledgers.note_deactivated_by_us(found.card_id)\n",
        new="",
        tests=named(
            "flows/test_returns.py",
            "test_an_untouched_card_is_deactivated_and_its_mail_is_not_sent",
        ),
    ),
    Mutant(
        name="returning-nothing-dropped",
        guard=Guard.RETURNING,
        breaks="A unit whose card nobody has begun is not kept from being made.",
        file=RETURN_CARD,
        old="or self._drop(returned)",
        new=(
            "or self.journal.claim(returned.issue, kind=ISSUE, snapshot={'sale': returned.sale},"
            " now=self.clock(), due_at=self.clock())"
        ),
        tests=named("flows/test_returns.py", "test_a_card_that_is_not_begun_is_never_made"),
    ),
    Mutant(
        name="returning-half-made",
        guard=Guard.RETURNING,
        breaks="A card that is being made counts as one that will never be.",
        file=RETURN_CARD,
        old="        if issue.result is None:\n            later",
        new="        if issue.result and issue.state is State.CLAIMED:\n            later",
        tests=named("flows/test_returns.py", "test_a_card_that_is_being_made_is_waited_for"),
    ),
    Mutant(
        name="freezing-not-asked",
        guard=Guard.FREEZING,
        breaks="A frozen card is charged.",
        file=REDEEM,
        old="        if is_frozen(lock):\n",
        new="        if lock is None:\n",
        tests=named("flows/test_freeze.py", "test_a_frozen_card_is_refused_until_it_is_released"),
    ),
    Mutant(
        name="freezing-by-each",
        guard=Guard.FREEZING,
        breaks="A frozen card is frozen once more, and says who did it last.",
        file=CARDS,
        old='is_otherwise = "attribute_not_exists(#frozen) OR #frozen = :other"',
        new=(
            'is_otherwise = "attribute_not_exists(#frozen) OR #frozen = :other'
            ' OR attribute_exists(#frozen)"'
        ),
        tests=(
            *named("store/test_reversals.py", "test_a_card_is_frozen_and_released_in_turns"),
            *named(
                "flows/test_freeze.py", "test_frozen_at_the_same_moment_by_two_it_is_frozen_once"
            ),
        ),
    ),
    Mutant(
        name="freezing-without-its-receipt",
        guard=Guard.FREEZING,
        breaks="What a dead worker has noted on the card gets no receipt.",
        file=FREEZE,
        old="        if before is not None:\n",
        new="        if before is not None and not before.number:\n",
        tests=named(
            "flows/test_freeze.py", "test_whoever_dies_of_it_does_it_again_and_nothing_is_missing"
        ),
    ),
)
