"""Compare the books: what Shopify, the journal and Airtable say of every card, order and receipt.

Everything is read page by page, a phase after the other, by whichever worker holds the lease; where
one stops or dies, the next one goes on. `phase` says what a phase has to be.
"""
