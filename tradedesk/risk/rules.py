"""The rules of the RiskMonitor: a replica and a memory in, findings out. Pure; the thread around them is in `monitor`."""

from collections import deque
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
from msgspec import Struct

from tradedesk.domain.alerts import Severity
from tradedesk.domain.findings import Level
from tradedesk.domain.instruments import FeedState
from tradedesk.domain.keys import expiry_stage
from tradedesk.domain.limits import Limits
from tradedesk.domain.money import plain
from tradedesk.domain.words import AccountId
from tradedesk.risk.mandate_watch import breaches
from tradedesk.views.figures import account_figures
from tradedesk.views.replica import AccountRow, Replica

NS = 1_000_000_000
BURST_WINDOW_NS = 10 * NS
BURST_COUNT = 5
STREAM_GRACE_NS = 3 * NS  # a private stream may reconnect for this long before it is news
FEED_GRACE_NS = 2 * NS
WARN_SHARE = Decimal("0.8")  # of a limit
DAY_NS = 86_400 * NS


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


class Memory(Struct, kw_only=True):
    """What the rules remember from look to look. Owned by the RiskMonitor's thread."""

    day: int = 0  # days since the epoch, UTC: the zone in which a day's peak is kept
    peak: dict[AccountId, Decimal] = msgspec.field(
        default_factory=dict
    )  # highest net P&L of the day, reporting currency
    rejects: dict[AccountId, deque[int]] = msgspec.field(default_factory=dict)  # times of refusals and denials, ns
    stream_down_since: dict[AccountId, int] = msgspec.field(default_factory=dict)


def note_reject(memory: Memory, account: AccountId, at: int) -> None:
    """Count one refusal of the venue or of our own Gate."""
    times = memory.rejects.setdefault(account, deque(maxlen=BURST_COUNT * 4))
    times.append(at)


def findings(replica: Replica, memory: Memory, currency: str, now: int) -> list[Finding]:
    """Everything that is wrong now; what is gone from the list has ended."""
    if now // DAY_NS > memory.day:  # never back: a clock set back over midnight must not forget the peak (F60)
        memory.day = now // DAY_NS
        memory.peak.clear()
    found: list[Finding] = []
    for account, row in replica.accounts.items():
        found.extend(_money(replica, memory, account, row.account.limits, currency))
        found.extend(_rejects(memory, account, now))
        found.extend(_stream(replica, memory, account, now))
        found.extend(_key(row, now))
        found.extend(_exit(replica, row))
        found.extend(_mandate(replica, row, currency, now))
        found.extend(_profile(row))
    found.extend(_feeds(replica, now))
    return found


def _money(replica: Replica, memory: Memory, account: AccountId, limits: Limits, currency: str) -> list[Finding]:
    """Drawdown from the day's peak of net P&L, which deposits and withdrawals do not touch, and gross exposure."""
    figures = account_figures(replica, account, currency)
    found = []
    if figures.net is not None:
        peak = memory.peak[account] = max(memory.peak.get(account, figures.net), figures.net)
        if limits.max_drawdown is not None:
            found.append(_share("drawdown", account, peak - figures.net, limits.max_drawdown, currency))
    if limits.max_exposure is not None:
        found.append(_share("exposure", account, figures.exposure, limits.max_exposure, currency))
    return [finding for finding in found if finding is not None]


def _share(rule: str, account: AccountId, value: Decimal, limit: Decimal, currency: str) -> Finding | None:
    if limit <= 0 or value < limit * WARN_SHARE:
        return None
    severity = Severity.Critical if value >= limit else Severity.Warning
    text = f"{rule} {value:.2f} {currency} is {value / limit:.0%} of the limit {plain(limit)}"
    return Finding(key=f"{rule}:{account}", rule=rule, severity=severity, account=account, text=text)


def _rejects(memory: Memory, account: AccountId, now: int) -> list[Finding]:
    times = memory.rejects.get(account)
    if not times:
        return []
    while times and times[0] <= now - BURST_WINDOW_NS:
        times.popleft()
    if len(times) < BURST_COUNT:
        return []
    text = f"{len(times)} orders refused within {BURST_WINDOW_NS // NS} s; look before sending more"
    return [
        Finding(
            key=f"reject-burst:{account}", rule="reject-burst", severity=Severity.Warning, account=account, text=text
        )
    ]


def _stream(replica: Replica, memory: Memory, account: AccountId, now: int) -> list[Finding]:
    health = replica.accounts[account].health
    if health is None or health.is_stream_up:
        memory.stream_down_since.pop(account, None)
        return []
    since = memory.stream_down_since.setdefault(account, now)
    if now - since < STREAM_GRACE_NS:
        return []
    text = f"the private stream is down since {_clock(since)}: fills arrive late, by reconciliation only"
    return [Finding(key=f"stream:{account}", rule="staleness", severity=Severity.Critical, account=account, text=text)]


def _exit(replica: Replica, row: AccountRow) -> list[Finding]:
    """An exit in use that is not proved, or is seen where it must not be."""
    in_use, proof = replica.exit_of(row.account)
    if proof.exit != in_use or proof.problem is None:
        return []
    account = row.account.id
    return [
        Finding(key=f"exit:{account}", rule="exit", severity=Severity.Critical, account=account, text=proof.problem)
    ]


def _mandate(replica: Replica, row: AccountRow, currency: str, now: int) -> list[Finding]:
    """Beyond what may be done for the client, without an order of ours; critical once the day to cure it is past."""
    account = row.account.id
    return [
        Finding(
            key=breach.key,
            rule="mandate",
            severity=Severity.Critical if breach.is_overdue else Severity.Warning,
            account=account,
            text=breach.text,
            value=breach.value,
            limit=breach.limit,
            cause=f"mandate:{account}",
        )
        for breach in breaches(replica, row, currency, now)
    ]


def _profile(row: AccountRow) -> list[Finding]:
    """Settings at the venue that are not as they must be."""
    account, checked = row.account.id, row.profile
    if checked is None or not checked.differences:
        return []
    text = f"not set at the venue as it must be, so only what reduces may go: {'; '.join(checked.differences)}"
    return [
        Finding(
            key=f"profile:{account}",
            rule="profile",
            severity=Severity.Critical,
            account=account,
            text=text,
            cause=f"profile:{account}",
        )
    ]


def _key(row: AccountRow, now: int) -> list[Finding]:
    """What is wrong with the account's key, as its newest look has it, and how near its end is, told at each stage once."""
    checked = row.key
    if checked is None:
        return []
    account = row.account.id
    found = [
        Finding(
            key=f"key-{wrong.what}:{account}",
            rule="key",
            severity=Severity.Critical if wrong.level is Level.Fail else Severity.Warning,
            account=account,
            text=f"{wrong.text}: {wrong.remedy}",
        )
        for wrong in checked.findings
        if wrong.level is not Level.Ok and wrong.what != "expiry"  # which goes on without a look, by its stages
    ]
    expires_at = checked.report.rights.expires_at if checked.report.rights is not None else None
    stage = expiry_stage(expires_at, now) if expires_at is not None else None
    if expires_at is not None and stage is not None:
        days, severity = stage
        when = datetime.fromtimestamp(expires_at // NS, UTC)
        left = f"within {days} d" if days else "and is over"
        text = f"the key's right to trade ends {when:%Y-%m-%d %H:%MZ}, {left}: make a new key and put it in"
        key = f"key-expiry:{account}"
        found.append(Finding(key=key, rule="key-expiry", severity=severity, account=account, text=text))
    return found


def _feeds(replica: Replica, now: int) -> list[Finding]:
    found = []
    for market in replica.markets.values():
        if market.state is FeedState.Live or now - market.state_since < FEED_GRACE_NS:
            continue
        instrument = replica.instruments.get(market.instrument)
        name = instrument.symbol if instrument is not None else market.instrument
        text = f"{name}: market data is {market.state} since {_clock(market.state_since)}"
        found.append(
            Finding(
                key=f"feed:{market.instrument}", rule="staleness", severity=Severity.Warning, account=None, text=text
            )
        )
    return found


def _clock(at: int) -> str:
    """A moment as it stays true in a text that is kept; a duration would be old as soon as it is read."""
    return f"{datetime.fromtimestamp(at // NS, UTC):%H:%M:%S}Z"
