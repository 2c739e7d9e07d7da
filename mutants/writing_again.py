"""Guards against a request that Airtable carries out late: what it spoils is written once more."""

from mutants.mutant import Guard, Mutant, named

MESSAGES = "layers/shared/giftcards/flows/messages.py"
REWRITES = "layers/shared/giftcards/store/rewrites.py"
SWEEP = "layers/shared/giftcards/flows/sweep.py"
WIRING = "layers/shared/giftcards/wiring.py"
WRITE_AGAIN = "layers/shared/giftcards/flows/write_again.py"
WRITE_AIRTABLE = "layers/shared/giftcards/flows/write_airtable.py"
LATE = "flows/test_applied_late.py"
STORE = "store/test_rewrites.py"

MUTANTS = (
    Mutant(
        name="late-message-not-known",
        guard=Guard.LATE,
        breaks="A message that comes again is taken for one that comes first.",
        file=MESSAGES,
        old="came_before = _receives(record) > 1",
        new="came_before = _receives(record) < 1",
        tests=named(LATE, "test_an_older_balance_that_is_written_late_is_put_right"),
    ),
    Mutant(
        name="late-hidden-by-other-trouble",
        guard=Guard.LATE,
        breaks="A batch of which something has no answer is tried one by one, as if it came first.",
        file=WRITE_AIRTABLE,
        old="if trouble is None or isinstance(error, Unconfirmed):",
        new="if trouble is None:",
        tests=named(LATE, "test_what_cannot_be_written_hides_nothing_that_may_be_late"),
    ),
    Mutant(
        name="late-balance-not-noted",
        guard=Guard.LATE,
        breaks="The card of an operation whose records are written again is not noted.",
        file=WRITE_AIRTABLE,
        old="            if result.moved_card is not None:\n",
        new="            if result.moved_card is None and result.moved is not None:\n",
        tests=named(LATE, "test_an_older_balance_that_is_written_late_is_put_right"),
    ),
    Mutant(
        name="late-card-not-noted",
        guard=Guard.LATE,
        breaks="A card that a message names by itself is not noted when that comes again.",
        file=WRITE_AIRTABLE,
        old="            if batch.is_late(CARD, card_id):\n",
        new="            if batch.is_late(ORDER, card_id):\n",
        tests=named(LATE, "test_a_card_that_is_shown_for_itself_is_put_right_as_well"),
    ),
    Mutant(
        name="late-order-not-noted",
        guard=Guard.LATE,
        breaks="The row of an order is not noted when its message comes again.",
        file=WRITE_AIRTABLE,
        old="if result.order_row is not None or result.purchase is not None:",
        new="if result.order_row is not None and result.purchase is not None:",
        tests=named(
            LATE, "test_a_held_order_that_is_written_late_does_not_hide_that_its_card_is_made"
        ),
    ),
    Mutant(
        name="late-row-not-noted",
        guard=Guard.LATE,
        breaks="The row of a store's form is not noted when its message comes again.",
        file=WRITE_AIRTABLE,
        old='is_late = thing in batch.late or any(batch.is_late("", key) for key in keys)',
        new="is_late = thing in batch.late",
        tests=named(
            LATE, "test_a_held_that_is_written_late_does_not_hide_that_the_customer_has_paid"
        ),
    ),
    Mutant(
        name="late-row-noted-afterwards",
        guard=Guard.LATE,
        breaks="A row is written again before it is noted; what never passes leaves no note.",
        file=WRITE_AIRTABLE,
        old=(
            "        self._note_late_rows(rows, batch)\n"
            "        self._write_rows([row for _, row in rows])\n"
        ),
        new=(
            "        self._write_rows([row for _, row in rows])\n"
            "        self._note_late_rows(rows, batch)\n"
        ),
        tests=named(LATE, "test_a_row_is_noted_before_it_is_written_a_second_time"),
    ),
    Mutant(
        name="late-row-without-later-words",
        guard=Guard.LATE,
        breaks="What is written to a noted row since is not noted beside it.",
        file=WRITE_AIRTABLE,
        old="            if not is_late and thing not in standing:\n",
        new="            if not is_late:\n",
        tests=named(LATE, "test_each_word_about_a_row_is_written_again_in_the_order_of_writing"),
    ),
    Mutant(
        name="late-row-in-another-order",
        guard=Guard.LATE,
        breaks="The words of a noted row are kept in another order than they were written.",
        file=WRITE_AIRTABLE,
        old="after = (*(key for key in before if key not in keys), *keys)",
        new="after = (*keys, *(key for key in before if key not in keys))",
        tests=named(LATE, "test_each_word_about_a_row_is_written_again_in_the_order_of_writing"),
    ),
    Mutant(
        name="late-row-put-off-by-each-word",
        guard=Guard.LATE,
        breaks="Each later word puts off when a row is put right.",
        file=WRITE_AIRTABLE,
        old="due_at = self._once_settled() if is_late else None\n",
        new="due_at = self._once_settled() if keys else None\n",
        tests=named(LATE, "test_a_later_word_does_not_put_off_when_a_row_is_put_right"),
    ),
    Mutant(
        name="late-row-before-the-newest-word",
        guard=Guard.LATE,
        breaks="What is written again covers the newest word, which comes in the same batch.",
        file=WRITE_AIRTABLE,
        old="operations = self._load(_unique([*earlier, *batch.operations]))",
        new="operations = self._load(_unique([*batch.operations, *earlier]))",
        tests=named(LATE, "test_what_is_written_again_covers_no_word_of_the_same_batch"),
    ),
    Mutant(
        name="late-tick-taken-away-twice",
        guard=Guard.LATE,
        breaks="The office's next wish to have a card sent again is taken away with the first.",
        file=WRITE_AIRTABLE,
        old="            if row.table != GIFT_CARDS:\n",
        new="            if row.record_id:\n",
        tests=named(LATE, "test_the_offices_tick_is_not_taken_away_a_second_time"),
    ),
    Mutant(
        name="again-too-early",
        guard=Guard.LATE,
        breaks="It is written again while the worker that noted it may still send something.",
        file=WIRING,
        old="late_for=timedelta(seconds=self.config.settling_seconds + WRITER_SECONDS),",
        new="late_for=timedelta(seconds=self.config.settling_seconds),",
        tests=named(LATE, "test_it_is_not_written_again_before_nothing_can_be_late_any_more"),
    ),
    Mutant(
        name="again-while-a-writer-lives",
        guard=Guard.LATE,
        breaks="A writer lives longer than is reckoned with.",
        file="template.yaml",
        old="      # Airtable lets whoever was too quick wait for 30 s.\n      Timeout: 60\n",
        new="      # Airtable lets whoever was too quick wait for 30 s.\n      Timeout: 90\n",
        tests=named(LATE, "test_a_writer_lives_no_longer_than_is_reckoned_with"),
    ),
    Mutant(
        name="again-never-sent-for",
        guard=Guard.LATE,
        breaks="Nobody sends for what is due.",
        file=SWEEP,
        old="        self.queues.write_again(rows=rows, others=others)\n",
        new="        self.queues.write_again(rows=rows[:0], others=others[:0])\n",
        tests=named(LATE, "test_an_older_balance_that_is_written_late_is_put_right"),
    ),
    Mutant(
        name="again-beside-the-rows-writer",
        guard=Guard.LATE,
        breaks="Rows are written again by the other of the two writers, at the same time.",
        file=SWEEP,
        old="        self.queues.write_again(rows=rows, others=others)\n",
        new="        self.queues.write_again(rows=[], others=[*rows, *others])\n",
        tests=named(LATE, "test_each_is_written_again_by_the_writer_of_its_kind"),
    ),
    Mutant(
        name="again-once-for-each-sweep",
        guard=Guard.LATE,
        breaks="What an earlier message has put right is written once more by the next.",
        file=WRITE_AIRTABLE,
        old="cards = _unique([*_named(CARD, standing), *batch.cards])",
        new="cards = _unique([*_named(CARD, batch.again), *batch.cards])",
        tests=named(LATE, "test_what_several_sweeps_send_for_is_written_again_once"),
    ),
    Mutant(
        name="again-forgotten-unwritten",
        guard=Guard.LATE,
        breaks="What could not be written again just now is forgotten.",
        file=WRITE_AIRTABLE,
        old=(
            "        if trouble is not None:\n"
            "            raise trouble\n"
            "        for thing in standing:\n"
            "            self.rewrites.forget(thing, now=self.clock())\n"
        ),
        new=(
            "        for thing in standing:\n"
            "            self.rewrites.forget(thing, now=self.clock())\n"
            "        if trouble is not None:\n"
            "            raise trouble\n"
        ),
        tests=named(LATE, "test_what_cannot_be_written_again_at_once_is_not_forgotten"),
    ),
    Mutant(
        name="again-itself-late",
        guard=Guard.LATE,
        breaks="What is written again, and has no answer, is not put off for that.",
        file=WRITE_AIRTABLE,
        old='late |= {str(thing) for thing in message.get("again", ())}',
        new="late |= set()",
        tests=named(LATE, "test_what_is_written_again_may_be_late_itself"),
    ),
    Mutant(
        name="again-a-row-itself-late",
        guard=Guard.LATE,
        breaks="A row that is written again, and has no answer, is not put off for that.",
        file=WRITE_AIRTABLE,
        old='is_late = thing in batch.late or any(batch.is_late("", key) for key in keys)',
        new='is_late = any(batch.is_late("", key) for key in keys)',
        tests=named(LATE, "test_a_row_that_is_written_again_may_be_late_itself"),
    ),
    Mutant(
        name="again-forgotten-though-put-off",
        guard=Guard.LATE,
        breaks="What was put off since is forgotten by whoever had it due before.",
        file=REWRITES,
        old='condition="#due_at <= :now",',
        new='condition="#due_at <= :now OR attribute_exists(#due_at)",',
        tests=named(STORE, "test_what_was_put_off_since_is_not_forgotten"),
    ),
    Mutant(
        name="again-noted-for-ever",
        guard=Guard.LATE,
        breaks="What was written again stays noted, and each later word of its row beside it.",
        file=REWRITES,
        old='"REMOVE #queue, #due_at, #operations",',
        new='"REMOVE #due_at",',
        tests=named(STORE, "test_what_was_written_again_is_noted_no_more"),
    ),
    Mutant(
        name="waiting-row-left-waiting",
        guard=Guard.LATE,
        breaks="A row that somebody emptied after its answer waits for ever.",
        file=WRITE_AGAIN,
        old="    if operation.state is State.COMMITTED:\n",
        new="    if operation.state is not State.COMMITTED:\n",
        tests=named(
            "flows/test_redeem.py",
            "test_an_answered_row_that_somebody_empties_is_written_again_not_charged_again",
        ),
    ),
    Mutant(
        name="waiting-row-written-each-minute",
        guard=Guard.LATE,
        breaks="A row that cannot be written is sent for by each tick.",
        file=WRITE_AGAIN,
        old="    journal.note_written_again(operation, now=now)\n",
        new="",
        tests=named(
            "flows/test_redeem.py", "test_an_answered_row_that_still_waits_is_sent_for_now_and_then"
        ),
    ),
    Mutant(
        name="waiting-row-written-at-once",
        guard=Guard.LATE,
        breaks="A row that the writer has not come to yet is sent for a second time.",
        file=WRITE_AGAIN,
        old="    if now - since < timedelta(seconds=WRITE_AGAIN_SECONDS):\n",
        new="    if now < since:\n",
        tests=named(
            "flows/test_redeem.py", "test_an_answered_row_that_still_waits_is_sent_for_now_and_then"
        ),
    ),
)
