"""How the setup's questions, findings and result read, on every face of it. Pure."""

from collections.abc import Iterator

from tradedesk.config.questions import Question
from tradedesk.config.settings import Settings
from tradedesk.domain.accounts import Mode
from tradedesk.domain.findings import Finding
from tradedesk.domain.money import plain
from tradedesk.domain.text import clean

BACK = "<"  # typed as an answer


def offer_lines(question: Question) -> list[str]:
    """The choices, numbered: a number is as good an answer as the words."""
    widest = max((len(offer.value) for offer in question.offers), default=0)
    return [
        f"{number}  {offer.value:<{widest}}  {offer.says}".rstrip() for number, offer in enumerate(question.offers, 1)
    ]


def proposed(question: Question) -> str:
    if question.proposal:
        return f"[proposed: {question.proposal}] "
    return "[nothing, or] " if question.is_optional else ""


def finding_lines(finding: Finding) -> list[str]:
    """What was found, and on a line of its own what to do."""
    lines = [clean(f"{finding.level.value:<4} {finding.what}: {finding.text}")]
    return [*lines, clean(f"     do: {finding.remedy}")] if finding.remedy else lines


def summary(settings: Settings) -> Iterator[str]:
    """The desk that would be written, for a person to say yes to."""
    yield f"desk {settings.desk.name}, figures in {settings.desk.reporting_currency}"
    for venue in settings.venues.values():
        yield f"  venue {venue.id}: {venue.exchange}, {venue.url or 'LIVE'}, {', '.join(venue.instruments)}"
    for account in settings.accounts.values():
        limits = account.limits
        largest = "none, so it is blocked" if limits.max_order_notional is None else plain(limits.max_order_notional)
        mode = "LIVE" if account.mode is Mode.Live else "paper"
        yield f"  account {account.id} ({account.owner}, {mode}) at {account.venue} by {account.egress}: largest order {largest}"
    for operator in settings.operators.values():
        yield f"  operator {operator.name}: {', '.join(operator.roles)} for {', '.join(operator.accounts)}"
    for receiver in settings.alerts.values():
        yield f"  alerts to {receiver.name} ({receiver.kind.value}), from {receiver.least.value} on"
