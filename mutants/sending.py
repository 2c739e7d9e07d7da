"""Guards around the one call that cannot be repeated: the mark, the clock, the client."""

from mutants.mutant import Guard, Mutant, named

GRAPHQL = "layers/shared/giftcards/clients/shopify/graphql.py"
JOURNAL = "layers/shared/giftcards/store/journal.py"
MONEY_MOVES = "layers/shared/giftcards/flows/money_moves.py"
REDEEM = "layers/shared/giftcards/flows/redeem.py"
SENDING = "layers/shared/giftcards/clients/sending.py"


MARK_AND_CALL = """\
        sent = self._mark_sent(
            operation, amount, recent, lock=lock, deadline=deadline, unless_frozen=unless_frozen
        )
        if sent.state is not State.SENT or sent.sent_by != lock.owner:
            return sent, None  # too late for this run, or somebody else has moved it
        try:
            return sent, call()
"""
CALL_AND_MARK = """\
        sent = operation
        try:
            reply = call()
            sent = self._mark_sent(
                operation, amount, recent, lock=lock, deadline=deadline, unless_frozen=unless_frozen
            )
            return sent, reply
"""

MUTANTS = (
    Mutant(
        name="sent-from-a-card-frozen-meanwhile",
        guard=Guard.SENT,
        breaks="A card that is frozen behind the look at its lock is charged all the same.",
        file=REDEEM,
        old="            unless_frozen=True,\n",
        new="            unless_frozen=False,\n",
        tests=named(
            "flows/test_freeze.py", "test_a_card_frozen_after_the_look_at_its_lock_is_not_charged"
        ),
    ),
    Mutant(
        name="sent-after-the-call",
        guard=Guard.SENT,
        breaks="SENT is marked after the call.",
        file=MONEY_MOVES,
        old=MARK_AND_CALL,
        new=CALL_AND_MARK,
        tests=(
            *named("flows/test_lost_replies.py", "test_a_debit_that_was_applied_is_found_again"),
            *named("flows/test_redeem.py", "test_a_row_deleted_after_its_claim_is_still_answered"),
        ),
    ),
    Mutant(
        name="sent-marked-over-any-state",
        guard=Guard.SENT,
        breaks="SENT is marked again on what is SENT already.",
        file=JOURNAL,
        old='condition="#state = :claimed",\n                values={\n                    "sent":',
        new=(
            'condition="#state = :claimed OR attribute_exists(#state)",\n'
            '                values={\n                    "sent":'
        ),
        tests=named(
            "store/test_journal.py",
            "test_what_is_sent_is_not_marked_again_by_the_next_holder_of_the_lock",
        ),
    ),
    Mutant(
        name="sent-mark-of-another-believed",
        guard=Guard.SENT,
        breaks="Another worker's mark is taken for the echo of our own.",
        file=JOURNAL,
        old='return _unpack(standing) if standing["sent_by"] == lock.owner else None',
        new="return _unpack(standing)",
        tests=named("store/test_journal.py", "test_sent_is_marked_once"),
    ),
    Mutant(
        name="sent-taken-back-by-anybody",
        guard=Guard.SENT,
        breaks="A worker takes back another one's mark.",
        file=JOURNAL,
        old='condition="#state = :sent AND #sent_by = :me",',
        new='condition="#state = :sent AND (#sent_by = :me OR attribute_exists(#sent_by))",',
        tests=named(
            "store/test_journal.py",
            "test_a_debit_that_did_not_run_can_be_taken_back_by_its_sender_only",
        ),
    ),
    Mutant(
        name="sent-taken-back-unconfirmed",
        guard=Guard.SENT,
        breaks="The mark is taken back although the debit may have been applied.",
        file=MONEY_MOVES,
        old="except (NotSent, AccessRefused):",
        new="except (NotSent, AccessRefused, Unconfirmed):",
        tests=(
            *named("flows/test_lost_replies.py", "test_a_debit_that_was_applied_is_found_again"),
            *named(
                "flows/test_outages.py",
                "test_a_debit_applied_beyond_the_settling_time_is_never_sent_again",
            ),
        ),
    ),
    Mutant(
        name="sent-not-taken-back",
        guard=Guard.SENT,
        breaks="The mark stays although Shopify said that the debit did not run.",
        file=MONEY_MOVES,
        old=(
            "            self.journal.take_back_sent("
            "sent, due_at=self.look_again_at(self.clock()))\n            raise"
        ),
        new="            raise",
        tests=named(
            "flows/test_lost_replies.py", "test_a_debit_that_shopify_did_not_run_is_sent_again"
        ),
    ),
    Mutant(
        name="sent-time-out-is-a-failure",
        guard=Guard.SENT,
        breaks="A debit without an answer counts as not charged.",
        file=REDEEM,
        old="            return sent  # not sent, or nobody knows: the next look finds out",
        new="            return self._commit(sent, charge, Outcome.NOT_CHARGED)",
        tests=named(
            "flows/test_lost_replies.py",
            "test_a_debit_that_was_applied_is_found_again",
            "test_our_own_debit_does_not_look_like_an_empty_card",
        ),
    ),
    Mutant(
        name="sent-time-out-means-not-sent",
        guard=Guard.SENT,
        breaks="The client says of a debit without an answer that it was not sent.",
        file=GRAPHQL,
        old='raise unclear(f"Shopify did not answer ({kind})") from None',
        new='raise NotSent(f"Shopify did not answer ({kind})") from None',
        tests=(
            *named(
                "clients/shopify/test_debit.py",
                "test_where_nobody_knows_it_is_unconfirmed_and_was_sent_once",
            ),
            *named("flows/test_lost_replies.py", "test_a_debit_that_was_applied_is_found_again"),
        ),
    ),
    Mutant(
        name="sent-http-500-means-not-sent",
        guard=Guard.SENT,
        breaks="The client says of a debit answered with HTTP 5xx that it was not sent.",
        file=GRAPHQL,
        old='raise unclear(f"Shopify failed to answer (HTTP {status})")',
        new='raise NotSent(f"Shopify failed to answer (HTTP {status})")',
        tests=(
            *named(
                "clients/shopify/test_transport.py",
                "test_what_a_status_means_for_a_question_and_for_a_change",
            ),
            *named(
                "clients/shopify/test_debit.py",
                "test_where_nobody_knows_it_is_unconfirmed_and_was_sent_once",
            ),
        ),
    ),
    Mutant(
        name="sent-internal-error-means-not-sent",
        guard=Guard.SENT,
        breaks="The client says of a debit answered with an internal error that it was not sent.",
        file=GRAPHQL,
        old='raise unclear(f"Shopify failed inside ({named})")',
        new='raise NotSent(f"Shopify failed inside ({named})")',
        tests=(
            *named(
                "clients/shopify/test_debit.py",
                "test_where_nobody_knows_it_is_unconfirmed_and_was_sent_once",
            ),
            *named("flows/test_lost_replies.py", "test_a_debit_that_was_applied_is_found_again"),
        ),
    ),
    Mutant(
        name="sent-denied-part-means-not-sent",
        guard=Guard.SENT,
        breaks="A debit of whose answer a part was denied counts as refused.",
        file=GRAPHQL,
        old="if unclear is Unconfirmed and not _denied_as_a_whole(entries, data):",
        new="if unclear is Unconfirmed and not entries:",
        tests=named(
            "clients/shopify/test_debit.py",
            "test_a_denied_part_of_the_answer_leaves_the_debit_unconfirmed",
        ),
    ),
    Mutant(
        name="deadline-not-checked-before-the-mark",
        guard=Guard.DEADLINE,
        breaks="SENT is marked when it is too late to send.",
        file=MONEY_MOVES,
        old="        if now >= latest:\n            return operation\n",
        new="",
        tests=named("flows/test_guards.py", "test_what_is_too_late_is_not_even_marked"),
    ),
    Mutant(
        name="deadline-not-checked-after-the-mark",
        guard=Guard.DEADLINE,
        breaks="The debit is sent although the mark took until it was too late.",
        file=MONEY_MOVES,
        old="if self.clock() >= latest:  # the mark itself may have taken long",
        new="if now >= latest:",
        tests=named("flows/test_guards.py", "test_a_mark_that_took_long_is_taken_back"),
    ),
    Mutant(
        name="deadline-without-reserve",
        guard=Guard.DEADLINE,
        breaks="No time is kept for the reply to come.",
        file=MONEY_MOVES,
        old="reserve = timedelta(seconds=self.http_timeout_seconds + CLOCK_SKEW_SECONDS)",
        new="reserve = timedelta(0)",
        tests=named(
            "flows/test_guards.py",
            "test_what_is_too_late_is_not_even_marked",
            "test_nobody_sends_when_the_reply_could_outlive_the_lock",
        ),
    ),
    Mutant(
        name="deadline-of-the-lock-forgotten",
        guard=Guard.DEADLINE,
        breaks="Only the function's end counts, not the end of the card's lock.",
        file=MONEY_MOVES,
        old="return min(lock.until - reserve, deadline - reserve)",
        new="return deadline - reserve",
        tests=named(
            "flows/test_guards.py", "test_nobody_sends_when_the_reply_could_outlive_the_lock"
        ),
    ),
    Mutant(
        name="deadline-of-the-function-forgotten",
        guard=Guard.DEADLINE,
        breaks="Only the end of the card's lock counts, not the function's end.",
        file=MONEY_MOVES,
        old="return min(lock.until - reserve, deadline - reserve)",
        new="return lock.until - reserve",
        tests=named("flows/test_guards.py", "test_what_is_too_late_is_not_even_marked"),
    ),
    Mutant(
        name="retry-of-another-vendor",
        guard=Guard.NO_RETRY,
        breaks="The session repeats requests to Shopify as it was told to for another vendor.",
        file=SENDING,
        old="session.mount(base_url, HTTPAdapter(max_retries=0))",
        new="session.mount(base_url, adapter)",
        tests=named(
            "clients/shopify/test_transport.py",
            "test_another_vendors_retries_never_reach_a_debit",
            "test_over_the_network_a_lost_debit_is_unconfirmed_and_sent_once",
        ),
    ),
    Mutant(
        name="retry-of-another-adapter",
        guard=Guard.NO_RETRY,
        breaks="An adapter of another kind may repeat requests.",
        file=SENDING,
        old="elif isinstance(adapter, HTTPAdapter) and adapter.max_retries.total != 0:",
        new="elif adapter is None:",
        tests=named(
            "clients/shopify/test_transport.py", "test_another_vendors_retries_never_reach_a_debit"
        ),
    ),
    Mutant(
        name="retry-of-a-broken-connection",
        guard=Guard.NO_RETRY,
        breaks="A change is sent again when its connection breaks, as a question is.",
        file=GRAPHQL,
        old="unclear=Unconfirmed, attempts=1)",
        new="unclear=Unconfirmed, attempts=ATTEMPTS_OF_A_QUESTION)",
        tests=(
            *named(
                "clients/shopify/test_debit.py",
                "test_where_nobody_knows_it_is_unconfirmed_and_was_sent_once",
            ),
            *named("flows/test_lost_replies.py", "test_a_debit_that_was_applied_is_found_again"),
        ),
    ),
    Mutant(
        name="retry-by-redirect",
        guard=Guard.NO_RETRY,
        breaks="A redirect is followed, which sends the debit again, somewhere else.",
        file=GRAPHQL,
        old="allow_redirects=False,",
        new="allow_redirects=True,",
        tests=named(
            "clients/shopify/test_transport.py",
            "test_what_a_status_means_for_a_question_and_for_a_change",
        ),
    ),
    Mutant(
        name="retry-with-a-new-token",
        guard=Guard.NO_RETRY,
        breaks="After a refused token the debit is sent again, however late it is by then.",
        file=GRAPHQL,
        old="            if unclear is Unconfirmed:\n                # It did not run.",
        new="            if attempts == 0:\n                # It did not run.",
        tests=(
            *named(
                "clients/shopify/test_transport.py",
                "test_a_refused_token_is_renewed_but_the_debit_is_for_the_caller_to_send_again",
            ),
            *named(
                "flows/test_liveness.py",
                "test_a_debit_is_not_sent_anew_after_a_refused_token_without_looking_at_the_clock",
            ),
        ),
    ),
    Mutant(
        name="deadline-not-looked-at-before-another-table",
        guard=Guard.DEADLINE,
        breaks="Behind many redemptions a look at another table begins that its worker dies of.",
        file="layers/shared/giftcards/flows/serve_counter.py",
        old="            if self.clock() + timedelta(seconds=LOOK_SECONDS) > deadline:\n",
        new="            if self.clock() > deadline:\n",
        tests=named(
            "flows/test_time_for_looks.py",
            "test_a_look_that_may_outlive_the_worker_waits_for_a_later_tick",
        ),
    ),
)
