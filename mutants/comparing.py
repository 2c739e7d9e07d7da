"""Guards of comparing the books: what differs is found, told once, and nothing is invented."""

from mutants.mutant import Guard, Mutant, named

COMPARING = "layers/shared/giftcards/domain/comparing.py"
FOLDER = "layers/shared/giftcards/flows/reconcile"
CARDS = f"{FOLDER}/cards.py"
JUDGE_CARD = f"{FOLDER}/judge_card.py"
NAMED_ROWS = f"{FOLDER}/named_rows.py"
NUMBERS = f"{FOLDER}/numbers.py"
PUTTING_RIGHT = f"{FOLDER}/putting_right.py"
ROWS_OF_CARDS = f"{FOLDER}/rows_of_cards.py"
RECONCILE = f"{FOLDER}/reconcile.py"
SECOND_LOOK = f"{FOLDER}/second_look.py"
TESTS = "flows/test_reconcile.py"
RUNS = "flows/test_reconcile_runs.py"
BOOKS_OF_ROWS = "flows/test_books_of_rows.py"

MUTANTS = (
    Mutant(
        name="compare-without-a-second-look",
        guard=Guard.BOOKS,
        breaks="What differed at the first look counts, although it was on its way.",
        file=SECOND_LOOK,
        old="stands = list(dict.fromkeys(one for one in found if one in again))",
        new="stands = list(dict.fromkeys(one for one in found if one in found or again))",
        tests=named(
            TESTS, "test_what_staff_did_shortly_before_is_entered_by_the_looks_and_no_alarm"
        ),
    ),
    Mutant(
        name="compare-looks-again-at-once",
        guard=Guard.BOOKS,
        breaks="The second look does not wait until what is on its way has arrived.",
        file=RECONCILE,
        old="            not_before = self._flow.clock() + wait\n",
        new="            not_before = self._flow.clock() - wait\n",
        tests=named(
            TESTS, "test_what_staff_did_shortly_before_is_entered_by_the_looks_and_no_alarm"
        ),
    ),
    Mutant(
        name="compare-loses-numbers",
        guard=Guard.BOOKS,
        breaks="Of many cards that were seen only the newest are remembered.",
        file=NUMBERS,
        old=(
            "        place = bisect_left(self._sorted, number)\n"
            "        return place < len(self._sorted) and self._sorted[place] == number\n"
            "\n    def _sort_in"
        ),
        new="        return False\n\n    def _sort_in",
        tests=named("flows/test_numbers.py", "test_many_are_sorted_in_as_they_come"),
    ),
    Mutant(
        name="compare-rings-no-alarm",
        guard=Guard.BOOKS,
        breaks="Money that nobody explains is entered, and the alarm stays silent.",
        file=PUTTING_RIGHT,
        old="            self.note_unexplained()\n",
        new="",
        tests=named(TESTS, "test_the_alarm_rings_for_what_is_new_and_not_for_what_is_known"),
    ),
    Mutant(
        name="compare-tells-again",
        guard=Guard.BOOKS,
        breaks="A difference that stands from an earlier run is told of as a new one.",
        file=PUTTING_RIGHT,
        old='        if standing.snapshot["run"] != run.id:\n',
        new='        if standing.snapshot["run"] == "":\n',
        tests=named(TESTS, "test_two_rows_of_one_card_are_left_to_a_person_once"),
    ),
    Mutant(
        name="compare-enters-two-as-one",
        guard=Guard.BOOKS,
        breaks="Two differences about one thing in one run ask for one key, and the run gives up.",
        file=PUTTING_RIGHT,
        old='        for key in _numbered(f"{_key(difference)}#{run.id}"):\n            try:\n',
        new='        for key in [f"{_key(difference)}#{run.id}"]:\n            try:\n',
        tests=named(
            BOOKS_OF_ROWS,
            "TestAWholeRun::test_two_differences_of_one_kind_about_one_thing_leave_a_receipt_each",
        ),
    ),
    Mutant(
        name="compare-believes-a-copy",
        guard=Guard.BOOKS,
        breaks="A copy of a card's row says for the row that it is behind, which it is not.",
        file=ROWS_OF_CARDS,
        old="        kept = [some.kept for some in named.values() if some.kept is not None]\n",
        new=(
            "        kept = [\n"
            "            row\n"
            "            for some in named.values()\n"
            "            for row in (some.kept, *some.copies)\n"
            "            if row is not None\n"
            "        ]\n"
        ),
        tests=named(
            TESTS,
            "test_a_row_that_is_written_before_the_second_look_is_in_step_whatever_its_copy_reads",
        ),
    ),
    Mutant(
        name="compare-takes-any-row",
        guard=Guard.BOOKS,
        breaks="Of several rows of a name one counts that nobody writes to.",
        file=NAMED_ROWS,
        old="    kept = next((row for row in rows if row.id == known), rows[0])\n",
        new="    kept = next((row for row in rows if row.id != known), rows[0])\n",
        tests=named(TESTS, "test_a_copy_that_is_behind_is_told_as_a_copy_alone"),
    ),
    Mutant(
        name="compare-puts-all-right-at-once",
        guard=Guard.BOOKS,
        breaks="A step goes on beyond its time, and Lambda cuts its turn off.",
        file=PUTTING_RIGHT,
        old="            if done and self.clock() > ends_at:\n",
        new="            if done and self.clock() < self.clock():\n",
        tests=named(
            RUNS,
            "test_no_step_takes_longer_than_a_step_is_given",
            "test_nor_does_one_in_which_airtable_refuses_each_choice",
            "test_a_turn_with_many_differences_ends_before_its_function_does",
        ),
    ),
    Mutant(
        name="compare-forgets-part-of-a-piece",
        guard=Guard.BOOKS,
        breaks="What was put right of a piece is told of no more once its rest was.",
        file=PUTTING_RIGHT,
        old="    return place if first == 0 else ",
        new="    return place if first >= 0 else ",
        tests=named(RUNS, "test_no_step_takes_longer_than_a_step_is_given"),
    ),
    Mutant(
        name="compare-enters-what-is-known",
        guard=Guard.BOOKS,
        breaks="A difference that a person has decided about is parked once more each night.",
        file=PUTTING_RIGHT,
        old="            if standing is None or _is_about(standing, run, difference):\n",
        new="            if standing is None:\n",
        tests=named(TESTS, "test_two_rows_of_one_card_are_left_to_a_person_once"),
    ),
    Mutant(
        name="compare-knows-what-was-over",
        guard=Guard.BOOKS,
        breaks="What a person settled long ago hides that it is there anew.",
        file=PUTTING_RIGHT,
        old="    return not is_gone and told[",
        new="    return told[",
        tests=named(TESTS, "test_a_card_that_is_gone_again_rings_again"),
    ),
    Mutant(
        name="compare-knows-other-rows",
        guard=Guard.BOOKS,
        breaks="A second row is taken for one that was there before and was decided about.",
        file=PUTTING_RIGHT,
        old='    return not is_gone and told["because"] == describe(difference)\n',
        new="    return not is_gone\n",
        tests=named(TESTS, "test_another_row_on_the_day_after_is_told_of_too"),
    ),
    Mutant(
        name="compare-what-is-under-way",
        guard=Guard.BOOKS,
        breaks="A debit that nobody knows of yet is told of as one without an operation.",
        file=JUDGE_CARD,
        old="            is_open=is_under_way(operation, ledger)\n            or ",
        new="            is_open=",
        tests=named(TESTS, "test_an_operation_that_is_under_way_is_no_difference"),
    ),
    Mutant(
        name="compare-knows-no-borrowed-reference",
        guard=Guard.BOOKS,
        breaks="A movement by hand that names another card's payment is like any other.",
        file=COMPARING,
        old="        return note in self._books.foreign or (\n",
        new="        return (\n",
        tests=(
            *named(TESTS, "test_the_reference_of_another_cards_operation_explains_no_movement"),
            *named("domain/test_comparing.py", "test_what_is_wrong_is_called_by_its_name"),
        ),
    ),
    Mutant(
        name="compare-reads-no-movements",
        guard=Guard.BOOKS,
        breaks="Where the balance agrees nobody looks at what moved: there and back is not seen.",
        file=CARDS,
        old="return sight.updated_at >= run.since - CLOCK_MARGIN",
        new="return sight.updated_at is None",
        tests=named(TESTS, "test_there_and_back_since_the_last_run_is_found_by_the_next"),
    ),
    Mutant(
        name="compare-by-two-at-once",
        guard=Guard.BOOKS,
        breaks="A second worker goes on with a run that another one is at.",
        file=RECONCILE,
        old="        if lease is None:\n            return RunEnd.HELD\n",
        new=(
            "        if lease is None:\n"
            "            lease = Lease(self.runs.key, 'nobody', 0, deadline)\n"
        ),
        tests=named(TESTS, "test_nobody_else_goes_on_with_a_run_meanwhile"),
    ),
    Mutant(
        name="compare-never-overdue",
        guard=Guard.BOOKS,
        breaks="Nobody hears that the books were not compared for days.",
        file=RECONCILE,
        old=(
            "        if self.clock() - since > OVERDUE"
            " + timedelta(seconds=self.second_look_seconds):\n"
        ),
        new="        if self.clock() < since:\n",
        tests=named(TESTS, "test_an_alarm_rings_where_no_run_was_complete_for_a_day"),
    ),
    Mutant(
        name="compare-at-another-pace",
        guard=Guard.BOOKS,
        breaks="Comparing the books takes the requests that stores' answers wait for.",
        file="layers/shared/giftcards/wiring.py",
        old="        return self._pace(RECONCILE_REQUESTS_A_SECOND)\n",
        new="        return self._pace(OUTCOME_WRITER_REQUESTS_A_SECOND)\n",
        tests=named(
            "flows/test_reconcile_in_bulk.py",
            "test_rows_are_read_at_the_share_of_requests_that_comparing_has",
        ),
    ),
    Mutant(
        name="shares-not-spaced-out",
        guard=Guard.BOOKS,
        breaks="Each part keeps its share to the millisecond, and six requests meet in a second.",
        file="layers/shared/giftcards/clients/airtable/connection.py",
        old="SPACED_OUT = 1.1",
        new="SPACED_OUT = 1.0",
        tests=named(
            "flows/test_first_come.py",
            "test_a_customer_hardly_waits_longer_while_the_books_are_compared",
        ),
    ),
)
