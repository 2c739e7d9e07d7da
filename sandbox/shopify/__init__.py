"""Shopify in a box: the shop, its gift cards and orders, and the API the real one answers with."""

from sandbox.shopify.app import create_app
from sandbox.shopify.native_cards import ShopifyMail
from sandbox.shopify.order_desk import CartLine, OrderPlan, Orders
from sandbox.shopify.orders import Order
from sandbox.shopify.payments import Pay
from sandbox.shopify.refusals import Refusal
from sandbox.shopify.shop import GiftCard, Kind, Shop, Transaction

__all__ = [
    "CartLine",
    "GiftCard",
    "Kind",
    "Order",
    "OrderPlan",
    "Orders",
    "Pay",
    "Refusal",
    "Shop",
    "ShopifyMail",
    "Transaction",
    "create_app",
]
