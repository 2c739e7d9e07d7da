"""The numbers behind the alarms, each one series of its own in CloudWatch.

CloudWatch charges for each metric together with its dimensions, so they have the deployment for one
and no function (its log says which), and only heartbeats have their prong as well. Two deployments
in one account do not count, or miss, each other's. Units cost nothing, and are kept apart: of one
metric an alarm may hear what is counted, and another one the seconds.
"""

from dataclasses import dataclass
from enum import StrEnum

from aws_lambda_powertools.metrics import MetricUnit, single_metric

NAMESPACE = "UniversalGiftCards"


class Metric(StrEnum):
    """Everything that is counted."""

    RUN_FINISHED = "RunFinished"
    # In seconds: how long a store waited for its answer. Counted: mail to anybody that still waits.
    MAIL_WAITED = "MailWaited"
    PARKED = "Parked"
    MESSAGE_FAILED = "MessageFailed"
    SHOPIFY_VERSION_CHANGED = "ShopifyVersionChanged"
    CHECK_LOCKED_OUT = "CheckLockedOut"
    UNEXPLAINED_MONEY = "UnexplainedMoney"
    BASE_FILLS = "BaseFills"


@dataclass(frozen=True, slots=True)
class Metrics:
    """Counts for one deployment, `stage`: a line in the log that CloudWatch reads by itself."""

    stage: str

    def count(self, metric: Metric) -> None:
        """Count one more."""
        self._write(metric, MetricUnit.Count, 1)

    def count_finished_run(self, prong: str) -> None:
        """The heartbeat of one prong: another's must not stand in for it."""
        self._write(Metric.RUN_FINISHED, MetricUnit.Count, 1, prong=prong)

    def note_seconds(self, metric: Metric, seconds: float) -> None:
        """Note how long something took."""
        self._write(metric, MetricUnit.Seconds, seconds)

    def _write(self, metric: Metric, unit: MetricUnit, value: float, **dimensions: str) -> None:
        with single_metric(name=metric, unit=unit, value=value, namespace=NAMESPACE) as one:
            # Powertools would add the function's name under this name.
            one.add_dimension(name="service", value=f"universal-gift-cards-{self.stage}")
            for name, called in dimensions.items():
                one.add_dimension(name=name, value=called)
