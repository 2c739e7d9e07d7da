"""What we rely on in SES and KMS."""

from typing import Any

from tests.store.conftest import Backend
from tests.store.refused import refusal_code

SENDER = "cards@shop.example"


def mail(sender: str) -> dict[str, Any]:
    return {
        "FromEmailAddress": sender,
        "Destination": {"ToAddresses": ["main@shop.example"]},
        "Content": {
            "Simple": {
                "Subject": {"Data": "Paid ✓", "Charset": "UTF-8"},
                "Body": {
                    "Text": {"Data": "Paid", "Charset": "UTF-8"},
                    "Html": {"Data": "<p>Paid</p>", "Charset": "UTF-8"},
                },
            }
        },
    }


def test_a_mail_from_an_address_that_ses_knows_gets_an_id(backend: Backend) -> None:
    sender = f"{backend.mark}-{SENDER}"
    backend.ses.create_email_identity(EmailIdentity=sender)
    first, second = (backend.ses.send_email(**mail(sender))["MessageId"] for _ in range(2))
    assert first
    assert first != second


def test_a_mail_from_an_address_that_ses_does_not_know_is_refused(backend: Backend) -> None:
    sender = f"{backend.mark}-{SENDER}"
    assert refusal_code(backend.ses.send_email, **mail(sender)) == "MessageRejected"
    backend.ses.create_email_identity(EmailIdentity=sender)
    backend.ses.send_email(**mail(sender))
    backend.ses.delete_email_identity(EmailIdentity=sender)
    assert refusal_code(backend.ses.send_email, **mail(sender)) == "MessageRejected"


def new_key(backend: Backend) -> str:
    made = backend.kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    return str(made["KeyMetadata"]["KeyId"])


def mac(backend: Backend, key: str, message: bytes) -> bytes:
    reply = backend.kms.generate_mac(KeyId=key, Message=message, MacAlgorithm="HMAC_SHA_256")
    made: bytes = reply["Mac"]
    return made


def test_a_key_makes_the_same_mac_of_the_same_message(backend: Backend) -> None:
    key = new_key(backend)
    assert len(mac(backend, key, b"stage|shop|operation|0")) == 32
    assert mac(backend, key, b"a") == mac(backend, key, b"a")
    assert mac(backend, key, b"a") != mac(backend, key, b"b")


def test_another_key_makes_another_mac(backend: Backend) -> None:
    assert mac(backend, new_key(backend), b"a") != mac(backend, new_key(backend), b"a")


def test_a_key_that_nobody_made_is_not_found(backend: Backend) -> None:
    code = refusal_code(
        backend.kms.generate_mac,
        KeyId="11111111-1111-4111-8111-111111111111",
        Message=b"a",
        MacAlgorithm="HMAC_SHA_256",
    )
    assert code == "NotFoundException"
