"""The mails our stores and our office read: composed here, sent by `giftcards.clients.mail`."""

from giftcards.mails.balance import compose_balance_answer
from giftcards.mails.digest import SoldBy, compose_digest
from giftcards.mails.interim import Interim, compose_interim
from giftcards.mails.mail import Mail, one_line
from giftcards.mails.office_notice import compose_office_notice
from giftcards.mails.reversal import ReversalNews, compose_reversal
from giftcards.mails.sale import SaleAnswer, SaleNews, compose_sale_answer
from giftcards.mails.store_answer import StoreAnswer, compose_store_answer

__all__ = [
    "Interim",
    "Mail",
    "ReversalNews",
    "SaleAnswer",
    "SaleNews",
    "SoldBy",
    "StoreAnswer",
    "compose_balance_answer",
    "compose_digest",
    "compose_interim",
    "compose_office_notice",
    "compose_reversal",
    "compose_sale_answer",
    "compose_store_answer",
    "one_line",
]
