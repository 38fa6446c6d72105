"""What a rule of the RiskMonitor says: a cause that stands at this moment, with its figures."""

from datetime import UTC, datetime
from decimal import Decimal

from msgspec import Struct

from tradedesk.domain.alerts import Severity
from tradedesk.domain.words import AccountId

NS = 1_000_000_000
WORTH_A_LOOK = Decimal("0.5")  # of a limit; what is below is no finding. What becomes of it: domain.alert_rules


class Finding(Struct, frozen=True, kw_only=True):
    """A cause that stands at this moment."""

    key: str
    rule: str
    severity: Severity
    account: AccountId | None
    text: str
    value: Decimal | None = None
    limit: Decimal | None = None
    share: Decimal | None = None  # value over limit
    cause: str = ""  # what several alerts have in common, e.g. stream:acme; they are told as one
    group: str | None = None  # of accounts, where it is about one of them as a whole


def of_limit(
    rule: str,
    whose: str,
    value: Decimal,
    limit: Decimal | None,
    text: str,
    *,
    account: AccountId | None = None,
    group: str | None = None,
    cause: str = "",
) -> list[Finding]:
    """The finding of a figure near its limit or beyond it, `text` saying what the figure is; none below half of it.

    `whose` tells it from others of its rule: an account's name, or what of it.
    """
    if limit is None or limit <= 0 or value < limit * WORTH_A_LOOK:
        return []
    share = value / limit
    return [
        Finding(
            key=f"{rule}:{whose}",
            rule=rule,
            severity=Severity.Critical if share >= 1 else Severity.Warning,
            account=account,
            text=f"{text}, {share:.0%} of the limit",
            value=value,
            limit=limit,
            share=share,
            cause=cause,
            group=group,
        )
    ]


def moment(at: int) -> str:
    """As it stays true in a text that is kept; a duration would be old as soon as it is read."""
    return f"{datetime.fromtimestamp(at // NS, UTC):%H:%M:%S}Z"
