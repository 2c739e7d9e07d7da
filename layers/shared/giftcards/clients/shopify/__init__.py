"""The web shop: finds gift cards, reads what they hold, and takes money off them."""

from giftcards.clients.shopify.client import Shopify
from giftcards.clients.shopify.graphql import API_VERSION
from giftcards.clients.shopify.points import MOST_WAIT_SECONDS, Room
from giftcards.clients.shopify.searching import card_payments
from giftcards.clients.shopify.tokens import ClientCredentials, StaticToken

__all__ = [
    "API_VERSION",
    "MOST_WAIT_SECONDS",
    "ClientCredentials",
    "Room",
    "Shopify",
    "StaticToken",
    "card_payments",
]
