"""What the web shop sells: our own gift cards by amount, Shopify's native ones, ordinary goods.

To Shopify our own card is a product like any other, known by the SKU of its variant. The native
one is marked as a gift card and has no SKU here, as is usual.
"""

from dataclasses import dataclass
from decimal import Decimal

# Shopify's ids are long numbers; these only have to differ from each other.
FIRST_PRODUCT_NUMBER = 8_112_300_000_001
FIRST_VARIANT_NUMBER = 44_120_500_000_001

# What a storefront asks a giver, as the names of line-item properties. Dawn, Shopify's own theme,
# calls the first four so for the native card; "Theme" is one we would add.
RECIPIENT_NAME = "Recipient name"
RECIPIENT_EMAIL = "Recipient email"
MESSAGE = "Message"
SEND_ON = "Send on"
THEME = "Theme"


@dataclass(frozen=True, slots=True)
class Variant:
    """One thing to put into a cart. `sku` is None where the office gave none."""

    id: str
    number: int
    title: str
    sku: str | None
    price: Decimal


@dataclass(frozen=True, slots=True)
class Product:
    """A product and its variants. `is_gift_card` marks Shopify's native gift card.

    `asks_for_recipient` says whether the storefront offers it as a gift.
    """

    id: str
    number: int
    handle: str
    title: str
    words: str
    variants: tuple[Variant, ...]
    is_gift_card: bool = False
    asks_for_recipient: bool = False

    def variant(self, variant_id: str) -> Variant | None:
        """The variant with that global id, or None."""
        return next((each for each in self.variants if each.id == variant_id), None)


@dataclass(frozen=True, slots=True)
class _Ware:
    handle: str
    title: str
    words: str
    variants: tuple[tuple[str, str | None, str], ...]  # title, SKU, price
    is_gift_card: bool = False
    asks_for_recipient: bool = False


_WARES = (
    _Ware(
        "gift-card",
        "Gift card",
        "Good in our web shop and in every store. We mail it, at once or on the day you choose.",
        (
            ("$25", "GIFT-CARD-25", "25"),
            ("$50", "GIFT-CARD-50", "50"),
            ("$100", "GIFT-CARD-100", "100"),
        ),
        asks_for_recipient=True,
    ),
    _Ware(
        "web-gift-card",
        "Web gift card",
        "Shopify's own gift card: Shopify makes it and mails it.",
        (("$30", None, "30"), ("$60", None, "60")),
        is_gift_card=True,
        asks_for_recipient=True,
    ),
    _Ware(
        "linen-throw",
        "Linen throw",
        "Woven of washed linen, for the end of the sofa.",
        (("Sand", "THROW-SAND", "78.50"), ("Moss", "THROW-MOSS", "78.50")),
    ),
    _Ware(
        "brass-lantern",
        "Brass lantern",
        "A small lantern for one candle.",
        (("Small", "LANTERN-S", "34"),),
    ),
)


def standard_products() -> tuple[Product, ...]:
    """The products every shop of the sandbox sells."""
    products: list[Product] = []
    next_variant = FIRST_VARIANT_NUMBER
    for place, ware in enumerate(_WARES):
        variants = tuple(
            Variant(
                id=f"gid://shopify/ProductVariant/{next_variant + offset}",
                number=next_variant + offset,
                title=title,
                sku=sku,
                price=Decimal(price),
            )
            for offset, (title, sku, price) in enumerate(ware.variants)
        )
        next_variant += len(variants)
        number = FIRST_PRODUCT_NUMBER + place
        products.append(
            Product(
                id=f"gid://shopify/Product/{number}",
                number=number,
                handle=ware.handle,
                title=ware.title,
                words=ware.words,
                variants=variants,
                is_gift_card=ware.is_gift_card,
                asks_for_recipient=ware.asks_for_recipient,
            )
        )
    return tuple(products)
