"""Guards of the web shop: a card for what is paid, none for what is refunded.

And of what its checkout, its tills and its staff move on cards without asking us.
"""

from mutants.mutant import Guard, Mutant, named

EXPLAINING = "layers/shared/giftcards/domain/explaining.py"
LEDGER = "layers/shared/giftcards/store/ledger.py"
LOOKS = "layers/shared/giftcards/flows/look_at_cards.py"
NOTE_PAYMENTS = "layers/shared/giftcards/flows/note_payments.py"
ORDERS_SEEN = "layers/shared/giftcards/store/orders.py"
OWE = "layers/shared/giftcards/flows/owe.py"
PROGRESS = "layers/shared/giftcards/store/progress.py"
PURCHASE = "layers/shared/giftcards/flows/purchase.py"
PURCHASES = "layers/shared/giftcards/domain/purchases.py"
READ_ORDERS = "layers/shared/giftcards/clients/shopify/orders.py"
REPAY = "layers/shared/giftcards/flows/repay.py"
SERVE_PURCHASES = "layers/shared/giftcards/flows/serve_purchases.py"
SERVE_SPENDS = "layers/shared/giftcards/flows/serve_spends.py"
TAG = "layers/shared/giftcards/flows/tag.py"
THROUGH_ORDERS = "layers/shared/giftcards/flows/order_pass.py"
WHOSE = "layers/shared/giftcards/flows/whose.py"

ORDERS = (
    Mutant(
        name="order-known-by-its-tag",
        guard=Guard.ORDERS,
        breaks="What was done with an order is told by its tag, which anybody can take away.",
        file=PURCHASE,
        old="            history = self.log.read(look.number)\n",
        new=(
            "            is_tagged = self.rules.tag in order.tags\n"
            "            history = self.log.read(look.number if is_tagged else 'none')\n"
        ),
        tests=named("flows/test_purchases.py", "test_a_tag_taken_away_makes_no_second_card"),
    ),
    Mutant(
        name="order-tagged-is-never-looked-at-again",
        guard=Guard.ORDERS,
        breaks="An order that has the tag is left out of both searches.",
        file=SERVE_PURCHASES,
        old="search = changed_sales(self.skus, since=since)",
        new="search = unprocessed_orders(self.skus, tag=self.tag, since=since)",
        tests=named(
            "flows/test_purchase_changes.py",
            "test_a_refunded_unit_is_returned_and_never_its_neighbour",
        ),
    ),
    Mutant(
        name="order-of-before-the-go-live",
        guard=Guard.ORDERS,
        breaks="What was paid before the go-live gets cards once more.",
        file=PURCHASES,
        old="if (order.last_paid_at or order.processed_at) < rules.live_from:",
        new="if order.processed_at > rules.live_from > order.processed_at:",
        tests=named(
            "domain/test_purchases.py",
            "test_what_was_paid_before_the_go_live_is_untouched_whatever_else_it_is",
        ),
    ),
    Mutant(
        name="order-never-paid",
        guard=Guard.ORDERS,
        breaks="An order that was never paid counts as one that we have to deal with.",
        file=PURCHASES,
        old="was_paid = order.status in PAID_STATUSES or order.last_paid_at is not None",
        new="was_paid = True",
        tests=named(
            "flows/test_purchases.py",
            "test_an_order_never_paid_and_cancelled_is_no_matter_of_ours",
        ),
    ),
    Mutant(
        name="order-added-unit-not-paid",
        guard=Guard.ORDERS,
        breaks="A unit added to a partly refunded order gets a card before it is paid.",
        file=PURCHASES,
        old="order.status in PAID_STATUSES and order.is_fully_paid",
        new="order.status in PAID_STATUSES",
        tests=named(
            "flows/test_purchase_changes.py",
            "test_a_unit_added_to_a_partly_refunded_order_waits_for_its_money",
        ),
    ),
    Mutant(
        name="order-not-assessed",
        guard=Guard.ORDERS,
        breaks="Nobody waits for Shopify's view of an order's risk.",
        file=PURCHASES,
        old="if not _is_assessed(order) and now < _paid_at(order) + rules.risk_patience:",
        new="if not _is_assessed(order) and now < _paid_at(order):",
        tests=named("flows/test_purchases.py", "test_an_order_waits_for_its_assessment"),
    ),
    Mutant(
        name="order-risky-and-not-held",
        guard=Guard.ORDERS,
        breaks="An order that Shopify advises to investigate gets its cards.",
        file=PURCHASES,
        old="order.advice in {Advice.CANCEL, Advice.INVESTIGATE}",
        new="order.advice in {Advice.CANCEL}",
        tests=named(
            "domain/test_purchases.py", "test_it_is_held_until_the_office_lifts_the_reason"
        ),
    ),
    Mutant(
        name="order-discounted-and-not-held",
        guard=Guard.ORDERS,
        breaks="A card of 50 that a discount sold for 45 is made and mailed.",
        file=PURCHASES,
        old="any(line.paid.minor < line.price.minor for line in wanted)",
        new="False",
        tests=named(
            "flows/test_purchases.py",
            "test_a_card_that_costs_less_than_it_is_worth_waits_for_the_office",
        ),
    ),
    Mutant(
        name="order-assessed-by-anybody",
        guard=Guard.ORDERS,
        breaks="What a fraud app says of an order counts as Shopify's own view.",
        file=READ_ORDERS,
        old='        if replies.part_or_none(one, "provider") is None\n',
        new="",
        tests=named(
            "clients/shopify/test_orders.py",
            "test_what_a_fraud_app_says_is_no_assessment_of_shopify_s",
        ),
    ),
    Mutant(
        name="order-released-for-what-nobody-read",
        guard=Guard.ORDERS,
        breaks="The office's tick lifts reasons, too, that it was not told of.",
        file=PURCHASE,
        old=(
            "return history.open_notice is not None and history.told.issuperset(decision.reasons)"
        ),
        new="return history.open_notice is not None",
        tests=named(
            "flows/test_purchases.py",
            "test_a_reason_of_which_the_office_was_not_told_is_not_released_by_an_old_tick",
        ),
    ),
    Mutant(
        name="order-native-line",
        guard=Guard.ORDERS,
        breaks="A card that Shopify has made is made once more by us.",
        file=PURCHASES,
        old="            and not line.is_native\n",
        new="",
        tests=named("domain/test_purchases.py", "test_lines_that_are_not_ours_are_no_matter"),
    ),
    Mutant(
        name="order-unit-number-used-twice",
        guard=Guard.ORDERS,
        breaks="A unit that was given back leaves its number to the next one.",
        file=PURCHASES,
        old="return 1 + sum(batch.quantity for batch in self.batches if batch.line == line)",
        new="return 1 + len(self.live_units(line))",
        tests=named(
            "domain/test_purchases.py",
            "test_whatever_happens_to_an_order_its_live_units_follow_and_no_number_is_used_twice",
        ),
    ),
    Mutant(
        name="order-shown-late",
        guard=Guard.ORDERS,
        breaks="A search goes on exactly where the last one ended; what shows up late is lost.",
        file=SERVE_PURCHASES,
        old="max(newest - self.overlap, self.live_from)",
        new="max(newest, self.live_from)",
        tests=named(
            "flows/test_purchases.py",
            "test_a_change_that_shows_up_behind_a_newer_one_is_found_within_the_overlap",
        ),
    ),
    Mutant(
        name="order-pass-counts-beyond-its-beginning",
        guard=Guard.ORDERS,
        breaks="A pass counts as having read what changed, hidden by the search, while it went on.",
        file=THROUGH_ORDERS,
        old="return min(seen, began_at)",
        new="return seen",
        tests=(
            *named(
                "flows/test_purchases.py",
                "test_what_changes_during_a_pass_and_shows_up_after_it_is_found_by_the_next",
            ),
            *named(
                "flows/test_spends.py",
                "test_what_changes_during_a_pass_and_shows_up_after_it_is_found_by_the_next",
            ),
        ),
    ),
    Mutant(
        name="order-pass-begins-with-each-run",
        guard=Guard.ORDERS,
        breaks="A pass that goes over several runs counts as begun with the last of them.",
        file=SERVE_PURCHASES,
        old="began_at = mark.began_at or self.clock()",
        new="began_at = self.clock()",
        tests=named(
            "flows/test_purchases.py",
            "test_what_changes_during_a_pass_and_shows_up_after_it_is_found_by_the_next",
        ),
    ),
    Mutant(
        name="order-pass-of-an-earlier-version",
        guard=Guard.ORDERS,
        breaks="A pass of which an earlier version kept no beginning counts as begun just now.",
        file=ORDERS_SEEN,
        old='began_at=_moment(item, "began_at") or _moment(item, "since"),',
        new='began_at=_moment(item, "began_at"),',
        tests=(
            *named(
                "flows/test_purchases.py",
                "test_what_changes_during_a_pass_and_shows_up_after_it_is_found_by_the_next",
            ),
            *named("store/test_progress.py", "test_a_watermark_of_an_earlier_version_is_read"),
        ),
    ),
    Mutant(
        name="order-changed-within-its-second",
        guard=Guard.ORDERS,
        breaks="A change within the second in which an order was read is never seen.",
        file=PURCHASE,
        old="            after = YOUNG_SECONDS\n",
        new="            after = None\n",
        tests=named(
            "flows/test_purchase_changes.py",
            "test_a_refund_within_the_second_in_which_the_order_was_read_is_seen",
        ),
    ),
    Mutant(
        name="order-that-failed-is-forgotten",
        guard=Guard.ORDERS,
        breaks="An order that could not be read is not looked at again by itself.",
        file=SERVE_PURCHASES,
        old="                self.park.park_row(_row(number))\n        self.orders.note(noted)\n",
        new="                self.park.park_row(_row(number))\n",
        tests=named(
            "flows/test_purchases.py",
            "test_an_order_that_could_not_be_read_is_looked_at_again_whatever_a_search_says",
        ),
    ),
    Mutant(
        name="order-that-kills-its-worker",
        guard=Guard.ORDERS,
        breaks="An order that kills its worker is begun again and again.",
        file=SERVE_PURCHASES,
        old="        if known.unended < DEATHS_TO_BE_PARKED:\n            return False\n",
        new="        if known.unended >= 0:\n            return False\n",
        tests=named(
            "flows/test_purchases.py",
            "test_an_order_that_kills_its_worker_is_parked_and_the_others_go_on",
        ),
    ),
    Mutant(
        name="tag-noted-before-it-is-there",
        guard=Guard.ORDERS,
        breaks="An order counts as tagged before Shopify has taken the tag.",
        file=TAG,
        old="        try:\n            self._send(operation)\n",
        new=(
            "        self._note_tagged(operation)\n"
            "        try:\n            self._send(operation)\n"
        ),
        tests=named("flows/test_tag.py", "test_a_worker_dies_at_any_effect"),
    ),
    Mutant(
        name="tag-refused-for-ever",
        guard=Guard.ORDERS,
        breaks="A tag that Shopify refuses is tried for ever, and no person hears of it.",
        file=TAG,
        old="            self.park.count_failure(operation, error)\n",
        new="            self.logger.info(str(error))\n",
        tests=named(
            "flows/test_tag.py",
            "test_a_refusal_is_parked_after_a_few_tries_and_no_other_order_waits_for_it",
        ),
    ),
    Mutant(
        name="refund-not-seen",
        guard=Guard.UNITS_BACK,
        breaks="A refunded unit keeps its card.",
        file=PURCHASES,
        old="(fewer := len(past.live_units(line)) - wanted) > 0:",
        new="(fewer := len(past.live_units(line)) - wanted) < 0:",
        tests=named(
            "flows/test_purchase_changes.py",
            "test_a_refunded_unit_is_returned_and_never_its_neighbour",
        ),
    ),
    Mutant(
        name="refund-takes-the-spent-card",
        guard=Guard.UNITS_BACK,
        breaks="Of several units the first one is given back, spent or not.",
        file=PURCHASES,
        old="key=lambda one: (one.stage, one.spent_minor, -one.unit.number)",
        new="key=lambda one: one.unit.number",
        tests=(
            *named("domain/test_purchases.py", "test_the_unit_that_nobody_misses_is_given_back"),
            *named(
                "flows/test_purchase_changes.py",
                "test_the_unspent_card_is_returned_else_the_least_spent",
            ),
        ),
    ),
    Mutant(
        name="refund-of-all-the-money",
        guard=Guard.UNITS_BACK,
        breaks="An order refunded in full without naming its units keeps its cards.",
        file=PURCHASES,
        old="wanted = 0 if order.status == REFUNDED else left.get(line, 0)",
        new="wanted = left.get(line, 0)",
        tests=named(
            "flows/test_purchase_changes.py", "test_a_refund_of_all_the_money_takes_every_card_back"
        ),
    ),
    Mutant(
        name="refund-before-the-cards-forgotten",
        guard=Guard.UNITS_BACK,
        breaks="That all the money is back is noted only where cards were taken back with it.",
        file=PURCHASES,
        old="if given_back or (still_count and Event.REFUNDED not in past.events):",
        new="if given_back:",
        tests=(
            *named(
                "domain/test_purchases.py",
                "test_units_that_never_were_taken_are_noted_as_well_once_their_money_is_back",
            ),
            *named(
                "flows/test_purchase_changes.py",
                "test_what_is_added_to_an_order_that_was_refunded_before_its_cards_waits_too",
            ),
        ),
    ),
    Mutant(
        name="refund-of-all-the-money-forgotten",
        guard=Guard.UNITS_BACK,
        breaks="Units that still count when all their money is back are taken for new ones.",
        file=PURCHASES,
        old="        Reason.REFUNDED_BEFORE: Event.REFUNDED in past.events,\n",
        new="",
        tests=(
            *named(
                "domain/test_purchases.py",
                "test_units_whose_money_was_given_back_are_not_taken_for_new_ones",
            ),
            *named(
                "flows/test_purchase_changes.py",
                "test_what_is_added_after_a_refund_of_all_the_money_waits_for_the_office",
            ),
        ),
    ),
    Mutant(
        name="chargeback-leaves-cards-free",
        guard=Guard.UNITS_BACK,
        breaks="The cards of a disputed order are not frozen.",
        file=PURCHASE,
        old='                self.freezer.freeze(card, by="the system", because=because)\n',
        new="                self.logger.info(because)\n",
        tests=named(
            "flows/test_purchase_changes.py",
            "test_a_chargeback_freezes_the_cards_and_the_office_is_told_once",
        ),
    ),
    Mutant(
        name="chargeback-freezes-what-was-released",
        guard=Guard.UNITS_BACK,
        breaks="What the office has released is frozen again at the next look.",
        file=PURCHASE,
        old="known = self.journal.load_many(firsts.values()) if only_new else {}",
        new="known = {}",
        tests=named(
            "flows/test_purchase_changes.py",
            "test_a_dispute_that_is_won_releases_nothing_and_what_was_released_stays_so",
        ),
    ),
)

SPENDS = (
    Mutant(
        name="spend-known-by-its-card",
        guard=Guard.SPENDS,
        breaks="A step of an order is noted under its card, not under its own number.",
        file=NOTE_PAYMENTS,
        old="return spend_key(number_of(step.id), gives_back=_gives_back(step))",
        new="return spend_key(step.card_id or '', gives_back=_gives_back(step))",
        tests=named("flows/test_spends.py", "test_an_order_of_a_hundred_steps_is_read_to_its_end"),
    ),
    Mutant(
        name="spend-refund-lowers",
        guard=Guard.SPENDS,
        breaks="What an order gives back to a card is entered as taken.",
        file=NOTE_PAYMENTS,
        old="moved=step.amount if is_refund else -step.amount,",
        new="moved=-step.amount,",
        tests=named("flows/test_spends.py", "test_two_cards_and_a_refund_to_each_are_told_apart"),
    ),
    Mutant(
        name="spend-by-an-authorisation",
        guard=Guard.SPENDS,
        breaks="What an order only keeps back counts as taken.",
        file=NOTE_PAYMENTS,
        old="TAKING = frozenset({PaymentKind.SALE, PaymentKind.CAPTURE})",
        new=(
            "TAKING = frozenset({PaymentKind.SALE, PaymentKind.CAPTURE, PaymentKind.AUTHORIZATION})"
        ),
        tests=named(
            "flows/test_spends.py", "test_a_capture_in_parts_and_a_void_come_to_what_was_captured"
        ),
    ),
    Mutant(
        name="spend-of-a-card-from-before",
        guard=Guard.SPENDS,
        breaks="A card from before our time is taken for one of ours.",
        file=NOTE_PAYMENTS,
        old="return self.accept_historical or card.created_at >= self.live_from",
        new="return self.accept_historical or card.created_at is not None",
        tests=named(
            "flows/test_spends.py",
            "test_a_card_from_before_our_time_is_noted_once_and_left_alone",
        ),
    ),
    Mutant(
        name="spend-shown-late",
        guard=Guard.SPENDS,
        breaks="Orders are searched from where they were read to; what shows up late is lost.",
        file=SERVE_SPENDS,
        old="until - timedelta(seconds=self.overlap_seconds)",
        new="until - timedelta(0)",
        tests=named(
            "flows/test_spends.py", "test_orders_that_turn_up_late_in_the_search_are_found"
        ),
    ),
    Mutant(
        name="spend-within-its-second",
        guard=Guard.SPENDS,
        breaks="A second payment within the second of a read is never seen.",
        file=SERVE_SPENDS,
        old="return not read.is_sure and self.clock() - read.read_at >= SAME_SECOND",
        new="return False",
        tests=named(
            "flows/test_spends.py", "test_an_order_paid_twice_within_a_second_is_read_to_its_end"
        ),
    ),
    Mutant(
        name="spend-pass-begun-anew",
        guard=Guard.SPENDS,
        breaks="A pass that a run does not finish begins at its first page again, for ever.",
        file=SERVE_SPENDS,
        old="after = None if place.cursor is None else place",
        new="after = None",
        tests=named(
            "flows/test_spends.py", "test_more_orders_at_once_than_a_run_can_list_hide_nothing"
        ),
    ),
    Mutant(
        name="spend-that-cannot-be-read-is-skipped",
        guard=Guard.SPENDS,
        breaks="An order whose payments cannot be read is left out, and nobody comes back to it.",
        file=SERVE_SPENDS,
        old="        self.payments.read_later(sight.id, updated_at=sight.updated_at)\n",
        new="",
        tests=named(
            "flows/test_spends.py",
            "test_an_order_that_shopify_does_not_show_now_stands_in_nobodys_way",
        ),
    ),
    Mutant(
        name="spend-read-backwards",
        guard=Guard.SPENDS,
        breaks="How far orders were read falls back.",
        file=PROGRESS,
        old='condition="attribute_not_exists(#until) OR #until < :until",',
        new='condition="attribute_not_exists(#until) OR #until <> :until",',
        tests=named("store/test_progress.py", "test_how_far_orders_were_read_only_grows"),
    ),
)

LOOKING = (
    Mutant(
        name="look-without-patience",
        guard=Guard.LOOKS,
        breaks="What is on its way is entered as a change at Shopify at once.",
        file=EXPLAINING,
        old="    if now - since < patience:\n",
        new="    if now < since:\n",
        tests=(
            *named(
                "domain/test_explaining.py",
                "test_what_is_unexplained_waits_and_is_entered_once_it_stood_long_enough",
            ),
            *named("flows/test_looks.py", "test_what_is_explained_in_time_is_never_entered"),
        ),
    ),
    Mutant(
        name="look-counts-another-amounts-time",
        guard=Guard.LOOKS,
        breaks="The wait goes on although another amount stands unexplained by now.",
        file=EXPLAINING,
        old="stands = look.open == left and look.open_since is not None",
        new="stands = look.open_since is not None",
        tests=named("domain/test_explaining.py", "test_another_amount_waits_anew"),
    ),
    Mutant(
        name="look-not-taken-once-more",
        guard=Guard.LOOKS,
        breaks="What was read some moments ago is entered, although it may be over.",
        file=LOOKS,
        old="        again = self.shopify.read_card(card.id)\n",
        new="        again = card\n",
        tests=named("flows/test_looks.py", "test_what_is_over_at_the_last_moment_is_not_entered"),
    ),
    Mutant(
        name="look-explains-a-debit-in-flight",
        guard=Guard.LOOKS,
        breaks="A store's debit that nobody knows of yet is entered as a change at Shopify.",
        file=LOOKS,
        old=(
            "if look.open is None or any(is_under_way(one, ledger) for one in operations.values()):"
        ),
        new="if look.open is None:",
        tests=named(
            "flows/test_looks.py",
            "test_a_store_debit_in_flight_is_never_taken_for_a_change_at_shopify",
            "test_nor_is_one_whose_movement_shopify_does_not_show_yet",
        ),
    ),
    Mutant(
        name="look-explains-a-late-debit-away",
        guard=Guard.LOOKS,
        breaks="A debit that was given up and applied after all is an adjustment like any other.",
        file=LOOKS,
        old="        late = _late(movements, operations, ledger)\n",
        new="        late = {}\n",
        tests=named(
            "flows/test_looks.py", "test_a_debit_that_turns_up_after_all_is_left_to_a_person"
        ),
    ),
    Mutant(
        name="look-tells-of-a-late-debit-again",
        guard=Guard.LOOKS,
        breaks="What was told of as late is told of once more.",
        file=LOOKS,
        old="if beyond.minor and late_key(reference) not in ledger.lines:",
        new="if beyond.minor:",
        tests=named(
            "flows/test_looks.py",
            "test_what_is_put_onto_a_card_after_a_late_debit_is_entered_alone",
        ),
    ),
    Mutant(
        name="look-numbers-nothing",
        guard=Guard.LOOKS,
        breaks="A second adjustment of a card is taken for the first one.",
        file=LOOKS,
        old="key = adjusted_key(number_of_card, len(earlier) + 1)",
        new="key = adjusted_key(number_of_card, 1)",
        tests=named("flows/test_looks.py", "test_several_changes_are_entered_as_they_come"),
    ),
    Mutant(
        name="look-mirrors-our-own-card",
        guard=Guard.LOOKS,
        breaks="A card that a store has sold is taken for one that Shopify made.",
        file=LOOKS,
        old="        return about | {asked[key] for key in self.journal.load_many(asked)}\n",
        new="        return about\n",
        tests=named("flows/test_looks.py", "test_nor_is_one_that_was_made_a_moment_ago"),
    ),
    Mutant(
        name="look-adopts-an-old-card",
        guard=Guard.LOOKS,
        breaks="A card from before our time is taken for one of ours.",
        file=LOOKS,
        old="if not self.accept_historical and card.created_at < self.live_from:",
        new="if not self.accept_historical and card.created_at is None:",
        tests=named(
            "flows/test_looks.py",
            "test_an_old_card_is_none_of_ours_but_what_airtable_shows_of_it_is_right",
        ),
    ),
    Mutant(
        name="look-kept-over-another",
        guard=Guard.LOOKS,
        breaks="An older look at a card covers a newer one.",
        file=LEDGER,
        old='condition = "#looks = :before"',
        new='condition = "#looks = :before OR attribute_exists(#key)"',
        tests=named(
            "store/test_ledger.py", "test_a_look_is_kept_unless_somebody_else_looked_meanwhile"
        ),
    ),
    Mutant(
        name="look-ends-with-a-page",
        guard=Guard.LOOKS,
        breaks="Of the cards that changed only the first page is looked at.",
        file=LOOKS,
        old="cursor = page.end_cursor if page.cards[-1].updated_at >= seen else None",
        new="cursor = None",
        tests=named("flows/test_looks.py", "test_more_changes_than_a_page_are_all_looked_at"),
    ),
    Mutant(
        name="look-tells-nobody",
        guard=Guard.LOOKS,
        breaks="Staff take money off a card, and nobody is told.",
        file=LOOKS,
        old="        self.tell.remember(key)\n",
        new="",
        tests=named("flows/test_looks.py", "test_the_office_reads_next_morning_what_staff_changed"),
    ),
    Mutant(
        name="look-silent-about-money",
        guard=Guard.LOOKS,
        breaks="A balance moves without a movement at Shopify, and no alarm rings.",
        file=LOOKS,
        old="            self.note_unexplained()\n",
        new="",
        tests=named(
            "flows/test_looks.py", "test_the_alarm_rings_where_shopify_shows_no_movement_either"
        ),
    ),
    Mutant(
        name="look-rings-for-every-kindness",
        guard=Guard.LOOKS,
        breaks="The alarm rings whenever staff change a balance, until nobody listens.",
        file=LOOKS,
        old="        if is_foreign or not (behind or evened_out):\n",
        new="        if is_foreign or not evened_out:\n",
        tests=named("flows/test_looks.py", "test_the_office_reads_next_morning_what_staff_changed"),
    ),
    Mutant(
        name="look-silent-about-a-borrowed-reference",
        guard=Guard.LOOKS,
        breaks="Money moves by hand with the reference of another card's debit, and nothing rings.",
        file=LOOKS,
        old="        if is_foreign or not (behind or evened_out):\n",
        new="        if not (behind or evened_out):\n",
        tests=named(
            "flows/test_looks.py",
            "test_the_reference_of_another_cards_operation_explains_nothing",
        ),
    ),
    Mutant(
        name="look-takes-any-cards-reference",
        guard=Guard.LOOKS,
        breaks="What another card's operation is named for is explained by that for ever.",
        file=WHOSE,
        old="        is_here = card_id == ledger.card_id or _has_line(operation.key, ledger)\n",
        new="        is_here = True\n",
        tests=(
            *named(
                "flows/test_looks.py",
                "test_the_reference_of_another_cards_operation_explains_nothing",
                "test_a_reference_that_was_used_before_the_late_debit_holds_nothing_up",
            ),
            *named(
                "flows/test_reconcile.py",
                "test_the_reference_of_another_cards_operation_explains_no_movement",
            ),
        ),
    ),
    Mutant(
        name="look-forgets-what-it-entered",
        guard=Guard.LOOKS,
        breaks="What was entered on a card for another card's operation is strange to it.",
        file=WHOSE,
        old="    return key in ledger.lines or late_key(key) in ledger.lines\n",
        new="    return key in ledger.lines and late_key(key) in ledger.lines\n",
        tests=named("flows/test_whose.py", "test_what_was_entered_on_a_card_is_of_that_card"),
    ),
    Mutant(
        name="look-takes-a-return-for-another-cards",
        guard=Guard.LOOKS,
        breaks="Of a return that is not over yet nobody knows which card it moves.",
        file=WHOSE,
        old="    return [(one, card_id or cards.get(one.key)) for one, card_id in known]\n",
        new="    return known\n",
        tests=named(
            "flows/test_whose.py",
            "test_a_return_is_of_the_card_that_was_made_for_its_unit",
            "test_the_rest_of_a_returned_card_is_never_taken_for_a_change_at_shopify",
        ),
    ),
    Mutant(
        name="look-owes-for-what-is-owed",
        guard=Guard.LOOKS,
        breaks="A credit by hand that names what is owed is taken for one that came too late.",
        file=WHOSE,
        old="        if operation.kind in KINDS_THAT_MOVE and is_here:\n",
        new="        if is_here:\n",
        tests=named(
            "flows/test_looks.py",
            "test_what_staff_give_back_with_the_name_of_what_is_owed_is_a_change_like_any_other",
        ),
    ),
    Mutant(
        name="owed-as-it-was-found-last",
        guard=Guard.OWED,
        breaks="More moved since it was owed: what is entered is not what is given back.",
        file=LOOKS,
        old="        amount = owed_amount(owed)\n",
        new="",
        tests=named(
            "flows/test_looks.py",
            "test_more_that_moves_with_a_reference_after_a_worker_died_entering_it",
        ),
    ),
    Mutant(
        name="owed-and-stuck",
        guard=Guard.OWED,
        breaks="A card of which less was owed before cannot be looked at any more.",
        file=LOOKS,
        old="        except JournalConflict:\n            standing = self._standing(owed_key(",
        new="        except ZeroDivisionError:\n            standing = self._standing(owed_key(",
        tests=(
            *named(
                "flows/test_looks.py",
                "test_more_that_moves_with_a_reference_after_a_worker_died_entering_it",
                "test_what_is_owed_on_another_card_holds_nothing_up",
            ),
            *named("flows/test_reconcile.py", "test_more_than_what_is_owed_is_left_to_a_person"),
        ),
    ),
    Mutant(
        name="owed-on-whatever-card",
        guard=Guard.OWED,
        breaks="What is owed on another card is entered as taken off this one.",
        file=LOOKS,
        old='        if standing.snapshot["card_id"] != card.id:\n',
        new='        if standing.snapshot["card_id"] == "":\n',
        tests=named("flows/test_looks.py", "test_what_is_owed_on_another_card_holds_nothing_up"),
    ),
    Mutant(
        name="owed-and-nobody-asked",
        guard=Guard.OWED,
        breaks="What is owed is not left to a person.",
        file=OWE,
        old="        if owed.state is not State.CLAIMED:\n",
        new="        if owed.state is not State.PARKED:\n",
        tests=named(
            "flows/test_looks.py", "test_a_debit_that_turns_up_after_all_is_left_to_a_person"
        ),
    ),
    Mutant(
        name="owed-decided-and-not-begun",
        guard=Guard.OWED,
        breaks="The decision to give back leaves out what follows from it.",
        file=OWE,
        old="            follows=(repay,),\n",
        new="",
        tests=named(
            "flows/test_looks.py", "test_a_debit_that_turned_up_after_all_is_credited_back_once"
        ),
    ),
    Mutant(
        name="owed-for-a-credit",
        guard=Guard.OWED,
        breaks="A credit that came too late is credited once more.",
        file=OWE,
        old="if owed.kind != OWED or amount.minor >= 0:",
        new="if owed.kind != OWED:",
        tests=named(
            "flows/test_looks.py",
            "test_a_credit_that_turns_up_after_all_can_only_be_debited_by_hand",
        ),
    ),
    Mutant(
        name="owed-counted-without-moving",
        guard=Guard.OWED,
        breaks="What could not be given back is entered as given back.",
        file=REPAY,
        old="moved=repayment.amount if is_done else None,",
        new="moved=repayment.amount,",
        tests=named(
            "flows/test_looks.py",
            "test_a_card_that_takes_no_money_any_more_is_told_to_the_office",
        ),
    ),
)

MUTANTS = (*ORDERS, *SPENDS, *LOOKING)
