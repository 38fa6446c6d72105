"""The trades of one instrument and what is derived from them: tape, aggregates, candles, day ticker, average price.

Prices are turned into Decimal here and nowhere below. At least the last TAPE trades and their aggregates stay, as plain
numbers: 32 bytes a trade, so that hundreds of instruments may each fill their tape.
"""

from array import array
from collections import deque
from decimal import Decimal

from tradedesk.paper import windows
from tradedesk.paper.candles import DAY, FOREVER, HOUR, MINUTE, Candles, Past
from tradedesk.paper.ledger import from_units
from tradedesk.paper.market import Bar
from tradedesk.paper.rows import AggTrade, Kline, Print, Ticker24h

TAPE = 10_000
_WIDTH = 4  # numbers a trade: time, price, lots, aggregate x 2 + whether the buyer is the maker
AVERAGE_MINUTES = 5  # avgPriceMins of the venue


class Tape:
    """All that has traded in one instrument."""

    def __init__(self, symbol: str, tick: Decimal, lot: Decimal, quote_unit: int, first_trade_id: int) -> None:
        self._symbol = symbol
        self._tick = tick
        self._lot = lot
        self._quote_unit = quote_unit  # units of 1e-8 quote per tick x lot
        self._next_trade_id = first_trade_id
        self._next_agg_id = first_trade_id
        self._numbers = array("q")
        self._minutes: windows.Minutes = {}
        self._agg_order = 0  # the taker's order of the newest aggregate
        self._began = 0
        self._past: Past = lambda _longest, _since, _until: ()
        self.candles = Candles()
        self._last: int | None = None  # ticks

    def begin(self, past: Past, now: int) -> None:
        """Where candles from before the start (`now`) come from, when somebody looks."""
        self._past, self._began = past, now
        self.candles = Candles(past)
        self._minutes.clear()

    @property
    def last(self) -> int | None:
        """The last price in ticks; None before any."""
        if self._last is None:
            for _, bar in self._past(MINUTE, self._began - HOUR, FOREVER):
                self._last = bar.close
        return self._last

    def trade(self, price: int, lots: int, at: int, buyer_is_maker: bool, taker_order: int) -> Print:
        """Record one trade. `taker_order` tells apart whose trades at one price are one aggregate."""
        trade_id = self._next_trade_id
        self._next_trade_id += 1
        numbers = self._numbers
        if not numbers or taker_order != self._agg_order or price != numbers[-3]:
            self._next_agg_id += 1
        self._agg_order = taker_order
        self._last = price
        self.candles.trade(price, lots, at, trade_id, not buyer_is_maker)
        numbers.extend((at, price, lots, self._next_agg_id * 2 + buyer_is_maker))
        if len(numbers) > (TAPE + TAPE // 4) * _WIDTH:
            del numbers[: TAPE // 4 * _WIDTH]
        return self._print(trade_id, len(numbers) - _WIDTH)

    def _print(self, trade_id: int, at: int) -> Print:
        """The trade whose numbers begin at index `at`."""
        time, price, lots, aggregate = self._numbers[at : at + _WIDTH]
        return Print(
            symbol=self._symbol,
            trade_id=trade_id,
            price=price * self._tick,
            quantity=lots * self._lot,
            time=time,
            buyer_is_maker=bool(aggregate & 1),
        )

    @property
    def last_time(self) -> int:
        """When the last trade was, ns; 0 before any since the start."""
        return self._numbers[-_WIDTH] if self._numbers else 0

    def prints(self, limit: int, from_id: int | None = None) -> list[Print]:
        """Oldest first: from `from_id` on (or the oldest remembered after it), else the newest."""
        after = self._next_trade_id
        oldest = after - len(self._numbers) // _WIDTH
        first = max(oldest, after - limit if from_id is None else from_id)
        begin = (first - oldest) * _WIDTH
        return [self._print(first + n, begin + n * _WIDTH) for n in range(min(limit, after - first))]

    def aggregates(self, from_id: int | None, start: int | None, end: int | None, limit: int) -> list[AggTrade]:
        from_start = from_id is not None or start is not None
        found: deque[AggTrade] = deque(maxlen=limit)  # newest first, so that asking for the newest looks at no others
        last, index = self._next_trade_id - 1, len(self._numbers) - _WIDTH
        while index >= 0:
            agg, begin = self._aggregate(index, last)
            if (from_id is not None and agg.agg_id < from_id) or (start is not None and agg.time < start):
                break
            last, index = agg.first_id - 1, begin - _WIDTH
            if end is not None and agg.time > end:
                continue
            found.append(agg)
            if not from_start and len(found) == limit:
                break
        return list(reversed(found))

    def _aggregate(self, index: int, last_id: int) -> tuple[AggTrade, int]:
        """The aggregate whose last trade's numbers begin at `index`, and where those of its first do."""
        time, price, lots, mark = self._numbers[index : index + _WIDTH]
        begin = index
        while begin >= _WIDTH and self._numbers[begin - 1] == mark:
            begin -= _WIDTH
            lots += self._numbers[begin + 2]
        agg = AggTrade(
            symbol=self._symbol,
            agg_id=mark // 2,
            price=price * self._tick,
            quantity=lots * self._lot,
            first_id=last_id - (index - begin) // _WIDTH,
            last_id=last_id,
            time=time,
            buyer_is_maker=bool(mark & 1),
        )
        return agg, begin

    def klines(
        self, interval: str, now: int, start: int | None, end: int | None, limit: int, offset: int = 0
    ) -> list[Kline]:
        """Cut in the zone that is `offset` ns ahead of UTC; `start` and `end` are UTC all the same."""
        bars = windows.zoned(self.candles, interval, offset, now, limit, start, end)
        return [self._kline(interval, bar, now, windows.zoned_end(interval, offset, bar.open_time)) for bar in bars]

    def _kline(self, interval: str, bar: Bar, now: int, ends: int) -> Kline:
        return Kline(
            symbol=self._symbol,
            interval=interval,
            open_time=bar.open_time,
            close_time=ends - 1_000_000,  # the venue's last millisecond
            open=bar.open * self._tick,
            high=bar.high * self._tick,
            low=bar.low * self._tick,
            close=bar.close * self._tick,
            volume=bar.lots * self._lot,
            quote_volume=from_units(bar.quote * self._quote_unit),
            trades=bar.trades,
            taker_base=bar.taker_lots * self._lot,
            taker_quote=from_units(bar.taker_quote * self._quote_unit),
            first_trade_id=bar.first_id,
            last_trade_id=bar.last_id,
            is_closed=now >= ends,
        )

    def average(self, now: int) -> Decimal | None:
        """Volume-weighted over the running minute and the four before; the last price if nothing traded; None before any."""
        recent = self.candles.since("1m", now, AVERAGE_MINUTES)
        if recent is not None and recent.lots:
            return self._weighted(recent)
        last = self.last
        return None if last is None else last * self._tick

    def _weighted(self, bar: Bar) -> Decimal:
        exact = bar.quote * self._tick / bar.lots
        return exact.quantize(Decimal("0.00000001"))

    def ticker(self, now: int) -> Ticker24h:
        """Over the last day, as `statistics`."""
        return self.statistics(windows.minutes_back(now, DAY), now, opened=now - DAY)

    def statistics(self, start: int, now: int, *, opened: int | None = None) -> Ticker24h:
        """Over the trades from `start` (a whole minute) on. All prices are 0 before any trade, as the venue answers.

        `opened` is what it says of its beginning where that is not `start`.
        """
        whole = windows.window(self.candles, start, now, self._minutes)
        if whole is None:
            whole = Bar(open_time=start, open=0, high=0, low=0, close=0)
        before = windows.before(self.candles, start, now, self._minutes)
        return Ticker24h(
            symbol=self._symbol,
            open=whole.open * self._tick,
            high=whole.high * self._tick,
            low=whole.low * self._tick,
            last=whole.close * self._tick,
            last_qty=self._numbers[-2] * self._lot if self._numbers else Decimal(0),
            prev_close=(0 if before is None else before) * self._tick,
            volume=whole.lots * self._lot,
            quote_volume=from_units(whole.quote * self._quote_unit),
            weighted_avg=self._weighted(whole) if whole.lots else Decimal(0),
            open_time=start if opened is None else opened,
            close_time=now,
            first_id=whole.first_id,
            last_id=whole.last_id,
            count=whole.trades,
        )
