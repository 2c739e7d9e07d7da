"""An AWS account in memory: what our code asks of boto3's clients, and not a word more.

`Account(clock)` is the account. `account.session()` stands where a boto3 session does: `client(…)`
and `resource("dynamodb").meta.client` give clients that take the same parameters, answer in the
same shape and raise botocore's `ClientError` with the same codes. Time is what `clock` says.

What it does not know is an error, never ignored: a call or parameter it lacks is Python's own
(`AttributeError`, `TypeError`), and the rest raises `UnknownHereError`. tests/store holds it, moto
and the embedded AWS to one behaviour. What AWS does and this does not: sizes (400 KB an item, 1 MB
a page), capacity, the lag of an index, permissions, and messages delivered twice or out of order.

No state outside an `Account`, a lock for each service, and ids that are counted: the same story
told twice leaves the same account.
"""

from tests.aws_in_memory.account import Account, Session, Witness
from tests.aws_in_memory.errors import UnknownHereError
from tests.aws_in_memory.ses import SentMail

__all__ = ["Account", "SentMail", "Session", "UnknownHereError", "Witness"]
