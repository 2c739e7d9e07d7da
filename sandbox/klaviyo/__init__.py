"""Klaviyo in a box: takes events for customers' timelines, as the real one does, and keeps them."""

from sandbox.klaviyo.events import Event, Klaviyo, KlaviyoError
from sandbox.klaviyo.web_api import create_app

__all__ = ["Event", "Klaviyo", "KlaviyoError", "create_app"]
