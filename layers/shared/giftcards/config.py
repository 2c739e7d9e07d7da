"""Every setting of the application, read once and checked as a whole.

Settings come from the function's environment (the template's parameters), secrets from SSM
Parameter Store. Whatever is missing or malformed is named in one error, all of it at once: nobody
should have to deploy five times to learn five things.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from urllib.parse import urlsplit

from giftcards.errors import ConfigurationError

# A shorter pepper could be guessed offline from a stolen table (NIST SP 800-107: an HMAC's key
# should be at least as strong as what it protects; 32 characters of base64 are 192 bits).
SHORTEST_PEPPER_CHARACTERS = 32

# SQS delays a message by at most 900 seconds, but a tick beyond the minute belongs to the next one.
LATEST_TICK_OFFSET_SECONDS = 59
SECONDS = 60

# What a row began may still be sent again from a dead-letter queue, which keeps it for 14 days
# (SQS), and the office may give a redemption back only while its row is there.
LEAST_KEEP_DAYS = 30

# How a setting says that it is empty on purpose.
NONE = "none"


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of one deployment. Times are seconds; `live_from` is an aware moment.

    Rows created before `live_from` are never processed, whatever they say.
    Caps are in major units of the shop's currency, and hours on the clocks of the shop; of caps,
    `promotional_days` and `paid_years`, 0 means none. The offsets of sales and checks are those of
    the ticks at which they are looked for, 0 being the full minute.
    What is done with is archived once it is `keep_days` old, 0 being never; `airtable_records` is
    how many the base's plan allows.
    Without `gift_card_skus` the web shop sells none of our cards. `order_properties` maps our names
    for what a giver is asked in the web shop to the storefront's own.
    """

    stage: str
    table_name: str
    shopify_url: str
    airtable_url: str
    airtable_base_id: str
    klaviyo_url: str
    secrets_prefix: str
    mail_from: str
    mail_configuration_set: str
    office_email: str
    live_from: datetime
    tick_queue_url: str
    answer_store_queue_url: str
    write_airtable_queue_url: str
    tick_offsets_seconds: tuple[int, ...]
    tick_tolerance_seconds: int
    lease_seconds: int
    http_timeout_seconds: int
    settling_seconds: int
    rows_per_run: int
    patience_seconds: int
    duplicate_seconds: int
    look_again_seconds: int
    most_misses: int
    misses_seconds: int
    accept_historical: bool
    issue_cards_queue_url: str
    deliver_queue_url: str
    deliver_dead_letters_url: str
    code_key_ids: tuple[str, ...]
    sale_offsets_seconds: tuple[int, ...]
    check_offsets_seconds: tuple[int, ...]
    themes: tuple[str, ...]
    largest_quantity: int
    promotional_days: int
    paid_years: int
    cap_per_card: Decimal
    cap_per_store_and_day: Decimal
    cap_per_recipient_and_day: Decimal
    send_hour: int
    digest_hour: int
    most_checks: int
    most_check_misses: int
    most_check_misses_of_all: int
    adjust_balance_queue_url: str
    tag_order_queue_url: str
    gift_card_skus: tuple[str, ...]
    processed_tag: str
    order_properties: Mapping[str, str]
    risk_patience_seconds: int
    issues_unassessed: bool
    order_overlap_seconds: int
    explain_seconds: int
    cap_per_reversal: Decimal
    reversal_offsets_seconds: tuple[int, ...]
    bucket: str
    reconcile_hour: int
    keep_days: int
    airtable_records: int
    second_look_seconds: int

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Config":
        """Read the settings; raise `ConfigurationError` naming every one that needs mending."""
        reader = _Reader(environment)
        config = cls(
            stage=reader.text("STAGE"),
            table_name=reader.text("TABLE_NAME"),
            shopify_url=reader.url("SHOPIFY_URL"),
            airtable_url=reader.url("AIRTABLE_URL"),
            airtable_base_id=reader.text("AIRTABLE_BASE_ID"),
            klaviyo_url=reader.url("KLAVIYO_URL"),
            secrets_prefix=reader.text("SECRETS_PREFIX").rstrip("/"),
            mail_from=reader.address("MAIL_FROM"),
            mail_configuration_set=reader.text("MAIL_CONFIGURATION_SET"),
            office_email=reader.address("OFFICE_EMAIL"),
            live_from=reader.moment("LIVE_FROM"),
            tick_queue_url=reader.url("TICK_QUEUE_URL"),
            answer_store_queue_url=reader.url("ANSWER_STORE_QUEUE_URL"),
            write_airtable_queue_url=reader.url("WRITE_AIRTABLE_QUEUE_URL"),
            tick_offsets_seconds=reader.offsets("TICK_OFFSETS_SECONDS"),
            tick_tolerance_seconds=reader.count("TICK_TOLERANCE_SECONDS"),
            lease_seconds=reader.count("LEASE_SECONDS"),
            http_timeout_seconds=reader.count("HTTP_TIMEOUT_SECONDS"),
            settling_seconds=reader.count("SETTLING_SECONDS"),
            rows_per_run=reader.count("ROWS_PER_RUN"),
            patience_seconds=reader.count("PATIENCE_SECONDS"),
            duplicate_seconds=reader.count("DUPLICATE_SECONDS"),
            look_again_seconds=reader.count("LOOK_AGAIN_SECONDS"),
            most_misses=reader.count("MOST_MISSES"),
            misses_seconds=reader.count("MISSES_SECONDS"),
            accept_historical=reader.choice("ACCEPT_HISTORICAL"),
            issue_cards_queue_url=reader.url("ISSUE_CARDS_QUEUE_URL"),
            deliver_queue_url=reader.url("DELIVER_QUEUE_URL"),
            deliver_dead_letters_url=reader.url("DELIVER_DEAD_LETTERS_URL"),
            code_key_ids=reader.list("CODE_KEY_IDS"),
            sale_offsets_seconds=reader.looks("SALE_OFFSETS_SECONDS"),
            check_offsets_seconds=reader.looks("CHECK_OFFSETS_SECONDS"),
            themes=reader.list("THEMES"),
            largest_quantity=reader.count("LARGEST_QUANTITY"),
            promotional_days=reader.zero_or_more("PROMOTIONAL_DAYS"),
            paid_years=reader.zero_or_more("PAID_YEARS"),
            cap_per_card=reader.amount("CAP_PER_CARD"),
            cap_per_store_and_day=reader.amount("CAP_PER_STORE_AND_DAY"),
            cap_per_recipient_and_day=reader.amount("CAP_PER_RECIPIENT_AND_DAY"),
            send_hour=reader.hour("SEND_HOUR"),
            digest_hour=reader.hour("DIGEST_HOUR"),
            most_checks=reader.count("MOST_CHECKS"),
            most_check_misses=reader.count("MOST_CHECK_MISSES"),
            most_check_misses_of_all=reader.count("MOST_CHECK_MISSES_OF_ALL"),
            adjust_balance_queue_url=reader.url("ADJUST_BALANCE_QUEUE_URL"),
            tag_order_queue_url=reader.url("TAG_ORDER_QUEUE_URL"),
            gift_card_skus=reader.list_or_none("GIFT_CARD_SKUS"),
            processed_tag=reader.text("PROCESSED_TAG"),
            order_properties=reader.words("ORDER_PROPERTIES"),
            risk_patience_seconds=reader.zero_or_more("RISK_PATIENCE_SECONDS"),
            issues_unassessed=reader.choice("ISSUES_UNASSESSED"),
            order_overlap_seconds=reader.count("ORDER_OVERLAP_SECONDS"),
            explain_seconds=reader.count("EXPLAIN_SECONDS"),
            cap_per_reversal=reader.amount("CAP_PER_REVERSAL"),
            reversal_offsets_seconds=reader.looks("REVERSAL_OFFSETS_SECONDS"),
            bucket=reader.text("BUCKET"),
            reconcile_hour=reader.hour("RECONCILE_HOUR"),
            keep_days=reader.days_kept("KEEP_DAYS"),
            airtable_records=reader.count("AIRTABLE_RECORDS"),
            second_look_seconds=reader.count("SECOND_LOOK_SECONDS"),
        )
        reader.complain()
        if config.settling_seconds < config.lease_seconds:
            raise ConfigurationError(
                f"SETTLING_SECONDS ({config.settling_seconds}) is less than LEASE_SECONDS"
                f" ({config.lease_seconds}): a debit would be given up while its worker may live"
            )
        if config.second_look_seconds <= config.explain_seconds:
            raise ConfigurationError(
                f"SECOND_LOOK_SECONDS ({config.second_look_seconds}) is not more than"
                f" EXPLAIN_SECONDS ({config.explain_seconds}): what is still to be explained would"
                " ring the alarm"
            )
        return config

    def refuse_looks_of_no_tick(self) -> None:
        """Raise `ConfigurationError` where something is looked for at offsets that no tick has.

        It would never be looked for, and nothing would say so. The stores' prong alone may ask:
        the web shop's prongs have ticks of their own, at which they look for everything.
        """
        ticks = {0, *self.tick_offsets_seconds}
        named = {
            "SaleOffsetsSeconds": self.sale_offsets_seconds,
            "CheckOffsetsSeconds": self.check_offsets_seconds,
            "ReversalOffsetsSeconds": self.reversal_offsets_seconds,
        }
        missing = [
            f"{name} ({_listed(offsets)}) has {_listed(sorted(idle))}"
            for name, offsets in named.items()
            if (idle := set(offsets) - ticks)
        ]
        if missing:
            raise ConfigurationError(
                f"{'; '.join(missing)}: no tick comes then, so nothing would be looked for. The"
                " ticks come at the full minute, which is 0, and at TickOffsetsSeconds"
                f" ({_listed(self.tick_offsets_seconds)}). Take the offsets without a tick out, or"
                " add them to TickOffsetsSeconds, and deploy again"
            )


def read_airtable_names(text: str) -> Mapping[str, Mapping[str, str]]:
    """How a shop calls our tables and fields, for `ops resume`: functions go by ids.

    `{"Redemptions": {"": "GC Redemptions", "Amount": "Value"}}`, the empty key being the table.
    """
    try:
        return _names(text)
    except (ValueError, TypeError):
        raise ConfigurationError(
            f"AirtableNames is “{text}”, expected JSON such as"
            ' {"Redemptions": {"": "GC Redemptions", "Amount": "Value"}}, or {}'
        ) from None


class _Reader:
    """Collects what is wrong instead of stopping at the first; the stand-ins are never used."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._wrong: list[str] = []

    def complain(self) -> None:
        if self._wrong:
            raise ConfigurationError(
                "These settings need mending (they come from the template's parameters): "
                + "; ".join(self._wrong)
            )

    def _read[Value](
        self, name: str, parse: Callable[[str], Value], expected: str, stand_in: Value
    ) -> Value:
        text = self._environment.get(name, "").strip()
        if not text:
            self._wrong.append(f"{name} is missing: {expected}")
            return stand_in
        try:
            return parse(text)
        except (ValueError, TypeError, KeyError):
            self._wrong.append(f"{name} is “{text}”, expected {expected}")
            return stand_in

    def text(self, name: str) -> str:
        return self._read(name, str, "some text", "")

    def url(self, name: str) -> str:
        return self._read(name, _url, "an address that starts with http:// or https://", "")

    def address(self, name: str) -> str:
        return self._read(name, _address, "a mail address such as shop@example.com", "")

    def count(self, name: str) -> int:
        return self._read(name, _positive, "a whole number above zero", 1)

    def zero_or_more(self, name: str) -> int:
        return self._read(name, _zero_or_more, "a whole number, 0 for none", 0)

    def hour(self, name: str) -> int:
        return self._read(name, _hour, "an hour of the day, 0 to 23", 0)

    def days_kept(self, name: str) -> int:
        expected = f"a number of days from {LEAST_KEEP_DAYS} on, 0 for never archiving"
        return self._read(name, _days_kept, expected, 0)

    def amount(self, name: str) -> Decimal:
        return self._read(name, _amount, "an amount such as 500 or 49.50, 0 for none", Decimal(0))

    def list(self, name: str) -> tuple[str, ...]:
        return self._read(name, _list, "names separated by commas", ())

    def list_or_none(self, name: str) -> tuple[str, ...]:
        return self._read(name, _list_or_none, "names separated by commas, or none", ())

    def words(self, name: str) -> Mapping[str, str]:
        expected = 'JSON such as {"Gift Message": "Message"}, or {}'
        return self._read(name, _words, expected, {})

    def looks(self, name: str) -> tuple[int, ...]:
        expected = f"seconds from 0 to {LATEST_TICK_OFFSET_SECONDS}, rising, such as 0,30"
        return self._read(name, _looks, expected, ())

    def choice(self, name: str) -> bool:
        return self._read(name, _yes_or_no, "yes or no", stand_in=False)

    def moment(self, name: str) -> datetime:
        expected = "a time with its offset such as 2026-11-30T09:00:00-05:00"
        return self._read(name, _moment, expected, datetime.min.replace(tzinfo=UTC))

    def offsets(self, name: str) -> tuple[int, ...]:
        expected = f"seconds from 1 to {LATEST_TICK_OFFSET_SECONDS}, rising, such as 15,30,45"
        return self._read(name, _offsets, expected, ())


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ValueError
    return text.rstrip("/")


def _address(text: str) -> str:
    local, at, domain = text.rpartition("@")
    if not (local and at and domain) or any(character.isspace() for character in text):
        raise ValueError
    return text


def _positive(text: str) -> int:
    number = int(text)
    if number <= 0:
        raise ValueError
    return number


def _zero_or_more(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError
    return number


def _hour(text: str) -> int:
    number = int(text)
    if number not in range(24):
        raise ValueError
    return number


def _days_kept(text: str) -> int:
    days = int(text)
    if days and days < LEAST_KEEP_DAYS:
        raise ValueError
    return days


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise ValueError from None
    if not amount.is_finite() or amount < 0:
        raise ValueError
    return amount


def _list(text: str) -> tuple[str, ...]:
    parts = tuple(part.strip() for part in text.split(",") if part.strip())
    if not parts or len(set(parts)) != len(parts):
        raise ValueError
    return parts


def _list_or_none(text: str) -> tuple[str, ...]:
    return () if text == NONE else _list(text)


def _words(text: str) -> Mapping[str, str]:
    words = json.loads(text)
    if not isinstance(words, dict) or not all(isinstance(word, str) for word in words.values()):
        raise TypeError
    return words


def _looks(text: str) -> tuple[int, ...]:
    offsets = tuple(int(part) for part in text.split(","))
    if list(offsets) != sorted(set(offsets)) or not 0 <= offsets[0] <= offsets[-1] < SECONDS:
        raise ValueError
    return offsets


def _yes_or_no(text: str) -> bool:
    return {"yes": True, "no": False}[text]


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError
    return moment


def _offsets(text: str) -> tuple[int, ...]:
    offsets = tuple(_positive(part) for part in text.split(","))
    if list(offsets) != sorted(set(offsets)) or offsets[-1] > LATEST_TICK_OFFSET_SECONDS:
        raise ValueError
    return offsets


def _listed(offsets: Iterable[int]) -> str:
    """Offsets as they are set."""
    return ",".join(map(str, offsets))


def _names(text: str) -> Mapping[str, Mapping[str, str]]:
    names = json.loads(text)
    if not isinstance(names, dict):
        raise TypeError
    for fields in names.values():
        if not isinstance(fields, dict) or not all(
            isinstance(name, str) for name in fields.values()
        ):
            raise TypeError
    return names


@dataclass(frozen=True, slots=True)
class Secrets:
    """The secrets of one deployment, from SSM SecureStrings below `Config.secrets_prefix`.

    Shopify is reached with a static token (`shopify-token`) or with an app's client credentials
    (`shopify-client-id` and `shopify-client-secret`); one of the two is there.
    `peppers` are the keys of the code fingerprints, the current one first.
    """

    shopify_token: str | None = field(repr=False)
    shopify_client_id: str | None
    shopify_client_secret: str | None = field(repr=False)
    airtable_token: str = field(repr=False)
    klaviyo_key: str = field(repr=False)
    peppers: tuple[bytes, ...] = field(repr=False)

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, str], *, prefix: str) -> "Secrets":
        """Sort the parameters found below `prefix` (names without it); name all that is missing."""
        wrong = [
            f"{prefix}/{name} is missing"
            for name in ("airtable-token", "klaviyo-key", "code-pepper")
            if not parameters.get(name)
        ]
        has_client = parameters.get("shopify-client-id") and parameters.get("shopify-client-secret")
        if not parameters.get("shopify-token") and not has_client:
            wrong.append(
                f"{prefix}/shopify-token is missing"
                f" (or both {prefix}/shopify-client-id and {prefix}/shopify-client-secret)"
            )
        peppers = [
            parameters[name]
            for name in ("code-pepper", "code-pepper-previous")
            if parameters.get(name)
        ]
        if any(len(pepper) < SHORTEST_PEPPER_CHARACTERS for pepper in peppers):
            wrong.append(
                f"{prefix}/code-pepper is shorter than {SHORTEST_PEPPER_CHARACTERS} characters"
                " (make one with: openssl rand -base64 48)"
            )
        if wrong:
            raise ConfigurationError(
                "These SecureString parameters in SSM Parameter Store need mending: "
                + "; ".join(wrong)
            )
        return cls(
            shopify_token=parameters.get("shopify-token"),
            shopify_client_id=parameters.get("shopify-client-id"),
            shopify_client_secret=parameters.get("shopify-client-secret"),
            airtable_token=parameters["airtable-token"],
            klaviyo_key=parameters["klaviyo-key"],
            peppers=tuple(pepper.encode() for pepper in peppers),
        )
