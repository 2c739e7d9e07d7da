"""Pages for people: forms, the web site, the office's tables, the mail, the shop, accidents."""

from sandbox.pages.application import create_app

__all__ = ["create_app"]
