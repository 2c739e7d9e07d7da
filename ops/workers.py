"""How many workers the stack may need at the same moment, and whether the account has so many.

Lambda runs as many workers at once as the account's quota says, and a new account may begin with
ten. Nothing is lost where it is less than needed: what finds no worker waits in its queue, and a
minute of a prong that finds none comes again. But a store's answer may then wait for bulk work.
"""

from collections.abc import Iterator

import boto3
from botocore.exceptions import BotoCoreError, ClientError

# Every function at once, each with as many workers as its queues and timers can start: the stores'
# prong 2 and their mailers 2, Airtable's writers 2, customers' mail 2, and one each of the web
# shop's prongs, the makers of cards, balances and tags, the sweep, and comparing the books.
# tests/template adds it up.
# (Shopify's events, where they wake the prongs, start workers more that find a run under way and
# are gone within moments; so do timers while the books are compared.)
WORKERS_NEEDED = 15


def describe_workers(aws: boto3.session.Session) -> Iterator[str]:
    """What to say about the account's quota, in lines."""
    try:
        settings = aws.client("lambda").get_account_settings()
        workers = settings["AccountLimit"]["UnreservedConcurrentExecutions"]
    except (ClientError, BotoCoreError, KeyError) as error:
        yield (
            f"Lambda    nobody can say how many workers this account may run at once ({error});"
            f" the busiest moment needs {WORKERS_NEEDED}"
        )
        return
    yield f"Lambda    this account may run {workers:,} workers at once; needed: {WORKERS_NEEDED}"
    if workers < WORKERS_NEEDED:
        yield "          too few at the busiest moment: a store may then wait behind bulk work"
        yield "          Ask AWS for more, free of charge: Service Quotas, AWS Lambda,"
        yield "          “Concurrent executions”"
