"""Klaviyo in a box: takes events for customers' timelines and templates, and mails customers.

An account is built with Python or over HTTP (`create_app`):

    account = Klaviyo(clock=now, key="pk_sandbox")
    account.mails      what its flows have sent, newest last
"""

from sandbox.klaviyo.account import CustomerMail, Klaviyo
from sandbox.klaviyo.errors import KlaviyoError
from sandbox.klaviyo.events import Event
from sandbox.klaviyo.web_api import create_app

__all__ = ["CustomerMail", "Event", "Klaviyo", "KlaviyoError", "create_app"]
