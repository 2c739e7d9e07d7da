"""The account that holds the services, and the sessions that workers reach it through."""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import SimpleNamespace
from typing import Any, Protocol

from tests.aws_in_memory.dynamodb import DynamoDB
from tests.aws_in_memory.errors import UnknownHereError
from tests.aws_in_memory.functions import Functions
from tests.aws_in_memory.kms import Kms
from tests.aws_in_memory.s3 import S3
from tests.aws_in_memory.ses import Ses
from tests.aws_in_memory.sqs import Sqs


class Witness(Protocol):
    """Is told of every call of a session before and after it happens, and may end the worker."""

    def begin(self, name: str) -> int:
        """A call such as "dynamodb PutItem" is about to happen; returns its place."""

    def end(self, place: int) -> None:
        """The call was answered, by yes or no."""

    def note_asked(self, name: str, parameters: Mapping[str, Any]) -> None:
        """What such a call is about to ask for, before `begin`."""


class Account:
    """An account of its own, empty at first. `clock` gives the moment, aware."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.dynamodb = DynamoDB()
        self.sqs = Sqs(clock)
        self.ses = Ses()
        self.kms = Kms()
        self.functions = Functions()
        self.s3 = S3()

    def session(self, witness: Witness | None = None) -> "Session":
        """A session whose calls `witness` sees."""
        return Session(self, witness)


class Session:
    """Stands where our code takes a `boto3.session.Session`."""

    def __init__(self, account: Account, witness: Witness | None) -> None:
        self._witness = witness
        self._services = {
            "sqs": account.sqs,
            "sesv2": account.ses,
            "kms": account.kms,
            "lambda": account.functions,
            "s3": account.s3,
        }
        self._dynamodb = account.dynamodb

    def client(self, name: str, *, config: object = None) -> Any:
        """A client by boto3's name; its `config` is about a network, and here is none."""
        del config
        if name not in self._services:
            raise UnknownHereError(f"the client {name}")
        return self._watched(name, self._services[name])

    def resource(self, name: str, *, config: object = None) -> Any:
        """DynamoDB's resource, of which `meta.client` is all we use."""
        del config
        if name != "dynamodb":
            raise UnknownHereError(f"the resource {name}")
        client = self._watched(name, self._dynamodb)
        return SimpleNamespace(meta=SimpleNamespace(client=client))

    def _watched(self, name: str, service: object) -> Any:
        return service if self._witness is None else WatchedClient(name, service, self._witness)


class WatchedClient:
    """A client whose every call is told to a witness."""

    def __init__(self, name: str, service: object, witness: Witness) -> None:
        self._name = name
        self._service = service
        self._witness = witness

    def __getattr__(self, method: str) -> Callable[..., Any]:
        call = getattr(self._service, method)
        name = f"{self._name} {method.title().replace('_', '')}"
        witness = self._witness

        def watched(**parameters: Any) -> Any:
            witness.note_asked(name, parameters)
            place = witness.begin(name)
            try:
                return call(**parameters)
            finally:
                witness.end(place)

        setattr(self, method, watched)  # found at once the next time
        return watched
