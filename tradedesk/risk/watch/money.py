"""P&L of the day, exposure and concentration: of every account, of groups and of the desk."""

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct

from tradedesk.domain.day import DAY_NS, Gain, gain_of
from tradedesk.domain.limits import Totals
from tradedesk.domain.money import plain
from tradedesk.domain.positions import Position
from tradedesk.domain.words import AccountId
from tradedesk.risk.days import DESK, scope_of, scopes_of
from tradedesk.risk.watch.finding import Finding, of_limit
from tradedesk.risk.watch.memory import Memory
from tradedesk.views.replica import Replica

ZERO = Decimal(0)


class Held(Struct, kw_only=True):
    """What one scope holds, at the marks, in reporting currency."""

    gross: Decimal = ZERO
    net: Decimal = ZERO
    assets: dict[str, Decimal] = {}


def money(
    replica: Replica, memory: Memory, currency: str, totals: Mapping[str, tuple[Totals, str]], now: int
) -> list[Finding]:
    """Day and holdings against the limits of each account, and against the totals of groups and the desk."""
    held: defaultdict[AccountId, list[Position]] = defaultdict(list)
    for (account, _), position in replica.positions.items():
        held[account].append(position)
    prices = _prices(replica, currency)
    sums: defaultdict[str, Held] = defaultdict(Held)
    found: list[Finding] = []
    for account, row in replica.accounts.items():
        _meet(replica, memory, account)
        gain = gain_of(
            held[account],
            replica.incomes.get(account, {}),
            replica.instruments,
            lambda instrument: replica.market(instrument).mark,
            prices.get,
        )
        memory.days.tell(account, gain, now, has_moved=account in memory.moved)
        if gain.net is not None:
            memory.moved.discard(account)
        _hold(replica, held[account], prices, [sums[scope] for scope in scopes_of(row.account)])
        found += _of_account(replica, memory, account, held[account], gain, sums[f"account {account}"], currency)
    for scope, (most, _) in totals.items():
        found += _of_scope(memory, scope, most, sums[scope], currency, now)
    return found


def _meet(replica: Replica, memory: Memory, account: AccountId) -> None:
    """Of an account that is new here, what the journal knows of its day, and of its groups'."""
    if account in memory.known:
        return
    memory.known.add(account)
    listed = replica.accounts[account].account
    memory.days.know(listed)
    scopes = scopes_of(listed)
    memory.days.recall(mark for mark in replica.days.values() if scope_of(mark) in scopes)


def _prices(replica: Replica, currency: str) -> dict[str, Decimal]:
    """Reporting currency per unit of an asset, where a market of it is known."""
    prices = {currency: Decimal(1)}
    for instrument in replica.instruments.values():
        mark = replica.market(instrument.id).mark if instrument.quote == currency else None
        if mark is not None:
            prices.setdefault(instrument.base, mark)
    return prices


def _hold(replica: Replica, held: list[Position], prices: Mapping[str, Decimal], sums: list[Held]) -> None:
    for position in held:
        instrument = replica.instruments.get(position.instrument)
        mark = replica.market(position.instrument).mark
        if instrument is None or mark is None or instrument.quote not in prices:
            continue
        value = position.qty * mark * prices[instrument.quote]
        for each in sums:
            each.gross += abs(value)
            each.net += value
            each.assets = each.assets | {instrument.base: each.assets.get(instrument.base, ZERO) + value}


def _of_account(
    replica: Replica,
    memory: Memory,
    account: AccountId,
    held: list[Position],
    gain: Gain,
    sums: Held,
    currency: str,
) -> list[Finding]:
    limits = replica.accounts[account].account.limits
    found: list[Finding] = []
    day = memory.days.day(f"account {account}") if gain.net is not None else None
    if day is not None:
        found += _day(
            day.loss, day.drawdown, limits.max_daily_loss, limits.max_drawdown, f"{account}", currency, account
        )
    text = f"exposure {sums.gross:.2f} {currency}"
    found += of_limit("exposure", account, sums.gross, limits.max_exposure, text, account=account)
    text = f"net exposure {sums.net:.2f} {currency}"
    found += of_limit("net-exposure", account, abs(sums.net), limits.max_net_exposure, text, account=account)
    for position in held:
        instrument, mark = replica.instruments.get(position.instrument), replica.market(position.instrument).mark
        own = limits.instruments.get(position.instrument)
        most = (
            limits.max_position_notional if own is None else own.max_position_notional or limits.max_position_notional
        )
        if instrument is None or mark is None or most is None or not position.qty:
            continue  # a limit that nobody set is the Gate's alone
        notional = abs(position.qty) * mark
        text = f"{instrument.symbol} is {notional:.2f} {instrument.quote}, at most {plain(most)}"
        whose = f"{account}:{instrument.id}"
        found += of_limit("concentration", whose, notional, most, text, account=account)
    return found


def _of_scope(memory: Memory, scope: str, most: Totals, sums: Held, currency: str, now: int) -> list[Finding]:
    group = None if scope == DESK else scope.removeprefix("group ")
    whose = "desk" if group is None else f"group:{group}"
    found: list[Finding] = []
    day, today = memory.days.day(scope), memory.days.today(scope)
    if day is not None and today.loss is not None and day.day >= now // DAY_NS:
        found += _day(
            day.loss, day.drawdown, most.max_daily_loss, most.max_drawdown, whose, currency, None, group, scope
        )
    text = f"exposure of {scope} {sums.gross:.2f} {currency}"
    found += of_limit("exposure", whose, sums.gross, most.max_exposure, text, group=group)
    text = f"net exposure of {scope} {sums.net:.2f} {currency}"
    found += of_limit("net-exposure", whose, abs(sums.net), most.max_net_exposure, text, group=group)
    for asset, value in sums.assets.items():
        text = f"{asset} held by {scope} is {abs(value):.2f} {currency}"
        found += of_limit(
            "concentration", f"{whose}:{asset}", abs(value), most.max_position_notional, text, group=group
        )
    return found


def _day(
    loss: Decimal,
    drawdown: Decimal,
    most_lost: Decimal | None,
    most_fallen: Decimal | None,
    whose: str,
    currency: str,
    account: AccountId | None,
    group: str | None = None,
    scope: str = "",
) -> list[Finding]:
    of = f" of {scope}" if scope else ""
    cause = f"day:{whose}"
    text = f"daily loss{of} {loss:.2f} {currency} of {'' if most_lost is None else plain(most_lost)}"
    found = of_limit("daily-loss", whose, loss, most_lost, text, account=account, group=group, cause=cause)
    text = f"drawdown{of} {drawdown:.2f} {currency} of {'' if most_fallen is None else plain(most_fallen)}"
    return found + of_limit("drawdown", whose, drawdown, most_fallen, text, account=account, group=group, cause=cause)
