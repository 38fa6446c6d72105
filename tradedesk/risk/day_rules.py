"""Rules of the Gate about the day: a loss or a drawdown that is used up stops new risk; what reduces still passes."""

from decimal import Decimal

from tradedesk.domain.day import Today
from tradedesk.domain.gate import Denial, Together
from tradedesk.domain.instruments import Instrument
from tradedesk.domain.limits import Effective
from tradedesk.domain.money import plain, to_places
from tradedesk.risk.case import Case, no


def daily_loss(case: Case, instrument: Instrument, limits: Effective) -> Denial | None:
    """What the account lost since the day began, fees counted, deposits and withdrawals not."""
    source = limits.source("max_daily_loss")
    return _lost("daily_loss", case, "the account", case.given.today, limits.max_daily_loss, source)


def drawdown(case: Case, instrument: Instrument, limits: Effective) -> Denial | None:
    """How far the account is below the best moment of the day."""
    source = limits.source("max_drawdown")
    return _fell("drawdown", case, "the account", case.given.today, limits.max_drawdown, source)


def days_together(case: Case) -> tuple[Denial, ...]:
    """The same of the account's groups and of the desk."""
    found = [denial for scope in case.given.together for denial in days_of_scope(case, scope)]
    return tuple(denial for denial in found if denial is not None)


def days_of_scope(case: Case, scope: Together) -> tuple[Denial | None, Denial | None]:
    """Its loss and its drawdown, in this order."""
    totals, source = scope.totals, scope.source
    return (
        _lost("total_daily_loss", case, scope.name, scope.today, totals.max_daily_loss, source),
        _fell("total_drawdown", case, scope.name, scope.today, totals.max_drawdown, source),
    )


def _lost(rule: str, case: Case, whose: str, today: Today, most: Decimal | None, source: str) -> Denial | None:
    return _used_up(rule, case, f"the day's loss of {whose}", today.loss, today, most, source)


def _fell(rule: str, case: Case, whose: str, today: Today, most: Decimal | None, source: str) -> Denial | None:
    what = f"the drawdown of {whose} from the day's peak"
    return _used_up(rule, case, what, today.drawdown, today, most, source)


def _used_up(
    rule: str, case: Case, what: str, value: Decimal | None, today: Today, most: Decimal | None, source: str
) -> Denial | None:
    if most is None or case.is_reducing:
        return None
    if value is None:
        missing = ", ".join(today.unpriced) or "what it holds"
        return no(rule, f"{what} cannot be told: {missing} has no price now", most, source=source)
    if value < most:
        return None
    text = f"{what} is {value:.2f}, at most {plain(most)}; only what reduces may be sent until the next day (UTC)"
    return no(rule, text, most, to_places(value, 2), source)
