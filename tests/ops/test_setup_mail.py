"""What the engineer is told of the sender: may SES send, and will mailboxes believe it."""

from argparse import Namespace
from datetime import UTC, datetime
from typing import cast

import boto3
import pytest
from botocore.exceptions import ClientError

from ops.command_line import main, resume, setup_mail
from ops.setup_mail import MailReport, report_mail
from tests.aws_in_memory import Account
from tests.aws_in_memory.errors import refusal
from tests.ops.test_command_line import YES
from tests.world import MAIL_FROM, running_world

SENDER = "gift-cards@post.shop.example"


@pytest.fixture
def account() -> Account:
    return Account(lambda: datetime(2026, 11, 30, tzinfo=UTC))


def report(account: Account) -> MailReport:
    return report_mail(cast("boto3.session.Session", account.session()), SENDER)


@pytest.mark.parametrize("domain", ["post.shop.example", "shop.example"])
def test_a_domain_that_is_verified_is_said_in_a_line(account: Account, domain: str) -> None:
    account.ses.create_email_identity(EmailIdentity=domain)
    account.ses.create_email_identity(EmailIdentity=SENDER)
    said = report(account)
    assert said.is_ready
    assert said.lines == (f"{domain} is verified, and its mail is signed (DKIM).",)


def test_the_records_that_the_dns_lacks_are_shown(account: Account) -> None:
    account.ses.create_email_identity(EmailIdentity="post.shop.example")
    account.ses.pending.add("post.shop.example")
    said = report(account)
    assert not said.is_ready
    assert "not verified yet (PENDING)" in said.lines[0]
    assert said.lines[2:] == tuple(
        f"  {token}._domainkey.post.shop.example  CNAME  {token}.dkim.amazonses.com"
        for token in ("aaaaaa", "bbbbbb", "cccccc")
    )


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"SigningEnabled": False, "Status": "NOT_STARTED", "Tokens": []}, "“Easy DKIM”"),
        ({"SigningEnabled": False, "Status": "SUCCESS", "Tokens": ["a"]}, "“Easy DKIM”"),
        (
            {
                "SigningEnabled": True,
                "Status": "TEMPORARY_FAILURE",
                "Tokens": ["a"],
                "SigningHostedZone": "dkim.eu-west-9.amazonses.com",
            },
            "a._domainkey.post.shop.example  CNAME  a.dkim.eu-west-9.amazonses.com",
        ),
    ],
)
def test_a_domain_whose_mail_is_not_signed_is_not_ready(
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
    attributes: dict[str, object],
    words: str,
) -> None:
    identity = {"VerifiedForSendingStatus": True, "DkimAttributes": attributes}
    monkeypatch.setattr(account.ses, "get_email_identity", lambda **_: identity)
    said = report(account)
    assert not said.is_ready
    assert words in "\n".join(said.lines)


def test_an_address_alone_is_good_for_a_trial_only(account: Account) -> None:
    account.ses.create_email_identity(EmailIdentity=SENDER)
    said = report(account)
    told = "\n".join(said.lines)
    assert not said.is_ready
    assert "nothing is signed" in told
    assert "CreateMailIdentity=domain" in told


def test_an_address_waits_for_its_click(account: Account) -> None:
    account.ses.create_email_identity(EmailIdentity=SENDER)
    account.ses.pending.add(SENDER)
    assert "click the link" in report(account).lines[0]
    assert not report(account).is_ready


def test_a_sender_that_ses_does_not_know_is_named(account: Account) -> None:
    said = report(account)
    assert not said.is_ready
    assert f"knows neither post.shop.example nor {SENDER}" in said.lines[0]


def test_an_account_in_the_sandbox_is_not_ready(account: Account) -> None:
    account.ses.create_email_identity(EmailIdentity="shop.example")
    account.ses.is_let_out = False
    said = report(account)
    assert not said.is_ready
    assert "is verified, and its mail is signed" in said.lines[0]
    assert "sandbox" in said.lines[1]


def test_whoever_may_not_ask_is_refused(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> dict[str, object]:
        raise refusal("GetEmailIdentity", "AccessDeniedException", "not authorized", status=403)

    monkeypatch.setattr(account.ses, "get_email_identity", refuse)
    with pytest.raises(ClientError, match="not authorized"):
        report(account)


def test_the_command_says_it_and_fails_until_all_is_done(
    capsys: pytest.CaptureFixture[str],
) -> None:
    domain = MAIL_FROM.partition("@")[2]
    with running_world() as world:
        assert setup_mail(world.app, Namespace()) == 1
        assert "good for a trial only" in capsys.readouterr().out
        world.ses.create_email_identity(EmailIdentity=domain)
        assert setup_mail(world.app, Namespace()) == 0
        assert f"{domain} is verified" in capsys.readouterr().out


def test_resume_says_it_before_it_asks(capsys: pytest.CaptureFixture[str]) -> None:
    with running_world(resumed=False) as world:
        assert resume(world.app, YES) == 0
    told = capsys.readouterr().out
    assert 0 < told.index(f"Mail      {MAIL_FROM} is verified, but") < told.index("Running")


def test_whoever_may_not_ask_ses_resumes_all_the_same(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> dict[str, object]:
        raise refusal("GetEmailIdentity", "AccessDeniedException", "not authorized", status=403)

    with running_world(resumed=False) as world:
        monkeypatch.setattr(world.ses, "get_email_identity", refuse)
        assert resume(world.app, YES) == 0
    told = capsys.readouterr().out
    assert "nobody can say whether SES sends" in told
    assert "Running" in told


def test_setup_without_a_vendor_names_them(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["setup", "--help"])
    assert "{mail,klaviyo}" in capsys.readouterr().out
