"""Shopify in a box: the shop, its gift cards, and the API the real one would answer with."""

from sandbox.shopify.app import create_app
from sandbox.shopify.shop import GiftCard, Kind, Refusal, Shop, Transaction

__all__ = ["GiftCard", "Kind", "Refusal", "Shop", "Transaction", "create_app"]
