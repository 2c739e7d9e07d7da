"""The mails our stores and our office read: composed here, sent by `giftcards.clients.mail`."""

from giftcards.mails.interim import Interim, compose_interim
from giftcards.mails.mail import Mail
from giftcards.mails.office_notice import compose_office_notice
from giftcards.mails.store_answer import StoreAnswer, compose_store_answer

__all__ = [
    "Interim",
    "Mail",
    "StoreAnswer",
    "compose_interim",
    "compose_office_notice",
    "compose_store_answer",
]
