"""Guards of what follows from an outcome: nothing is lost, and the mail says what was decided."""

from mutants.mutant import Guard, Mutant, named

COMPOSE_ANSWER = "layers/shared/giftcards/flows/compose_answer.py"
ANSWER_STORE = "layers/shared/giftcards/flows/answer_store.py"
DELIVER = "layers/shared/giftcards/flows/deliver.py"
FOLLOW_UP = "layers/shared/giftcards/flows/follow_up.py"
PARK = "layers/shared/giftcards/flows/park.py"
MESSAGES = "layers/shared/giftcards/flows/messages.py"
JOURNAL = "layers/shared/giftcards/store/journal.py"
QUEUES = "layers/shared/giftcards/store/queues.py"
SWEEP = "layers/shared/giftcards/flows/sweep.py"
WIRING = "layers/shared/giftcards/wiring.py"


MUTANTS = (
    Mutant(
        name="outbox-without-receipts",
        guard=Guard.OUTBOX,
        breaks="The commit leaves out the receipts.",
        file=JOURNAL,
        old='"receipts": [_pack_receipt(receipt) for receipt in result.receipts],',
        new='"receipts": [],',
        tests=(
            *named("store/test_journal.py", "test_a_commit_holds_everything_that_follows"),
            *named("flows/test_redeem.py", "test_a_card_is_redeemed_and_everybody_knows"),
        ),
    ),
    Mutant(
        name="outbox-without-mail",
        guard=Guard.OUTBOX,
        breaks="The commit leaves out whom to answer.",
        file=JOURNAL,
        old='"mail_to": result.mail_to,',
        new='"mail_to": None,',
        tests=(
            *named("store/test_journal.py", "test_a_commit_holds_everything_that_follows"),
            *named("flows/test_redeem.py", "test_a_card_is_redeemed_and_everybody_knows"),
        ),
    ),
    Mutant(
        name="outbox-without-row",
        guard=Guard.OUTBOX,
        breaks="The commit leaves out what the row should read.",
        file=JOURNAL,
        old='"row": _pack_row(result.row),',
        new='"row": _pack_row(None),',
        tests=named("store/test_journal.py", "test_a_commit_holds_everything_that_follows"),
    ),
    Mutant(
        name="outbox-without-what-follows",
        guard=Guard.OUTBOX,
        breaks="The commit leaves out the operations that follow.",
        file=JOURNAL,
        old='"follows": [_pack_next(one) for one in result.follows],',
        new='"follows": [],',
        tests=named("flows/test_sell.py", "test_a_card_is_made_and_mailed_to_its_owner"),
    ),
    Mutant(
        name="outbox-without-the-amount-that-moved",
        guard=Guard.OUTBOX,
        breaks="The commit leaves out what moved, so the card's ledger never hears of it.",
        file=JOURNAL,
        old='"moved": pack_money(result.moved),',
        new='"moved": None,',
        tests=named("flows/test_looks.py", "test_web_store_and_staff_on_one_card_at_once"),
    ),
    Mutant(
        name="outbox-settled-first",
        guard=Guard.OUTBOX,
        breaks="SETTLED is marked before the follow-ups are handed over.",
        file=FOLLOW_UP,
        old="        if result.mail_to is not None:\n",
        new=(
            "        self.journal.settle(operation, now=self.clock())\n"
            "        if result.mail_to is not None:\n"
        ),
        tests=named(
            "flows/test_sweep.py", "test_an_outcome_that_was_not_handed_over_is_handed_over"
        ),
    ),
    Mutant(
        name="outbox-settled-uncommitted",
        guard=Guard.OUTBOX,
        breaks="What has no outcome yet can be marked SETTLED.",
        file=JOURNAL,
        old='condition="#state = :committed",',
        new='condition="#state = :committed OR attribute_exists(#state)",',
        tests=named("store/test_journal.py", "test_nothing_settles_before_it_is_committed"),
    ),
    Mutant(
        name="outbox-not-swept",
        guard=Guard.OUTBOX,
        breaks="Nobody hands over what a dead worker left committed.",
        file=SWEEP,
        old=(
            "        if operation.state is State.COMMITTED:\n"
            "            self.follow_up.hand_over(operation)\n"
        ),
        new="        if operation.state is State.COMMITTED:\n            pass\n",
        tests=named(
            "flows/test_sweep.py", "test_an_outcome_that_was_not_handed_over_is_handed_over"
        ),
    ),
    Mutant(
        name="outbox-same-deduplication-id",
        guard=Guard.OUTBOX,
        breaks="Two messages to the writer that look alike count as one.",
        file=QUEUES,
        old="MessageGroupId=group,\n            MessageDeduplicationId=uuid4().hex,",
        new=(
            "MessageGroupId=group,\n"
            "            MessageDeduplicationId=json.dumps(body).encode().hex()[:128],"
        ),
        tests=named(
            "store/test_deduplication.py",
            "test_two_messages_that_look_alike_are_two_things_that_happened",
        ),
    ),
    Mutant(
        name="interim-without-looking",
        guard=Guard.INTERIM,
        breaks='"Please wait" is sent without looking for the outcome.',
        file=ANSWER_STORE,
        old="is_answered = asked is not None and asked.result is not None",
        new="is_answered = False",
        tests=named(
            "flows/test_interim.py", "test_please_wait_is_dropped_where_the_answer_is_known"
        ),
    ),
    Mutant(
        name="interim-behind-held",
        guard=Guard.INTERIM,
        breaks='"Please wait" is sent without looking whether the row was held meanwhile.',
        file=ANSWER_STORE,
        old="if is_answered or is_held:",
        new="if is_answered:",
        tests=named(
            "flows/test_mails_in_order.py",
            "test_please_wait_is_dropped_where_the_row_was_held_meanwhile",
        ),
    ),
    Mutant(
        name="interim-held-behind-the-answer",
        guard=Guard.INTERIM,
        breaks='"Held" is sent without looking for the outcome.',
        file=ANSWER_STORE,
        old="        if asked is not None and asked.result is not None:\n",
        new="        if asked is not None and asked.kind == HELD_KIND:\n",
        tests=named(
            "flows/test_mails_in_order.py",
            "test_held_is_dropped_where_the_office_was_quicker_than_the_mail",
        ),
    ),
    Mutant(
        name="interim-out-of-turn",
        guard=Guard.INTERIM,
        breaks='"Please wait" is sent without the row\'s lease.',
        file=ANSWER_STORE,
        old=(
            "self._in_turn(\n"
            '                operation.snapshot["row_id"],'
            " lambda: self._ask_to_wait(operation, result)\n"
            "            )"
        ),
        new="self._ask_to_wait(operation, result)",
        tests=named(
            "flows/test_interim.py", "test_the_answer_waits_while_please_wait_is_on_its_way"
        ),
    ),
    Mutant(
        name="interim-overtaken-by-the-answer",
        guard=Guard.INTERIM,
        breaks='The answer does not wait for a "please wait" that is on its way.',
        file=ANSWER_STORE,
        old=(
            "self._in_turn(row_id, lambda: self._send(operation, self._compose(operation, result)))"
        ),
        new="self._send(operation, self._compose(operation, result))",
        tests=named(
            "flows/test_interim.py", "test_the_answer_waits_while_please_wait_is_on_its_way"
        ),
    ),
    Mutant(
        name="interim-lease-not-respected",
        guard=Guard.INTERIM,
        breaks="A mail about the row is sent although another one is on its way.",
        file=ANSWER_STORE,
        old='            raise NotSent(f"another mail about row {row_id} is on its way")',
        new="            return send()",
        tests=named(
            "flows/test_interim.py", "test_the_answer_waits_while_please_wait_is_on_its_way"
        ),
    ),
    Mutant(
        name="interim-answered-again",
        guard=Guard.INTERIM,
        breaks="A message that comes twice is mailed twice.",
        file=ANSWER_STORE,
        old="if operation.answered_at is not None:",
        new="if operation.answered_at is not None and operation.result is None:",
        tests=named(
            "flows/test_interim.py",
            "test_a_worker_that_dies_after_the_mail_leaves_no_receipt_behind",
        ),
    ),
    Mutant(
        name="answer-not-charged-whatever-it-was",
        guard=Guard.ANSWER,
        breaks="Every store is told that its card was not charged.",
        file=COMPOSE_ANSWER,
        old="    outcome = Outcome(result.outcome)\n",
        new="    outcome = Outcome.NOT_CHARGED\n",
        tests=(
            *named("flows/test_redeem.py", "test_a_card_is_redeemed_and_everybody_knows"),
            *named(
                "simulator/test_histories.py",
                "test_a_story_without_accidents_keeps_every_promise",
            ),
        ),
    ),
    Mutant(
        name="answer-with-another-balance",
        guard=Guard.ANSWER,
        breaks="What was charged is named as what is left on the card.",
        file=COMPOSE_ANSWER,
        old="balance=result.balance if _may_show_balance(outcome) else None,",
        new="balance=asked.amount if _may_show_balance(outcome) else None,",
        tests=(
            *named("flows/test_redeem.py", "test_a_card_is_redeemed_and_everybody_knows"),
            *named(
                "simulator/test_histories.py",
                "test_a_story_without_accidents_keeps_every_promise",
            ),
        ),
    ),
    Mutant(
        name="look-of-no-tick",
        guard=Guard.ALARMS,
        breaks="What is looked for at an offset that no tick has is never looked for, in silence.",
        file="layers/shared/giftcards/flows/serve_counter.py",
        old="        self.refuse_settings()\n",
        new="",
        tests=named(
            "flows/test_tick.py",
            "test_what_no_tick_would_look_for_is_refused_and_the_office_reads_it",
        ),
    ),
    Mutant(
        name="parked-in-silence",
        guard=Guard.ALARMS,
        breaks="An operation is parked, and the alarm stays silent.",
        file=PARK,
        old="        self.note_parked()\n        self.journal.park(",
        new="        self.journal.park(",
        tests=named(
            "simulator/test_promises.py",
            "test_whoever_dies_when_he_has_parked_something_has_rung",
        ),
    ),
    Mutant(
        name="parked-row-in-silence",
        guard=Guard.ALARMS,
        breaks="A row is parked, and the alarm stays silent.",
        file=PARK,
        old="        self.note_parked()\n        self.attempts.park(",
        new="        self.attempts.park(",
        tests=named(
            "simulator/test_promises.py",
            "test_whoever_dies_when_he_has_parked_something_has_rung",
        ),
    ),
    Mutant(
        name="parked-before-it-rings",
        guard=Guard.ALARMS,
        breaks="Whoever dies when he has parked something has rung no alarm.",
        file=PARK,
        old=(
            "        self.note_parked()\n"
            "        self.journal.park(operation, because=because, now=self.clock())\n"
        ),
        new=(
            "        self.journal.park(operation, because=because, now=self.clock())\n"
            "        self.note_parked()\n"
        ),
        tests=named(
            "simulator/test_promises.py",
            "test_whoever_dies_when_he_has_parked_something_has_rung",
        ),
    ),
    Mutant(
        name="message-fails-in-silence",
        guard=Guard.ALARMS,
        breaks="A message fails for a reason that does not pass, and nobody hears of it.",
        file=MESSAGES,
        old="        note_failed()\n        return Taken.BAD\n",
        new="        return Taken.BAD\n",
        tests=named(
            "simulator/test_promises.py",
            "test_what_fails_without_an_alarm_breaks_a_promise",
        ),
    ),
    Mutant(
        name="mail-waits-in-silence",
        guard=Guard.ALARMS,
        breaks="SES is away, and nobody hears of it until the mails are dead letters.",
        file=MESSAGES,
        old="        if is_late:\n            self.note()\n",
        new="",
        tests=named(
            "flows/test_late_mails.py",
            "test_a_used_up_quota_of_ses_rings_in_time_and_as_long_as_it_lasts",
            "test_what_was_to_be_tried_again_too_often_rings",
        ),
    ),
    Mutant(
        name="answers-wait-in-silence",
        guard=Guard.ALARMS,
        breaks="The function that answers stores rings for no mail that waits.",
        file="functions/answer_store/handler.py",
        old="        late=app.late_answers,\n",
        new="",
        tests=(
            *named(
                "flows/test_late_mails.py",
                "test_a_used_up_quota_of_ses_rings_in_time_and_as_long_as_it_lasts",
            ),
            *named(
                "simulator/test_promises.py",
                "test_mail_that_waits_in_silence_breaks_a_promise",
            ),
        ),
    ),
    Mutant(
        name="mail-that-waits-rings-once",
        guard=Guard.ALARMS,
        breaks="The alarm on mail that waits ends while the mail still waits.",
        file=MESSAGES,
        old="_receives(record) >= self.receives for",
        new="_receives(record) == self.receives for",
        tests=named(
            "flows/test_late_mails.py",
            "test_what_was_to_be_tried_again_too_often_rings",
        ),
    ),
    Mutant(
        name="delivery-waits-in-silence",
        guard=Guard.ALARMS,
        breaks="Klaviyo is away, and nobody hears of it until the mails are given up.",
        file=DELIVER,
        old="                self.note_late()\n",
        new="",
        tests=(
            *named("flows/test_late_mails.py", "test_klaviyo_away_rings_in_time"),
            *named(
                "simulator/test_promises.py",
                "test_mail_that_waits_in_silence_breaks_a_promise",
            ),
        ),
    ),
    Mutant(
        name="delivery-rings-too-soon",
        guard=Guard.ALARMS,
        breaks="A hiccup of Klaviyo rings, and is soon no longer listened to.",
        file=DELIVER,
        old="if operation.tries + 1 >= LATE_TRIES or",
        new="if operation.tries + 2 >= LATE_TRIES or",
        tests=named("flows/test_late_mails.py", "test_a_hiccup_of_klaviyo_does_not_ring"),
    ),
    Mutant(
        name="delivery-told-to-wait-in-silence",
        guard=Guard.ALARMS,
        breaks="Klaviyo asks for an hour before each try, and nothing rings before the fifth.",
        file=DELIVER,
        old=" or asked >= LATE_WAIT_SECONDS:",
        new=":",
        tests=named(
            "flows/test_late_mails.py", "test_klaviyo_that_asks_for_long_waits_rings_at_once"
        ),
    ),
)
