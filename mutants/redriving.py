"""Guards of sending dead letters again: nothing is lost, and nothing is sent or dropped unasked."""

from mutants.mutant import Guard, Mutant, named

DEAD_LETTERS = "ops/dead_letters.py"
REDRIVE = "ops/redrive.py"
COMMAND = "ops/redrive_command.py"
COMMAND_LINE = "ops/command_line.py"
DROP_MESSAGE = "layers/shared/giftcards/flows/drop_message.py"
TESTS = "ops/test_redrive.py"

SENT_AGAIN = """\
                        self._send_again(queue, letter)
                        self._delete(queue, letter)
                        found.moved.append(letter.id)
"""
NOTED = """\
                        self.drop_message.note(
                            letter.id, queue=queue.name, about=verdict.about, by=by
                        )
                        self._delete(queue, letter)
"""

MUTANTS = (
    Mutant(
        name="letter-deleted-before-it-is-sent",
        guard=Guard.DEAD_LETTERS,
        breaks="A message is deleted before it is sent again.",
        file=REDRIVE,
        old=SENT_AGAIN,
        new=(
            "                        self._delete(queue, letter)\n"
            "                        self._send_again(queue, letter)\n"
            "                        found.moved.append(letter.id)\n"
        ),
        tests=named(TESTS, "test_whoever_dies_on_the_way_loses_nothing"),
    ),
    Mutant(
        name="letter-sent-and-kept",
        guard=Guard.DEAD_LETTERS,
        breaks="What was sent again stays, and is sent by each command.",
        file=REDRIVE,
        old=SENT_AGAIN,
        new=(
            "                        self._send_again(queue, letter)\n"
            "                        found.moved.append(letter.id)\n"
        ),
        tests=named(TESTS, "test_an_answer_that_gave_up_is_sent_again_and_mailed_once"),
    ),
    Mutant(
        name="letter-dropped-before-its-receipt",
        guard=Guard.DEAD_LETTERS,
        breaks="A message is gone before anything says that somebody dropped it.",
        file=REDRIVE,
        old=NOTED,
        new=(
            "                        self._delete(queue, letter)\n"
            "                        self.drop_message.note(\n"
            "                            letter.id, queue=queue.name, about=verdict.about, by=by\n"
            "                        )\n"
        ),
        tests=named(TESTS, "test_the_receipt_stands_before_the_message_is_gone"),
    ),
    Mutant(
        name="letter-dropped-whatever-is-left",
        guard=Guard.DEAD_LETTERS,
        breaks="“done” drops what can go on as well.",
        file=REDRIVE,
        old="if letter.id in drop or (DONE in drop and verdict.prospect is Prospect.IS_DONE):",
        new="if letter.id in drop or DONE in drop:",
        tests=named(TESTS, "test_all_that_is_done_is_dropped_by_one_word_and_nothing_else"),
    ),
    Mutant(
        name="letter-sent-whatever-it-is",
        guard=Guard.DEAD_LETTERS,
        breaks="What leads to nothing is sent again, and gives up again.",
        file=REDRIVE,
        old="elif move and verdict.prospect is Prospect.GOES_ON:",
        new="elif move:",
        tests=named(TESTS, "test_what_leads_to_nothing_holds_up_nothing_behind_it_in_a_fifo_queue"),
    ),
    Mutant(
        name="letter-moved-by-a-look",
        guard=Guard.DEAD_LETTERS,
        breaks="Whoever only looks has sent it again.",
        file=REDRIVE,
        old="elif move and verdict.prospect is Prospect.GOES_ON:",
        new="elif verdict.prospect is Prospect.GOES_ON:",
        tests=named(TESTS, "test_without_a_queue_all_are_shown_and_nothing_is_moved"),
    ),
    Mutant(
        name="letter-hidden-by-a-look",
        guard=Guard.DEAD_LETTERS,
        breaks="What was looked at is hidden from whoever comes next.",
        file=REDRIVE,
        old="        finally:\n            self._let_go(queue, kept.values())\n",
        new="        finally:\n            pass\n",
        tests=named(TESTS, "test_without_a_queue_all_are_shown_and_nothing_is_moved"),
    ),
    Mutant(
        name="letter-taken-by-two",
        guard=Guard.DEAD_LETTERS,
        breaks="What somebody has is taken by somebody else at the same time.",
        file=REDRIVE,
        old="            VisibilityTimeout=HIDDEN_SECONDS,\n",
        new="            VisibilityTimeout=0,\n",
        tests=named(TESTS, "test_two_people_at_once_do_not_send_the_same_twice"),
    ),
    Mutant(
        name="letter-out-of-its-group",
        guard=Guard.DEAD_LETTERS,
        breaks="A message of a FIFO queue is sent again in a group of its own.",
        file=REDRIVE,
        old="            MessageGroupId=letter.group,\n",
        new="            MessageGroupId=letter.id,\n",
        tests=named(TESTS, "test_a_fifo_queue_keeps_group_and_order_however_many"),
    ),
    Mutant(
        name="letter-taken-for-the-same",
        guard=Guard.DEAD_LETTERS,
        breaks="SQS takes what is sent again for what was sent shortly before, and drops it.",
        file=REDRIVE,
        old="            MessageDeduplicationId=uuid4().hex,\n",
        new="            MessageDeduplicationId=letter.group,\n",
        tests=named(TESTS, "test_a_fifo_queue_keeps_group_and_order_however_many"),
    ),
    Mutant(
        name="letter-behind-what-leads-to-nothing",
        guard=Guard.DEAD_LETTERS,
        breaks="What stays in front of a FIFO group closes it for what stands behind.",
        file=REDRIVE,
        old="            if queue.is_fifo:\n",
        new="            if not queue.is_fifo:\n",
        tests=named(TESTS, "test_what_leads_to_nothing_holds_up_nothing_behind_it_in_a_fifo_queue"),
    ),
    Mutant(
        name="letter-not-reached-in-silence",
        guard=Guard.DEAD_LETTERS,
        breaks="Nobody hears that ten in front kept others from being reached.",
        file=REDRIVE,
        old="found.is_all = len(letters) < MESSAGES_A_TIME",
        new="found.is_all = len(letters) <= MESSAGES_A_TIME",
        tests=named(TESTS, "test_ten_in_front_that_lead_to_nothing_have_to_be_dropped_first"),
    ),
    Mutant(
        name="letter-beyond-the-bound-in-silence",
        guard=Guard.DEAD_LETTERS,
        breaks="Nobody hears that there were more than one command moves.",
        file=REDRIVE,
        old="            yield letters\n        found.is_all = False\n",
        new="            yield letters\n",
        tests=named(TESTS, "test_more_than_a_run_takes_says_so"),
    ),
    Mutant(
        name="letter-gone-meanwhile-stops-all",
        guard=Guard.DEAD_LETTERS,
        breaks="One that took longer than it was hidden stops all others.",
        file=REDRIVE,
        old=(
            "        except ClientError as error:\n"
            '            if error.response["Error"]["Code"] not in MESSAGE_IS_GONE:\n'
            "                raise\n"
            "\n"
        ),
        new="        except ClientError:\n            raise\n\n",
        tests=named(TESTS, "test_what_took_longer_than_it_was_hidden_stops_no_other"),
    ),
    Mutant(
        name="letter-let-go-too-late-stops-all",
        guard=Guard.DEAD_LETTERS,
        breaks="One that others have by now, since a look took so long, stops all others.",
        file=REDRIVE,
        old=(
            "            except ClientError as error:\n"
            '                if error.response["Error"]["Code"] not in MESSAGE_IS_GONE:\n'
            "                    raise\n"
        ),
        new="            except ClientError:\n                raise\n",
        tests=named(TESTS, "test_what_others_may_have_by_now_is_left_to_them"),
    ),
    Mutant(
        name="letter-sent-unasked",
        guard=Guard.DEAD_LETTERS,
        breaks="Whoever says nothing to the question has said yes.",
        file=COMMAND,
        old='if options.yes or input(question).strip().lower() == "yes":',
        new='if options.yes or input(question).strip().lower() != "no":',
        tests=named(TESTS, "test_it_asks_first"),
    ),
    Mutant(
        name="letter-about-what-is-lost",
        guard=Guard.DEAD_LETTERS,
        breaks="A message about an operation that the journal does not know goes on.",
        file=DEAD_LETTERS,
        old='        return Judged(Prospect.IS_STUCK, f"{_name(lost[0])}, which',
        new='        return Judged(Prospect.GOES_ON, f"{_name(lost[0])}, which',
        tests=named(TESTS, "test_what_leads_to_nothing_holds_up_nothing_behind_it_in_a_fifo_queue"),
    ),
    Mutant(
        name="letter-about-what-is-parked",
        guard=Guard.DEAD_LETTERS,
        breaks="A message about what waits for a person's word goes on without it.",
        file=DEAD_LETTERS,
        old="    if operation.state is State.PARKED:\n",
        new="    if operation.state is State.PARKED and operation.kind in DELIVERED:\n",
        tests=named(TESTS, "test_a_message_about_something_parked_waits_for_the_persons_word"),
    ),
    Mutant(
        name="letter-of-a-delivery-waits",
        guard=Guard.DEAD_LETTERS,
        breaks="A delivery that gave up cannot be sent again, since it is parked.",
        file=DEAD_LETTERS,
        old='if operation.kind in DELIVERED and message.get("again"):',
        new='if operation.kind not in DELIVERED and message.get("again"):',
        tests=named(
            TESTS, "test_a_delivery_that_was_given_up_is_taken_out_of_the_park_by_its_own_message"
        ),
    ),
    Mutant(
        name="letter-about-what-is-over",
        guard=Guard.DEAD_LETTERS,
        breaks="A message about what the sweep has finished is sent again.",
        file=DEAD_LETTERS,
        old="is_done = operation.state is State.SETTLED",
        new="is_done = operation.state is State.PARKED",
        tests=named(TESTS, "test_a_message_about_what_the_sweep_has_finished_is_done"),
    ),
    Mutant(
        name="letter-of-a-mail-that-was-sent",
        guard=Guard.DEAD_LETTERS,
        breaks="An answer that was mailed is sent again.",
        file=DEAD_LETTERS,
        old="    if operation.answered_at is not None:\n",
        new="    if operation.answered_at is not None and operation.result is None:\n",
        tests=named(TESTS, "test_what_is_done_or_stuck_stays"),
    ),
    Mutant(
        name="letter-shown-with-a-code",
        guard=Guard.DEAD_LETTERS,
        breaks="A code in a message stands on the screen.",
        file=DEAD_LETTERS,
        old="    return hide_codes(key[:LONGEST_NAME])\n",
        new="    return key[:LONGEST_NAME]\n",
        tests=named(TESTS, "test_no_code_and_no_text_of_anybodys_is_shown"),
    ),
    Mutant(
        name="letter-dropped-without-a-receipt",
        guard=Guard.DEAD_LETTERS,
        breaks="The receipt of a message that was dropped is never written.",
        file=DROP_MESSAGE,
        old="receipts=(receipt,)",
        new="receipts=(receipt,)[:0]",
        tests=named(TESTS, "test_a_message_is_dropped_by_its_id_with_a_receipt"),
    ),
    Mutant(
        name="parked-tried-again-unasked",
        guard=Guard.DEAD_LETTERS,
        breaks="Whoever says nothing to the question has it tried again.",
        file=COMMAND_LINE,
        old='again? Type yes: ").strip().lower() != "yes":\n',
        new='again? Type yes: ").strip().lower() == "no":\n',
        tests=named(TESTS, "test_also_a_single_one_is_asked_back_for"),
    ),
    Mutant(
        name="parked-tried-again-instead-of-decided",
        guard=Guard.DEAD_LETTERS,
        breaks="What waits for a person's decision is tried again, and waits no more.",
        file=COMMAND_LINE,
        old="    if operation.kind in NEVER_RETRIED:\n",
        new="    if operation.kind in NEVER_RETRIED and not operation.kind:\n",
        tests=named(TESTS, "test_what_waits_for_a_decision_is_not_tried_again"),
    ),
)
