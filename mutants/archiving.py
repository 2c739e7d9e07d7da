"""Guards of the archive, and of comparing receipts and orders: nothing is lost or told twice."""

from mutants.mutant import Guard, Mutant, named

ARCHIVE = "layers/shared/giftcards/flows/archive.py"
FINISHED = "layers/shared/giftcards/flows/finished.py"
JOURNAL = "layers/shared/giftcards/flows/reconcile/journal.py"
RECORDS = "layers/shared/giftcards/store/records.py"
RECEIPTS = "layers/shared/giftcards/flows/reconcile/receipts.py"
ARCHIVING = "flows/test_archive.py"
ROWS = "flows/test_books_of_rows.py"

MUTANTS = (
    Mutant(
        name="archive-deletes-before-the-copy",
        guard=Guard.ARCHIVE,
        breaks="Rows are deleted before their copy stands in the bucket.",
        file=ARCHIVE,
        old="        self.bucket.put(where, body,",
        new=(
            "        self.airtable.delete(table, [row.id for row in rows.values()])\n"
            "        self.bucket.put(where, body,"
        ),
        tests=named(ARCHIVING, "TestDeaths::test_a_worker_dies_at_any_effect"),
    ),
    Mutant(
        name="archive-leaves-half-a-batch",
        guard=Guard.ARCHIVE,
        breaks="What a dead worker wrote to the bucket and did not delete is left so.",
        file=ARCHIVE,
        old="            self._finish_batch(state)\n            return ",
        new="            self.states.keep(replace(state, batch=None))\n            return ",
        tests=named(ARCHIVING, "TestDeaths::test_a_worker_dies_at_any_effect"),
    ),
    Mutant(
        name="archive-two-batches-a-step",
        guard=Guard.ARCHIVE,
        breaks="After a death a step moves two pages, for which it has no time.",
        file=ARCHIVE,
        old=(
            "            self._finish_batch(state)\n"
            "            return Step(next=cursor or _next_table(()))\n"
        ),
        new="            state = self._finish_batch(state)\n",
        tests=named(ARCHIVING, "test_no_step_takes_longer_than_a_step_is_given"),
    ),
    Mutant(
        name="archive-of-what-somebody-changed",
        guard=Guard.ARCHIVE,
        breaks="A row that somebody changed since it was copied is deleted all the same.",
        file=ARCHIVE,
        old='moved = [one for one in archived.values() if one["id"] not in changed]',
        new="moved = list(archived.values())",
        tests=named(
            ARCHIVING, "TestDeaths::test_a_row_that_was_changed_before_somebody_goes_on_stays"
        ),
    ),
    Mutant(
        name="archive-not-remembered",
        guard=Guard.ARCHIVE,
        breaks="Nobody notes that a row was archived, so it is missed and written again.",
        file=ARCHIVE,
        old=(
            "            self.records.note_archived(\n"
            '                batch.table, one["name"], record_id=one["id"], where=batch.where\n'
            "            )\n"
        ),
        new='            self.records.remember(batch.table, one["name"], record_id=one["id"])\n',
        tests=named(ARCHIVING, "TestAfterwards::test_the_books_are_in_step"),
    ),
    Mutant(
        name="archive-while-the-books-are-in-doubt",
        guard=Guard.ARCHIVE,
        breaks="Rows go although the comparison was given up.",
        file=ARCHIVE,
        old=" or not self.keep_days or run.trouble is not None:\n",
        new=" or not self.keep_days:\n",
        tests=named(
            "flows/test_reconcile_runs.py", "test_how_full_the_base_is_is_counted_all_the_same"
        ),
    ),
    Mutant(
        name="archive-counts-a-part",
        guard=Guard.ARCHIVE,
        breaks="Of a run that was given up among the cards, only those so far are counted.",
        file=ARCHIVE,
        old="        if run.trouble is not None:\n            cards = None",
        new="        if run.id == '':\n            cards = None",
        tests=named(
            "flows/test_reconcile_runs.py", "test_how_full_the_base_is_is_counted_all_the_same"
        ),
    ),
    Mutant(
        name="archive-too-early",
        guard=Guard.ARCHIVE,
        breaks="Rows go as soon as they are done.",
        file=ARCHIVE,
        old="until = run.began_at - timedelta(days=self.keep_days)",
        new="until = run.began_at - timedelta(minutes=self.keep_days)",
        tests=named(ARCHIVING, "TestWhatIsOver::test_nothing_goes_a_day_before"),
    ),
    Mutant(
        name="archive-with-codes",
        guard=Guard.ARCHIVE,
        breaks="A code that somebody typed into another cell stands in the archive.",
        file=ARCHIVE,
        old="            return hide_codes(cell)\n",
        new="            return cell\n",
        tests=named(
            ARCHIVING, "TestNoCode::test_a_code_in_any_other_cell_is_masked_in_the_archive"
        ),
    ),
    Mutant(
        name="archive-of-an-unmasked-row",
        guard=Guard.ARCHIVE,
        breaks="A row whose code nobody has masked is archived.",
        file=FINISHED,
        old=' and is_masked(row.text("Gift Card Code"))',
        new="",
        tests=named(ARCHIVING, "TestWhatStays::test_a_row_with_a_code_that_nobody_masked"),
    ),
    Mutant(
        name="archive-of-a-copy",
        guard=Guard.ARCHIVE,
        breaks="A copy of a row of ours is archived in its stead.",
        file=FINISHED,
        old="if known.get(name) == row.id}",
        new="if name in known}",
        tests=named(ARCHIVING, "TestWhatStays::test_a_copy_and_what_was_altered"),
    ),
    Mutant(
        name="archive-fills-in-silence",
        guard=Guard.ARCHIVE,
        breaks="The base fills, and the alarm stays silent.",
        file=ARCHIVE,
        old="            self.note_base_fills()\n",
        new="",
        tests=named(ARCHIVING, "TestHowFullTheBaseIs::test_the_alarm_rings_at_eighty_in_a_hundred"),
    ),
    Mutant(
        name="compare-misses-what-was-archived",
        guard=Guard.BOOKS,
        breaks="A receipt that was archived is missed.",
        file=RECORDS,
        old='            if "archived" in item\n',
        new='            if "archived" in keys\n',
        tests=named(ARCHIVING, "TestAfterwards::test_the_books_are_in_step"),
    ),
    Mutant(
        name="compare-misses-what-is-not-due",
        guard=Guard.BOOKS,
        breaks="A receipt that the writer has not come to yet is missed.",
        file=JOURNAL,
        old="return operation.settled_at is not None and not lately",
        new="return operation.settled_at is not None",
        tests=named(
            ROWS, "TestNoneIsInvented::test_with_nothing_written_yet_by_a_writer_that_is_behind"
        ),
    ),
    Mutant(
        name="compare-trusts-altered-receipts",
        guard=Guard.BOOKS,
        breaks="A receipt that somebody typed over counts as right.",
        file=RECEIPTS,
        old="    if not fields:\n        return None\n",
        new="    if fields is not None:\n        return None\n",
        tests=named(ROWS, "TestReceipts::test_an_altered_one_is_found_and_written_as_it_was"),
    ),
)
