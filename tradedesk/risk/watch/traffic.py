"""What went over the wire, counted from what the venue answered and not by the order manager: ratios, patterns, slippage."""

from collections import defaultdict, deque
from collections.abc import Iterable
from decimal import Decimal

from tradedesk.domain import events as ev
from tradedesk.domain.alerts import Severity
from tradedesk.domain.movements import CAPITAL
from tradedesk.domain.orders import Fill, Happening, Order, RequestKind, RequestState, request_of
from tradedesk.domain.words import AccountId, InstrumentId, Side
from tradedesk.risk.watch.finding import NS, Finding, of_limit
from tradedesk.risk.watch.memory import Cross, Ended, Executed, Memory, Traffic
from tradedesk.views.replica import Replica

ZERO, BPS = Decimal(0), Decimal(10_000)
BURST_WINDOW_NS = 10 * NS
BURST_COUNT = 5
WINDOW_NS = 300 * NS  # of all ratios
FEWEST = 20  # orders within it, below which a ratio says nothing
MOST_REFUSED = Decimal("0.25")  # of what reached the venue
MOST_CANCELLED = Decimal("0.95")  # of the orders that ended, without a fill
MOST_PER_FILL = Decimal(50)  # orders, the venues' order-to-trade ratio
MOST_SLIPPAGE_BPS = Decimal(50)  # of the market at the moment the order was made, over the window, by notional
FEWEST_FILLS = 5
MOST_LAYERS = Decimal(4)  # cancelled price levels on one side while the other side traded
CROSS_NS = 600 * NS  # for so long a trade with oneself stays in sight
MOST_REMEMBERED = 5_000  # orders and trades; the oldest go first


def note_reject(memory: Memory, account: AccountId, at: int) -> None:
    """Count one refusal of the venue or of our own Gate."""
    times = memory.rejects.setdefault(account, deque(maxlen=BURST_COUNT * 4))
    times.append(at)


def note(memory: Memory, replica: Replica, event: ev.Event) -> None:
    """One event of the stream, folded into `replica` already."""
    match event:
        case ev.OrderPlaced(order=order) if not order.is_external:
            mark = memory.marks.get(order.instrument)
            if mark is not None:
                memory.arrivals[order.client_order_id] = mark
                if len(memory.arrivals) > MOST_REMEMBERED:
                    del memory.arrivals[next(iter(memory.arrivals))]
        case ev.RequestDecided():
            _decided(memory, replica, event)
        case ev.OrderMoved(happening=Happening.Canceled):
            order_ = replica.orders.get(event.client_order_id)
            if order_ is not None and not order_.is_external and not order_.cum_qty:
                _of(memory, event.account).ended.append(_ended(order_, event.at))
        case ev.OrderFilled(fill=fill):
            _filled(memory, fill, event.at)
        case ev.MovementSeen() if event.kind in CAPITAL:
            memory.moved.add(event.account)
        case _:
            pass


def _decided(memory: Memory, replica: Replica, event: ev.RequestDecided) -> None:
    """Of new orders: a cancel that lost to a fill is no refusal, and a replace is counted with its new order."""
    order = replica.orders.get(event.client_order_id)
    request = request_of(order, event.request_id) if order is not None else None
    if request is None or request.kind is not RequestKind.New:
        return
    traffic = _of(memory, event.account)
    if event.state in (RequestState.Refused, RequestState.Denied):
        note_reject(memory, event.account, event.at)
    if event.state is RequestState.Refused:
        traffic.refused.append(event.at)
    if event.state is RequestState.Acknowledged:
        traffic.accepted.append(event.at)


def _ended(order: Order, at: int) -> Ended:
    return Ended(
        at=at, instrument=order.instrument, side=order.side, price=order.price, placed_at=order.placed_at
    )  # fmt: skip


def _filled(memory: Memory, fill: Fill, at: int) -> None:
    arrival = memory.arrivals.get(fill.client_order_id)
    cost = None if not arrival else (fill.last_px - arrival) / arrival * BPS * fill.side.sign
    _of(memory, fill.account).executed.append(
        Executed(
            at=at,
            instrument=fill.instrument,
            side=fill.side,
            notional=fill.last_qty * fill.last_px,
            arrival_bps=cost,
        )
    )
    trade = (fill.instrument, fill.trade_id)
    met = memory.trades.setdefault(trade, (fill.account, fill.client_order_id))
    if met[1] != fill.client_order_id:
        accounts = (met[0], fill.account)
        memory.crosses.append(Cross(at=at, instrument=fill.instrument, trade_id=fill.trade_id, accounts=accounts))
    if len(memory.trades) > MOST_REMEMBERED:
        del memory.trades[next(iter(memory.trades))]


def _of(memory: Memory, account: AccountId) -> Traffic:
    return memory.traffic.setdefault(account, Traffic())


def traffic(replica: Replica, memory: Memory, account: AccountId, now: int) -> list[Finding]:
    """Bursts, ratios, slippage and layering of one account."""
    found = _rejects(memory, account, now)
    seen = memory.traffic.get(account)
    if seen is None:
        return found
    for times in (seen.accepted, seen.refused):
        while times and times[0] <= now - WINDOW_NS:
            times.popleft()
    for records in (seen.ended, seen.executed):
        while records and records[0].at <= now - WINDOW_NS:
            records.popleft()
    return found + _ratios(seen, account) + _slippage(seen, account) + _layering(replica, seen, account)


def crosses(replica: Replica, memory: Memory, now: int) -> list[Finding]:
    """Trades of this desk with itself, whichever accounts they were of."""
    found = {}
    for cross in memory.crosses:
        if cross.at <= now - CROSS_NS:
            continue
        one, other = sorted(cross.accounts)
        whose = one if one == other else f"{one} and {other}"
        name = _symbol(replica, cross.instrument)
        key = f"own-cross:{one}:{other}:{cross.instrument}"
        found[key] = Finding(
            key=key,
            rule="own-cross",
            severity=Severity.Critical,
            account=one if one == other else None,
            text=f"{whose} traded with {'itself' if one == other else 'each other'} in {name}: trade {cross.trade_id}",
            cause=f"pattern:{cross.instrument}",
        )
    return list(found.values())


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
            key=f"reject-burst:{account}", rule="reject-burst", severity=Severity.Warning, account=account, text=text,
            cause=f"orders:{account}",
        )
    ]  # fmt: skip


def _ratios(seen: Traffic, account: AccountId) -> list[Finding]:
    accepted, refused, fills = len(seen.accepted), len(seen.refused), len(seen.executed)
    cause = f"orders:{account}"
    found: list[Finding] = []
    if accepted + refused >= FEWEST:
        ratio = Decimal(refused) / (accepted + refused)
        text = f"the venue refused {ratio:.0%} of {accepted + refused} orders within 5 minutes"
        found += of_limit("reject-ratio", account, ratio, MOST_REFUSED, text, account=account, cause=cause)
    if accepted >= FEWEST:
        ratio = Decimal(len(seen.ended)) / max(len(seen.ended), accepted)
        if ratio >= MOST_CANCELLED:  # of a ratio whose limit is near all, half of it is no news
            text = f"{ratio:.0%} of {accepted} orders within 5 minutes were cancelled without a fill"
            found += of_limit("cancel-ratio", account, ratio, MOST_CANCELLED, text, account=account, cause=cause)
        per_fill = Decimal(accepted) / max(fills, 1)
        text = f"{accepted} orders for {fills} fills within 5 minutes"
        found += of_limit("fill-ratio", account, per_fill, MOST_PER_FILL, text, account=account, cause=cause)
    return found


def _slippage(seen: Traffic, account: AccountId) -> list[Finding]:
    """What fills cost against the market as their orders were made, weighted by notional."""
    known = [(fill.arrival_bps, fill.notional) for fill in seen.executed if fill.arrival_bps is not None]
    whole = sum((notional for _, notional in known), ZERO)
    if len(known) < FEWEST_FILLS or not whole:
        return []
    bps = sum((cost * notional for cost, notional in known), ZERO) / whole
    text = f"{len(known)} fills within 5 minutes cost {bps:.1f} bp against the market as their orders were made"
    return of_limit("slippage", account, bps, MOST_SLIPPAGE_BPS, text, account=account)


def _layering(replica: Replica, seen: Traffic, account: AccountId) -> list[Finding]:
    """Levels on one side that were taken away unfilled, and stood while the account traded on the other side."""
    levels: defaultdict[tuple[InstrumentId, Side], set[Decimal | None]] = defaultdict(set)
    for order in seen.ended:
        if _is_traded_against(order, seen.executed):
            levels[order.instrument, order.side].add(order.price)
    found: list[Finding] = []
    for (instrument, side), prices in levels.items():
        text = (
            f"{len(prices)} price levels of {side} orders in {_symbol(replica, instrument)} were cancelled unfilled after"
            f" it traded on the other side"
        )
        whose = f"{account}:{instrument}:{side}"
        cause = f"pattern:{instrument}"
        found += of_limit("layering", whose, Decimal(len(prices)), MOST_LAYERS, text, account=account, cause=cause)
    return found


def _is_traded_against(order: Ended, fills: Iterable[Executed]) -> bool:
    return any(
        fill.instrument == order.instrument
        and fill.side is order.side.opposite
        and order.placed_at <= fill.at <= order.at
        for fill in fills
    )


def _symbol(replica: Replica, instrument: InstrumentId) -> str:
    known = replica.instruments.get(instrument)
    return known.symbol if known is not None else instrument
