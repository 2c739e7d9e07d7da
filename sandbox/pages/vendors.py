"""What the pages look at: the shop, the base, and the mail boxes."""

import zlib
from dataclasses import dataclass

from sandbox.airtable import Base
from sandbox.inbox import Inbox
from sandbox.klaviyo import Klaviyo
from sandbox.reports import Reports
from sandbox.shopify import Shop


@dataclass(frozen=True, slots=True)
class Vendors:
    """The vendors in a box that the pages show and act upon, and the reports about them."""

    shop: Shop
    base: Base
    inbox: Inbox
    klaviyo: Klaviyo
    reports: Reports

    @property
    def version(self) -> str:
        """Differs whenever anything a page shows differs; pages compare it once a second."""
        self.base.settle()
        orders = [
            *self.base.faults.waiting(),
            *self.shop.faults.waiting(),
            *self.klaviyo.faults.waiting(),
        ]
        accidents = zlib.crc32(repr(orders).encode())
        return f"{self.base.version}.{self.shop.version}.{self.inbox.version}.{accidents:x}"
