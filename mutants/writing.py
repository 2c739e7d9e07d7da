"""Guards of what Airtable shows: rows made once, balances as Shopify has them, no code left."""

from mutants.mutant import Guard, Mutant, named

CARDS = "layers/shared/giftcards/store/cards.py"
FOLLOW_UP = "layers/shared/giftcards/flows/follow_up.py"
REDEEM = "layers/shared/giftcards/flows/redeem.py"
RECORDS = "layers/shared/giftcards/store/records.py"
WRITE_AIRTABLE = "layers/shared/giftcards/flows/write_airtable.py"

MUTANTS = (
    Mutant(
        name="row-made-without-a-note",
        guard=Guard.ROWS_ONCE,
        breaks="A row is made before it is noted that it will be.",
        file=WRITE_AIRTABLE,
        old="            self.records.note_intention(table, name)\n",
        new="            self.records.known(table, [name])\n",
        tests=named(
            "flows/test_order_rows.py", "test_a_lost_reply_to_a_creation_makes_no_second_row"
        ),
    ),
    Mutant(
        name="row-made-without-a-look",
        guard=Guard.ROWS_ONCE,
        breaks="After a lost reply the row is made again without looking for it.",
        file=WRITE_AIRTABLE,
        old="        if begun:\n",
        new="        if begun and not rows:\n",
        tests=named(
            "flows/test_order_rows.py", "test_a_lost_reply_to_a_creation_makes_no_second_row"
        ),
    ),
    Mutant(
        name="row-deleted-and-its-id-kept",
        guard=Guard.ROWS_ONCE,
        breaks="The id of a row that was deleted stays noted while it is made anew.",
        file=WRITE_AIRTABLE,
        old="            if not self.records.begin_anew(table, name, gone=record_id)\n",
        new="            if not self.records.known(table, [name])\n",
        tests=named(
            "flows/test_order_rows.py",
            "test_a_row_that_was_deleted_and_made_anew_in_silence_stands_once",
        ),
    ),
    Mutant(
        name="row-covered-by-an-older-word",
        guard=Guard.ROWS_ONCE,
        breaks="A word about a row that comes late covers a newer one.",
        file=WRITE_AIRTABLE,
        old="return any(one.result is not None or one.kind == SALE for one in known)",
        new="return any(one.result is None and one.kind != SALE for one in known)",
        tests=named("flows/test_writers.py", "test_a_word_that_comes_late_covers_no_newer_one"),
    ),
    Mutant(
        name="row-keeps-its-code",
        guard=Guard.ROWS_ONCE,
        breaks="The cell with the typed code is not masked once the row is done.",
        file=REDEEM,
        old='            "Gift Card Code": masked or UNREADABLE_CODE,\n',
        new="",
        tests=named("flows/test_redeem.py", "test_a_card_is_redeemed_and_everybody_knows"),
    ),
    Mutant(
        name="mirror-move-not-noted",
        guard=Guard.MIRROR,
        breaks="Nobody notes that a card moved, so its balance in Airtable stays as it was.",
        file=FOLLOW_UP,
        old="        self.cards.note_move(result.moved_card)\n",
        new="        self.cards.mirror_states([result.moved_card])\n",
        tests=named("flows/test_writers.py", "test_a_card_is_shown_again_each_time_it_moves"),
    ),
    Mutant(
        name="mirror-falls-back",
        guard=Guard.MIRROR,
        breaks="A worker that was held up marks a card as shown up to an older move.",
        file=CARDS,
        old='condition="attribute_not_exists(#synced) OR #synced <= :seen",',
        new='condition="attribute_not_exists(#synced) OR attribute_exists(#synced)",',
        tests=named(
            "store/test_bookkeeping.py", "test_a_card_is_behind_until_its_last_move_is_mirrored"
        ),
    ),
    Mutant(
        name="mirror-takes-what-it-did-not-read",
        guard=Guard.MIRROR,
        breaks="A move that came while a balance was read counts as shown.",
        file=WRITE_AIRTABLE,
        old="        for state in due:\n            self._note_mirrored(state, read)\n",
        new=(
            "        for state in self.cards.mirror_states([one.card_id for one in due]):\n"
            "            self._note_mirrored(state, read)\n"
        ),
        tests=named(
            "flows/test_writers.py", "test_a_card_that_moves_while_it_is_shown_is_shown_again"
        ),
    ),
)
