"""Guards of a sale: a code for each card, caps, and mails that go out once and only when due."""

from mutants.mutant import Guard, Mutant, named

CODE_MAKER = "layers/shared/giftcards/clients/code_maker.py"
CREATING = "layers/shared/giftcards/clients/shopify/creating.py"
DELIVER = "layers/shared/giftcards/flows/deliver.py"
DELIVERIES = "layers/shared/giftcards/domain/deliveries.py"
ISSUE = "layers/shared/giftcards/flows/issue.py"
ISSUED = "layers/shared/giftcards/store/issued.py"
JOURNAL = "layers/shared/giftcards/store/journal.py"
RESEND = "layers/shared/giftcards/flows/resend.py"
SELL = "layers/shared/giftcards/flows/sell.py"

# What these need and the file does not import.
REPLACE = '__import__("dataclasses").replace'
AT_RANDOM = '__import__("secrets").token_hex(8)'

MUTANTS = (
    Mutant(
        name="code-random-on-each-try",
        guard=Guard.CODES,
        breaks="A card's code is another one on each try.",
        file=CODE_MAKER,
        old="shop=self._shop, operation=operation, counter=counter",
        new=f"shop=self._shop, operation=operation + {AT_RANDOM}, counter=counter",
        tests=(
            *named(
                "clients/code_maker/test_code_maker.py",
                "test_the_same_question_has_the_same_code_and_no_other_one_has",
            ),
            *named("flows/test_sell.py", "test_a_card_is_made_and_mailed_to_its_owner"),
        ),
    ),
    Mutant(
        name="code-shared-by-two-shops",
        guard=Guard.CODES,
        breaks="Two shops on one key make the same codes.",
        file=CODE_MAKER,
        old="stage=self._stage, shop=self._shop,",
        new="stage=self._stage, shop=self._stage,",
        tests=named(
            "clients/code_maker/test_code_maker.py",
            "test_the_same_question_has_the_same_code_and_no_other_one_has",
        ),
    ),
    Mutant(
        name="code-taken-and-not-found-is-foreign",
        guard=Guard.CODES,
        breaks="A code that is taken, and whose card the search does not show yet, is foreign.",
        file=ISSUE,
        old=(
            "                    if noted is None or _was_renamed(noted, operation):\n"
            "                        return self._make_none_yet(operation, noted)\n"
            "                    card = _if_ours(noted, operation, sale)\n"
        ),
        new="                    card = noted and _if_ours(noted, operation, sale)\n",
        tests=named("flows/test_sell.py", "test_a_taken_code_is_ours_until_another_note_is_found"),
    ),
    Mutant(
        name="code-of-a-renamed-card-is-foreign",
        guard=Guard.CODES,
        breaks="A card of ours whose note somebody changed is taken for a foreign one.",
        file=ISSUE,
        old="if noted is None or _was_renamed(noted, operation):",
        new="if noted is None:",
        tests=named(
            "flows/test_sale_troubles.py",
            "test_a_card_that_was_made_and_renamed_is_not_made_again",
            "test_a_card_whose_note_shopify_keeps_otherwise_is_made_once",
        ),
    ),
    Mutant(
        name="code-of-a-foreign-card-is-ours",
        guard=Guard.CODES,
        breaks="The card that has a code already is taken for ours, whatever its note says.",
        file=ISSUE,
        old="    if noted.note != operation.key:\n        return None\n",
        new="",
        tests=named(
            "flows/test_sale_troubles.py",
            "test_two_workers_who_find_the_same_foreign_card_take_the_same_next_code",
        ),
    ),
    Mutant(
        name="code-counter-not-noted",
        guard=Guard.CODES,
        breaks="The next code is tried before the journal knows of it.",
        file=ISSUE,
        old="operation = self.journal.next_counter(operation)",
        new=f"operation = {REPLACE}(operation, counter=operation.counter + 1)",
        tests=named(
            "flows/test_sale_troubles.py",
            "test_two_workers_who_find_the_same_foreign_card_take_the_same_next_code",
        ),
    ),
    Mutant(
        name="code-key-not-noted",
        guard=Guard.CODES,
        breaks="Nobody notes by which key a card's code was made.",
        file=ISSUE,
        old="return self.journal.note_key_version(operation, self.codes.newest_key_version)",
        new=f"return {REPLACE}(operation, key_version=self.codes.newest_key_version)",
        tests=named(
            "flows/test_rotation.py", "test_a_card_of_an_older_key_is_sent_again_with_its_own_code"
        ),
    ),
    Mutant(
        name="code-mailed-by-the-newest-key",
        guard=Guard.CODES,
        breaks="The code in a mail is made by the newest key, whichever made the card.",
        file=DELIVER,
        old='operation.key_version or "")\n        return DeliveredCard(',
        new="self.codes.newest_key_version)\n        return DeliveredCard(",
        tests=named(
            "flows/test_rotation.py", "test_a_card_of_an_older_key_is_sent_again_with_its_own_code"
        ),
    ),
    Mutant(
        name="code-taken-means-refused",
        guard=Guard.CODES,
        breaks='What live shops answer for "taken" is read as a refusal.',
        file=CREATING,
        old="if kind is None and is_about_the_code and TAKEN_MESSAGE in message.casefold():",
        new="if kind == TAKEN and TAKEN_MESSAGE in message.casefold():",
        tests=named(
            "clients/shopify/test_creating.py", "test_a_taken_code_is_a_value_in_both_forms"
        ),
    ),
    Mutant(
        name="code-of-a-card-made-otherwise",
        guard=Guard.CODES,
        breaks="A card with another value than we asked for is handed out.",
        file=CREATING,
        old='"value": card.initial_value != amount,',
        new='"value": card.initial_value.currency != amount.currency,',
        tests=named(
            "clients/shopify/test_creating.py",
            "test_a_card_other_than_we_asked_for_is_for_a_person",
        ),
    ),
    Mutant(
        name="cap-counted-after-the-claim",
        guard=Guard.CAPS,
        breaks="What is sold is not counted in the write that claims the sale.",
        file=SELL,
        old="                also=counts,\n",
        new="                also=[],\n",
        tests=named("flows/test_sell.py", "test_a_stores_day_has_a_cap"),
    ),
    Mutant(
        name="cap-without-condition",
        guard=Guard.CAPS,
        breaks="Two sales taken at once both get what is left of a day.",
        file=ISSUED,
        old='condition = "attribute_not_exists(#total) OR #total <= :left"',
        new=(
            'condition = "attribute_not_exists(#total) OR attribute_exists(#total)'
            ' OR #total <= :left"'
        ),
        tests=named("flows/test_sell.py", "test_two_sales_at_once_do_not_both_get_what_is_left"),
    ),
    Mutant(
        name="cap-without-the-office",
        guard=Guard.CAPS,
        breaks="A sale above a cap is made without the office's word.",
        file=SELL,
        old="if not row.is_approved and (reasons := self._above_caps(request, today)):",
        new="if row.is_approved and (reasons := self._above_caps(request, today)):",
        tests=named("flows/test_sell.py", "test_above_a_cap_the_office_has_to_approve"),
    ),
    Mutant(
        name="cap-of-another-spelling",
        guard=Guard.CAPS,
        breaks="A recipient's cap starts anew with every spelling of the address.",
        file=SELL,
        old="            recipient=mailbox_key(sale.recipient_email),",
        new="            recipient=sale.recipient_email,",
        tests=named("flows/test_sell.py", "test_a_recipients_day_has_a_cap_whatever_the_spelling"),
    ),
    Mutant(
        name="sale-closed-early",
        guard=Guard.DELIVERY,
        breaks="A sale is closed when all of its cards are begun, made or not.",
        file=ISSUE,
        old="if count == sale.quantity:",
        new="if count == sale.quantity or len(known) == sale.quantity:",
        tests=named("flows/test_sell.py", "test_a_taken_code_is_ours_until_another_note_is_found"),
    ),
    Mutant(
        name="sale-closed-without-its-mails",
        guard=Guard.DELIVERY,
        breaks="The write that closes a sale leaves out its mails.",
        file=ISSUE,
        old="follows=_what_follows(sale, now) if cards else (),",
        new="follows=() if cards else _what_follows(sale, now),",
        tests=named("flows/test_sell.py", "test_a_card_is_made_and_mailed_to_its_owner"),
    ),
    Mutant(
        name="mail-before-its-day",
        guard=Guard.DELIVERY,
        breaks="A card for a later day is mailed at once.",
        file=DELIVER,
        old="return later is None or later <= now",
        new="return later is None or later >= now",
        tests=named("flows/test_sell.py", "test_a_card_for_later_is_made_now_and_sent_on_its_day"),
    ),
    Mutant(
        name="mail-of-a-dead-card",
        guard=Guard.DELIVERY,
        breaks="A card that was deactivated is mailed.",
        file=DELIVER,
        old="if card is None or card.deactivated_at is not None or not card.enabled:",
        new="if card is None:",
        tests=named("flows/test_sell.py", "test_a_card_that_died_before_its_day_is_not_sent"),
    ),
    Mutant(
        name="mail-of-a-frozen-card",
        guard=Guard.DELIVERY,
        breaks="A card of a disputed order is mailed.",
        file=DELIVER,
        old="if operation.kind == DELIVERY and self.cards.frozen(map(_card_id, living)):",
        new="if operation.kind == CONFIRMATION and self.cards.frozen(map(_card_id, living)):",
        tests=named(
            "flows/test_purchase_changes.py",
            "test_a_card_of_a_disputed_order_is_not_mailed_until_it_is_released",
        ),
    ),
    Mutant(
        name="mail-of-a-card-given-back",
        guard=Guard.DELIVERY,
        breaks="A card whose unit was given back is mailed.",
        file=DELIVER,
        old="return [one for one in self.cards if one.key not in self.given_back]",
        new="return list(self.cards)",
        tests=named(
            "flows/test_purchase_changes.py", "test_a_card_given_back_before_its_day_is_not_sent"
        ),
    ),
    Mutant(
        name="mail-by-the-place-among-the-living",
        guard=Guard.DELIVERY,
        breaks="A card that dies between two tries moves the others into mails that were sent.",
        file=DELIVER,
        old="batched(parcel.cards, CARDS_A_MAIL, strict=False)",
        new="batched(living, CARDS_A_MAIL, strict=False)",
        tests=named(
            "flows/test_sale_troubles.py",
            "test_a_card_that_dies_between_two_tries_leaves_no_other_unsent",
        ),
    ),
    Mutant(
        name="mail-tried-before-its-turn",
        guard=Guard.DELIVERY,
        breaks="A message that comes twice shortens the wait after a failure.",
        file=DELIVER,
        old="if operation.next_try_at is not None and operation.next_try_at > now:",
        new="if operation.next_try_at is not None and operation.next_try_at < now:",
        tests=named("flows/test_sale_troubles.py", "test_messages_that_come_twice_shorten_no_wait"),
    ),
    Mutant(
        name="mail-of-another-id-each-time",
        guard=Guard.DELIVERY,
        breaks="Klaviyo gets an event under another id on each try, and mails each.",
        file=DELIVERIES,
        old='return f"{operation}/{resend}"',
        new='return f"{operation}/{resend}/" + ' + AT_RANDOM,
        tests=named(
            "domain/test_deliveries.py",
            "test_each_resend_has_an_id_of_its_own_and_each_retry_the_same",
        ),
    ),
    Mutant(
        name="mail-again-for-a-tick-that-was-served",
        guard=Guard.DELIVERY,
        breaks="A list of ticks read before they were taken away sends cards once more.",
        file=RESEND,
        old=(
            "        ticks = {tick.card_id: tick for tick in self.airtable.cards_to_resend()}\n"
            "        for card_id"
        ),
        new="        for card_id",
        tests=named(
            "flows/test_sell.py", "test_a_tick_that_is_taken_away_at_that_moment_sends_nothing"
        ),
    ),
)
