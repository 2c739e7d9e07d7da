"""Universal gift cards: one card, spendable in the web shop and in every store."""
