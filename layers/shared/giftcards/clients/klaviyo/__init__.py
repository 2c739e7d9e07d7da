"""Klaviyo: the shop's mail to its customers."""

from giftcards.clients.klaviyo.client import Klaviyo, Template, TemplateChange
from giftcards.clients.klaviyo.connection import REVISION

__all__ = ["REVISION", "Klaviyo", "Template", "TemplateChange"]
