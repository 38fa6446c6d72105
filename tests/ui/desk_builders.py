"""A desk to look at: three client accounts, three markets, orders in every state, all at one fixed moment.

`a_view()` returns a DeskView over a feed that is a list; `feed_of(view).push(event)` is what a desk would publish.
"""

import math
import random
from collections.abc import Sequence
from decimal import Decimal

from tradedesk.domain import events as ev
from tradedesk.domain.accounts import Account, AccountState, HaltLevel, Mode
from tradedesk.domain.alerts import Alert, Severity
from tradedesk.domain.findings import fail, ok, warn
from tradedesk.domain.instruments import Candle, FeedState, Instrument, PublicTrade
from tradedesk.domain.keys import DAY_NS, KeyReport, KeyRights
from tradedesk.domain.limits import Limits
from tradedesk.domain.money import Money
from tradedesk.domain.orders import Fill, Happening, Order, Request, RequestKind, RequestState
from tradedesk.domain.positions import Balance
from tradedesk.domain.words import (
    AccountId,
    ClientOrderId,
    InstrumentId,
    OperatorId,
    OrderType,
    RequestId,
    Side,
    TimeInForce,
    VenueId,
    VenueOrderId,
)
from tradedesk.views.feed import DeskView, Lost, Numbered, Update

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
NOW = 1_795_521_871 * SECOND  # 2026-11-24 12:04:31 UTC
VENUE = VenueId("binance")
ANN = OperatorId("ann")
ACME, BIRCH, CEDAR = AccountId("acme"), AccountId("birch"), AccountId("cedar")
BTC, ETH, SOL = InstrumentId("binance:BTCUSDT"), InstrumentId("binance:ETHUSDT"), InstrumentId("binance:SOLUSDT")
EXITS = {ACME: "127.0.0.2", BIRCH: "127.0.0.3", CEDAR: "127.0.0.4"}
MIDDLE = {BTC: Decimal("64000"), ETH: Decimal("3120"), SOL: Decimal("141.5")}


class ListFeed:
    """A feed that hands over what was pushed."""

    def __init__(self, events: Sequence[ev.Event] = ()) -> None:
        self.number = 0
        self.waiting: list[Update] = []
        for event in events:
            self.push(event)

    def push(self, *events: ev.Event) -> None:
        for event in events:
            self.number += 1
            self.waiting.append(Numbered(number=self.number, event=event))

    def lose(self, since: int, reason: str) -> None:
        self.waiting.append(Lost(since=since, reason=reason))

    def take(self) -> list[Update]:
        taken, self.waiting = self.waiting, []
        return taken

    def close(self) -> None:
        self.waiting = []


def feed_of(view: DeskView) -> ListFeed:
    feed = view._feed
    assert isinstance(feed, ListFeed)
    return feed


def an_instrument(
    id: InstrumentId = BTC, symbol: str = "BTC/USDT", tick: str = "0.01", lot: str = "0.00001"
) -> Instrument:
    base, quote = symbol.split("/")
    return Instrument(
        id=id, venue=VENUE, venue_symbol=base + quote, symbol=symbol, base=base, quote=quote, tick=Decimal(tick),
        lot=Decimal(lot), min_qty=Decimal(lot), max_qty=Decimal(9000), min_notional=Decimal(5),
    )  # fmt: skip


INSTRUMENTS = (
    an_instrument(),
    an_instrument(ETH, "ETH/USDT", "0.01", "0.0001"),
    an_instrument(SOL, "SOL/USDT", "0.01", "0.001"),
)


def an_account(id: str = "acme", **changes: object) -> Account:
    fields: dict[str, object] = {
        "id": AccountId(id), "venue": VENUE, "owner": id, "groups": ("all", "growth"), "mode": Mode.Paper,
        "egress": EXITS.get(AccountId(id), "127.0.0.9"), "secret": id,
        "limits": Limits(max_order_notional=Decimal(20_000), max_position_notional=Decimal(80_000),
                         max_exposure=Decimal(80_000), max_drawdown=Decimal(2_000)),
    }  # fmt: skip
    return Account(**(fields | changes))  # type: ignore[arg-type]


def an_order(client_order_id: str = "c1", account: str = "acme", **changes: object) -> Order:
    placed_at = changes.get("placed_at", NOW - 90 * SECOND)
    fields: dict[str, object] = {
        "account": AccountId(account), "client_order_id": ClientOrderId(client_order_id), "instrument": BTC,
        "side": Side.Buy, "order_type": OrderType.Limit, "time_in_force": TimeInForce.GoodTillCancel,
        "order_qty": Decimal("0.1"), "price": Decimal("63990.00"), "operator": ANN,
        "egress": EXITS.get(AccountId(account), "127.0.0.9"), "placed_at": placed_at, "deadline": NOW + 5 * SECOND,
        "requests": (a_request(client_order_id, at=placed_at),), "updated_at": placed_at,
    }  # fmt: skip
    return Order(**(fields | changes))  # type: ignore[arg-type]


def a_request(id: str = "c1", kind: RequestKind = RequestKind.New, at: object = NOW, **changes: object) -> Request:
    fields: dict[str, object] = {"request_id": RequestId(id), "kind": kind, "operator": ANN, "made_at": at}
    return Request(**(fields | changes))  # type: ignore[arg-type]


def a_fill(order: Order, qty: str, price: str, trade_id: str = "t1", at: int = NOW - 60 * SECOND) -> Fill:
    return Fill(
        account=order.account, client_order_id=order.client_order_id, venue_order_id=VenueOrderId("v1"),
        instrument=order.instrument, trade_id=trade_id, side=order.side, last_qty=Decimal(qty), last_px=Decimal(price),
        fee=Money(Decimal(qty) * Decimal(price) / 1000, "USDT"), is_maker=False, transact_time=at,
    )  # fmt: skip


def placed(order: Order) -> ev.OrderPlaced:
    return ev.OrderPlaced(at=order.placed_at, source=f"worker:{order.account}", order=order)


def working(order: Order) -> list[ev.Event]:
    """The order placed and acknowledged."""
    return [placed(order), *acknowledged(order), moved(order, Happening.Accepted)]


def acknowledged(order: Order, state: RequestState = RequestState.Acknowledged, why: str = "") -> list[ev.Event]:
    return [
        ev.RequestDecided(
            at=NOW, source="worker", account=order.account, client_order_id=order.client_order_id,
            request_id=RequestId(order.client_order_id), state=state, reasons=(why,) if why else (),
        )
    ]  # fmt: skip


def moved(order: Order, happening: Happening, reason: str | None = None) -> ev.OrderMoved:
    return ev.OrderMoved(
        at=NOW, source="worker", account=order.account, client_order_id=order.client_order_id, happening=happening,
        venue_order_id=VenueOrderId("8812"), reason=reason,
    )  # fmt: skip


def filled(order: Order, qty: str, price: str, trade_id: str, at: int = NOW - 60 * SECOND) -> ev.OrderFilled:
    return ev.OrderFilled(at=at, source="worker", fill=a_fill(order, qty, price, trade_id, at))


def asked(order: Order, kind: RequestKind, at: int) -> ev.RequestMade:
    return ev.RequestMade(
        at=at, source="worker", account=order.account, client_order_id=order.client_order_id,
        request=a_request(f"{order.client_order_id}-{kind}", kind, at),
    )  # fmt: skip


def orders_in_every_state() -> list[ev.Event]:
    """One order for every state a screen can show, over three accounts."""
    made: list[ev.Event] = []

    def one(id: str, account: AccountId, side: Side, qty: str, price: str | None, ago: int, **more: object) -> Order:
        more = {"instrument": BTC, **more}
        kind = OrderType.Market if price is None else OrderType.Limit
        return an_order(
            id, account, side=side, order_qty=Decimal(qty), price=None if price is None else Decimal(price),
            order_type=kind, placed_at=NOW - ago * SECOND, **more,
        )  # fmt: skip

    made += working(one("TD-0101", ACME, Side.Buy, "0.12000", "63996.50", 252, post_only=True))
    part = one("TD-0102", ACME, Side.Sell, "0.20000", "64003.20", 187)
    made += [*working(part), filled(part, "0.05000", "64003.20", "b1")]
    made += working(one("TD-0201", BIRCH, Side.Buy, "1.5000", "3118.40", 96, instrument=ETH))
    made += working(one("TD-0301", CEDAR, Side.Sell, "25.000", "143.10", 3722, instrument=SOL, reduce_only=True))
    made += [placed(one("TD-0103", ACME, Side.Buy, "0.04000", "63994.00", 0))]
    made += [placed(one("TD-0202", BIRCH, Side.Sell, "0.80000", "64010.00", 4))]
    lost = one("TD-0302", CEDAR, Side.Buy, "0.15000", "63995.10", 14)
    made += [placed(lost), *acknowledged(lost, RequestState.Unknown, "no answer within 5 s")]
    leaving = one("TD-0104", ACME, Side.Buy, "0.30000", "63990.00", 640)
    made += [*working(leaving), asked(leaving, RequestKind.Cancel, NOW - 1 * SECOND)]
    moving = one("TD-0203", BIRCH, Side.Sell, "2.0000", "3133.00", 340, instrument=ETH)
    made += [*working(moving), asked(moving, RequestKind.Replace, NOW - 3 * SECOND)]
    made += working(one("web_91ac", CEDAR, Side.Buy, "40.000", "139.80", 7300, instrument=SOL, is_external=True))
    done = one("TD-0099", ACME, Side.Buy, "0.50000", "63910.20", 1500)
    made += [*working(done), filled(done, "0.50000", "63910.20", "b0", NOW - 24 * MINUTE)]
    bought = one("TD-0199", BIRCH, Side.Buy, "6.0000", None, 1300, instrument=ETH)
    made += [*working(bought), filled(bought, "6.0000", "3108.75", "e0", NOW - 21 * MINUTE)]
    sold = one("TD-0299", CEDAR, Side.Sell, "120.000", "142.20", 900, instrument=SOL)
    made += [*working(sold), filled(sold, "120.000", "142.20", "s0", NOW - 15 * MINUTE)]
    gone = one("TD-0098", ACME, Side.Sell, "0.10000", "64090.00", 2100)
    made += [*working(gone), moved(gone, Happening.Canceled, "by ann")]
    late = one("TD-0198", BIRCH, Side.Buy, "0.20000", "63980.00", 2400, time_in_force=TimeInForce.ImmediateOrCancel)
    made += [*working(late), moved(late, Happening.Expired, "nothing to trade against")]
    bad = one("TD-0298", CEDAR, Side.Buy, "9.00000", "63950.00", 2700)
    made += [placed(bad), moved(bad, Happening.Rejected, "Account has insufficient balance for requested action.")]
    absent = one("TD-0097", ACME, Side.Buy, "0.01000", "63000.00", 4100)
    made += [placed(absent), moved(absent, Happening.ProvedAbsent)]
    denied = one("TD-0197", BIRCH, Side.Buy, "3.00000", "64000.00", 4200)
    made += [placed(denied), moved(denied, Happening.Denied, "max_order_notional: 192 000.00 is above 20 000.00")]
    return made


def a_book(instrument: InstrumentId, levels: int = 25, seed: int = 1) -> tuple[list[tuple[Decimal, Decimal]], ...]:
    """Bids and asks around the instrument's middle, best first."""
    dice = random.Random(f"{instrument}{seed}")
    tick = next(known.tick for known in INSTRUMENTS if known.id == instrument)
    step = {BTC: 40, ETH: 6, SOL: 1}[instrument]
    sides: list[list[tuple[Decimal, Decimal]]] = []
    for sign in (-1, 1):
        price, side = MIDDLE[instrument] + sign * tick, []
        for level in range(levels):
            size = Decimal(f"{abs(dice.gauss(2, 1.3)) * (0.6 + level / 10) + 0.004:.5f}")
            side.append((price, size))
            price += sign * tick * dice.randint(1, 2 * step)
        sides.append(side)
    return sides[0], sides[1]


def a_book_frame(
    instrument: InstrumentId = BTC, at: int = NOW, state: FeedState = FeedState.Live, seed: int = 1
) -> ev.BookFrame:
    bids, asks = a_book(instrument, seed=seed)
    return ev.BookFrame(
        at=at, source="feed:binance", instrument=instrument, bids=tuple(bids), asks=tuple(asks), received_at=at,
        state=state,
    )  # fmt: skip


def a_tape_frame(instrument: InstrumentId, count: int = 40, at: int = NOW) -> ev.TapeFrame:
    dice = random.Random(f"tape{instrument}")
    tick = next(known.tick for known in INSTRUMENTS if known.id == instrument)
    trades = tuple(
        PublicTrade(
            trade_id=str(5_000 + number),
            price=MIDDLE[instrument] + tick * (1 if (is_buyer := dice.random() < 0.5) else -1),
            qty=Decimal(f"{dice.expovariate(6) + 0.00011:.5f}"),
            taker_is_buyer=is_buyer,
            at=at - (count - number) * SECOND // 2,
        )
        for number in range(count)
    )
    return ev.TapeFrame(at=at, source="feed:binance", instrument=instrument, trades=trades)


def a_candle_frame(instrument: InstrumentId, count: int = 240, at: int = NOW) -> ev.CandleFrame:
    dice = random.Random(f"candles{instrument}")
    middle = float(MIDDLE[instrument])
    price, backwards = middle, []
    first = at // MINUTE * MINUTE
    for number in range(count):  # from the present back, so that the last close is the middle of the book
        drift = 0.00012 * math.sin(number / 17)
        opened = price * (1 - dice.gauss(drift, 0.00035))
        high = max(price, opened) * (1 + abs(dice.gauss(0, 0.00018)))
        low = min(price, opened) * (1 - abs(dice.gauss(0, 0.00018)))
        backwards.append(
            Candle(
                open_time=first - number * MINUTE, open=Decimal(f"{opened:.2f}"), high=Decimal(f"{high:.2f}"),
                low=Decimal(f"{low:.2f}"), close=Decimal(f"{price:.2f}"),
                volume=Decimal(f"{abs(dice.gauss(9, 5)) * (1 + 40 * abs(price - opened) / middle * 25):.5f}"),
            )
        )  # fmt: skip
        price = opened
    return ev.CandleFrame(
        at=at, source="feed:binance", instrument=instrument, candles=tuple(backwards[::-1]), is_full=True
    )


def alerts() -> list[ev.Event]:
    def raised(
        key: str, severity: Severity, account: AccountId | None, text: str, ago: int, times: int = 1
    ) -> list[ev.Event]:
        alert = [
            Alert(
                key=key, rule=key.partition(":")[0], severity=severity, account=account, text=text,
                at=NOW - ago * SECOND - (times - 1 - number) * 7 * SECOND,
            )
            for number in range(times)
        ]  # fmt: skip
        return [ev.AlertRaised(at=one.at, source="system:risk", alert=one) for one in alert]

    return [
        *raised("staleness:SOL", Severity.Info, None, "SOL/USDT had no book for 6 s", 1900),
        ev.AlertEnded(at=NOW, source="system:risk", key="staleness:SOL"),
        ev.AlertAcknowledged(at=NOW, source="desk", key="staleness:SOL", by=ANN, note="venue restart"),
        *raised("exposure:acme", Severity.Warning, ACME, "exposure 71 904 USDT is 90 % of max_exposure 80 000", 400, 4),
        *raised("reject_burst:cedar", Severity.Warning, CEDAR, "5 rejects within 10 s: insufficient balance", 2700, 5),
        ev.AlertEnded(at=NOW, source="system:risk", key="reject_burst:cedar"),
        *raised("order_unknown:cedar", Severity.Critical, CEDAR, "TD-0302 has been Unknown for 14 s; ask the venue", 4),
        *raised("drawdown:birch", Severity.Critical, BIRCH, "down 2 140 USDT from today's peak; limit 2 000", 65, 12),
    ]


def logs() -> list[ev.Event]:
    lines = [
        ("info", "desk_started", "version=0.1.0 accounts=3"),
        ("info", "account_ready", "account=acme exit=127.0.0.2 open_orders=4"),
        ("info", "account_ready", "account=birch exit=127.0.0.3 open_orders=2"),
        ("info", "account_ready", "account=cedar exit=127.0.0.4 open_orders=2"),
        ("warning", "stream_gap", "instrument=SOL/USDT from=88120 to=88127"),
        ("info", "book_joined", "instrument=SOL/USDT update_id=88140"),
        ("warning", "order_unknown", "account=cedar client_order_id=TD-0302 waited_ms=5000"),
        ("error", "reconcile_failed", "account=cedar [red]venue said[/] <html> 502 Bad Gateway"),
    ]
    return [
        ev.LogWritten(at=NOW - (len(lines) - n) * 31 * SECOND, source="desk", level=level, event=event, text=text)
        for n, (level, event, text) in enumerate(lines)
    ]


def a_difference(asset: str = "BTC", **changes: object) -> ev.WorkItem:
    """A balance that nothing explains and an operator must settle."""
    fields: dict[str, object] = {
        "key": f"balance:{asset}", "ours": "0.3", "venues": "0.35", "needs_decision": True,
        "cause": "nothing in the venue's ledger or our fills explains it", "repair": f"book it as it stands: +0.05 {asset}",
    }  # fmt: skip
    return ev.WorkItem(**(fields | changes))  # type: ignore[arg-type]


def a_lost_order(id: str = "TD-0104") -> ev.WorkItem:
    """An order that ended while nobody listened: the venue is asked, nobody has to decide."""
    return ev.WorkItem(
        key=f"order:{id}", ours="new", venues="not open", cause="ended while nobody listened",
        repair="the venue is asked how it ended", needs_decision=False,
    )  # fmt: skip


def reconciled(account: str = "acme", *items: ev.WorkItem, at: int = NOW - 40 * SECOND) -> ev.Reconciled:
    return ev.Reconciled(
        at=at, source=f"worker:{account}", account=AccountId(account), differences=tuple(item.cause for item in items),
        worklist=items,
    )  # fmt: skip


def key_checked(account: AccountId, *, ends_in_days: int | None = None, is_refused: bool = False) -> ev.KeyChecked:
    """A look at the account's key two hours ago."""
    ends = None if ends_in_days is None else NOW + ends_in_days * DAY_NS
    rights = KeyRights(
        can_read=True,
        can_trade=True,
        can_withdraw=is_refused,
        can_transfer=False,
        is_address_bound=True,
        expires_at=ends,
    )
    found = [ok("trading", "the key may trade")]
    if ends is not None:
        found.append(warn("expiry", "within 30 d", "make a new key at the venue before, and put it in"))
    if is_refused:
        found.append(fail("money", "the key may withdraw", "take that right from it at the venue"))
    return ev.KeyChecked(
        at=NOW - 2 * 3600 * SECOND,
        source=f"worker:{account}",
        account=account,
        report=KeyReport(fingerprint="0123456789ab", uid="42", can_account_trade=True, rights=rights),
        findings=tuple(found),
    )


def a_feed(
    *,
    stale: InstrumentId | None = None,
    feed_state: FeedState | None = None,
    halted: AccountId | str | None = None,
    is_empty: bool = False,
    accounts: Sequence[str] = ("acme", "birch", "cedar"),
    mode: Mode = Mode.Paper,
    differs: bool = False,
) -> ListFeed:
    """What a desk has published by NOW.

    `stale` names a market that went quiet 12 s ago, `feed_state` sets BTC's feed to it, `halted` is an account or
    "desk", `differs` leaves acme two differences to settle and cedar one under way, `is_empty` leaves a desk that has just started: accounts listed, nothing traded, no market data yet.
    """
    ids = [AccountId(account) for account in accounts]
    events: list[ev.Event] = [
        ev.DeskStarted(at=NOW - 3 * 3600 * SECOND, source="desk", desk="demo", version="0.1.0", pid=4242,
                       reporting_currency="USDT"),
        ev.VenueListed(at=NOW, source="desk", venue=VENUE, exchange="binance", is_live=mode is Mode.Live),
        *(ev.InstrumentListed(at=NOW, source="desk", instrument=instrument) for instrument in INSTRUMENTS),
        *(ev.AccountListed(at=NOW, source="desk", account=an_account(account, mode=mode)) for account in ids),
    ]  # fmt: skip
    if not is_empty:
        for account in ids:
            events += _opened(account)
        events += [key_checked(account, ends_in_days=20 if account == CEDAR else None) for account in ids]
        for instrument in (BTC, ETH, SOL):
            age = 12 * SECOND if instrument == stale else SECOND // 10
            state = FeedState.Stale if instrument == stale else FeedState.Live
            events += [
                a_candle_frame(instrument),
                a_tape_frame(instrument, at=NOW - age),
                a_book_frame(instrument, NOW - age, state),
            ]
        if feed_state is not None:
            since = NOW - 12 * SECOND
            events += [
                a_book_frame(BTC, since, feed_state),
                ev.FeedChanged(at=since, source="feed:binance", instrument=BTC, state=feed_state,
                               reason="connection closed; next try in 4 s"),
            ]  # fmt: skip
        events += [event for event in orders_in_every_state() if ev.account_of(event) in ids]
        events += [*alerts(), *logs()]
    if differs:
        events += [
            reconciled(
                "acme",
                a_lost_order(),
                a_difference(),
                a_difference("USDT", ours="84000", venues="83910.5", repair="book it as it stands: -89.5 USDT"),
            ),
            reconciled("cedar", a_lost_order("TD-0301")),
        ]
    if halted is not None:
        events.append(
            ev.HaltSet(at=NOW - 200 * SECOND, source="desk", account=None if halted == "desk" else AccountId(halted),
                       level=HaltLevel.CancelOpening, by=ANN, reason="client asked to stop")
        )  # fmt: skip
    events.append(ev.Heartbeat(at=NOW, source="desk"))
    return ListFeed(events)


def a_view(*, lost: bool = False, **of_feed: object) -> DeskView:
    """A view that has folded everything; `lost` takes its desk away 12 s ago. The rest is `a_feed`'s."""
    feed = a_feed(**of_feed)  # type: ignore[arg-type]
    if lost:
        feed.lose(NOW - 12 * SECOND, "the desk closed its socket; trying again every 2 s")
    view = DeskView(feed)
    view.poll()
    view.is_fed = True  # a real feed begins with a snapshot
    return view


def _opened(account: AccountId) -> list[ev.Event]:
    quote = {"acme": 84_000, "birch": 61_000, "cedar": 45_000}.get(account, 50_000)
    held = {"USDT": Decimal(quote), "BTC": Decimal("0.3"), "SOL": Decimal(180 if account == CEDAR else 0)}
    return [
        ev.AccountOpened(
            at=NOW - 3 * 3600 * SECOND, source=f"worker:{account}", account=account,
            openings=tuple(ev.Opening(asset=asset, amount=amount) for asset, amount in held.items()),
            marks={BTC: Decimal("63880.10"), ETH: Decimal("3101.00"), SOL: Decimal("141.90")},
            trades_from=NOW - 3 * 3600 * SECOND,
        ),
        ev.BalancesRead(
            at=NOW, source=f"worker:{account}", account=account, is_complete=True,
            balances=tuple(
                Balance(asset=asset, free=amount * Decimal("0.9"), locked=amount * Decimal("0.1"))
                for asset, amount in held.items()
            ),
        ),
        ev.AccountChanged(at=NOW, source=f"worker:{account}", account=account, state=AccountState.Ready),
        ev.Reconciled(at=NOW - 40 * SECOND, source=f"worker:{account}", account=account, differences=()),
        ev.ExitProved(
            at=NOW - 130 * SECOND, source=f"worker:{account}", account=account, exit=EXITS.get(account, "127.0.0.9"),
            seen=EXITS.get(account, "127.0.0.9"), how="echo echo.example.com",
        ),
        ev.AccountHealth(
            at=NOW, source=f"worker:{account}", account=account, is_stream_up=account != CEDAR,
            stream_age_ms={"acme": 120, "birch": 840}.get(account, 9_400),
            ack_ms=Decimal("2.4") if account == ACME else Decimal("3.1") if account == BIRCH else None,
            clock_offset_ms=1, mailbox=0, exit_seen=EXITS.get(account, "127.0.0.9"),
        ),
    ]  # fmt: skip
