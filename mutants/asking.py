"""Guards of balance checks: what a stranger may learn of a card, and how often."""

from mutants.mutant import Guard, Mutant, named

ANSWER_CHECK = "layers/shared/giftcards/flows/answer_check.py"
CHECK_BALANCE = "layers/shared/giftcards/flows/check_balance.py"
CHECKS = "layers/shared/giftcards/store/checks.py"
TESTS = "flows/test_balance.py"

MUTANTS = (
    Mutant(
        name="stranger-reads-of-a-dead-card",
        guard=Guard.STRANGERS,
        breaks="A deactivated card is answered with its balance, so it is known to exist.",
        file=CHECK_BALANCE,
        old="if card is None or card.deactivated_at is not None or not card.enabled:",
        new="if card is None:",
        tests=named(TESTS, "test_every_miss_reads_the_same"),
    ),
    Mutant(
        name="stranger-asks-without-end",
        guard=Guard.STRANGERS,
        breaks="An address gets as many answers as it asks for.",
        file=CHECK_BALANCE,
        old="if counted.checks >= self.rules.most_answers:",
        new="if counted.checks < 0:",
        tests=named(TESTS, "test_one_address_is_answered_so_often_a_day_and_no_more"),
    ),
    Mutant(
        name="stranger-with-many-spellings",
        guard=Guard.STRANGERS,
        breaks="Each spelling of an address has answers of its own.",
        file=CHECK_BALANCE,
        old="who = mailbox_key(row.email)",
        new="who = row.email",
        tests=named(TESTS, "test_a_plus_in_an_address_gets_nobody_more_mail"),
    ),
    Mutant(
        name="stranger-guesses-without-end",
        guard=Guard.STRANGERS,
        breaks="Codes are looked for, however many of an address were unknown.",
        file=CHECK_BALANCE,
        old="            counted.misses >= self.rules.most_misses\n            or ",
        new="            ",
        tests=named(TESTS, "test_who_misses_again_and_again_is_not_looked_for_any_more"),
    ),
    Mutant(
        name="strangers-guess-together",
        guard=Guard.STRANGERS,
        breaks="Many addresses together may guess as often as they like.",
        file=CHECK_BALANCE,
        old="            or counted.misses_of_all >= self.rules.most_misses_of_all\n",
        new="",
        tests=named(TESTS, "test_who_misses_again_and_again_is_not_looked_for_any_more"),
    ),
    Mutant(
        name="stranger-misses-for-nothing",
        guard=Guard.STRANGERS,
        breaks="Misses are not counted.",
        file=CHECKS,
        old='            self._add(key, "misses", count, now)\n',
        new='            self._add(key, "misses", 0, now)\n',
        tests=named(TESTS, "test_who_misses_again_and_again_is_not_looked_for_any_more"),
    ),
    Mutant(
        name="stranger-pays-for-an-outage",
        guard=Guard.STRANGERS,
        breaks="A question that waits for Shopify is counted at each try.",
        file=CHECK_BALANCE,
        old=(
            "        card = self._find(code) if isinstance(code, Code) else None\n"
            "        # Counted behind the search: a question that waits while Shopify is away"
            " is still one.\n"
            "        self.counts.note_check(who, now=now)\n"
        ),
        new=(
            "        self.counts.note_check(who, now=now)\n"
            "        card = self._find(code) if isinstance(code, Code) else None\n"
        ),
        tests=named(TESTS, "test_a_question_that_waits_for_shopify_is_one_question"),
    ),
    Mutant(
        name="stranger-shown-to-a-store",
        guard=Guard.STRANGERS,
        breaks="Whoever has a card that stores do not take is sent to a store.",
        file=CHECK_BALANCE,
        old="return not self.rules.accept_historical and card.created_at < self.rules.live_from",
        new="return not self.rules.accept_historical and card.created_at is None",
        tests=named(TESTS, "test_nobody_is_sent_to_a_store_with_a_card_that_stores_do_not_take"),
    ),
    Mutant(
        name="stranger-mailed-twice",
        guard=Guard.STRANGERS,
        breaks="A message that comes twice is answered twice.",
        file=ANSWER_CHECK,
        old="if result.mail_to is None or operation.answered_at is not None:",
        new="if result.mail_to is None:",
        tests=named(TESTS, "test_a_message_that_comes_twice_is_answered_once"),
    ),
)
