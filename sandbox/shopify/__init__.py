"""Shopify in a box: the shop, its gift cards, and the API the real one would answer with."""
