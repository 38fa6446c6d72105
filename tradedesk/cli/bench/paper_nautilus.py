"""nautilus_trader's simulated exchange in process: what an order of a strategy costs it. Run as a module; prints JSON or `null`.

Its venue matches a strategy's orders with quotes and not with each other, so it takes no flow of orders; measured are a limit
order placed and taken back, and a market order filled, each less what a run with a strategy that does nothing costs.
"""

import importlib.util
import json
import time
from decimal import Decimal
from typing import Any

TICKS = 6_000


def main() -> None:
    if importlib.util.find_spec("nautilus_trader") is None:
        print("null")
        return
    idle = _run("idle")
    print(
        json.dumps(
            {
                "place_cancel_us": (_run("cancel") - idle) / (TICKS // 2) * 10**6,
                "market_us": (_run("market") - idle) / (TICKS // 2) * 10**6,
            }
        )
    )


def _run(kind: str) -> float:
    """CPU seconds of a backtest whose strategy acts at every second quote."""
    backtest, data, enums, names, objects, providers, trading = (
        importlib.import_module(f"nautilus_trader.{name}")
        for name in (
            "backtest.engine",
            "model.data",
            "model.enums",
            "model.identifiers",
            "model.objects",
            "test_kit.providers",
            "trading.strategy",
        )
    )
    logging = importlib.import_module("nautilus_trader.config").LoggingConfig(bypass_logging=True)
    instrument = providers.TestInstrumentProvider.btcusdt_binance()
    quotes = [
        data.QuoteTick(
            instrument_id=instrument.id,
            bid_price=instrument.make_price(60_000),
            ask_price=instrument.make_price(60_000.01),
            bid_size=instrument.make_qty(Decimal(5)),
            ask_size=instrument.make_qty(Decimal(5)),
            ts_event=number * 1_000_000,
            ts_init=number * 1_000_000,
        )
        for number in range(1, TICKS + 1)
    ]

    class Acting(trading.Strategy):  # type: ignore[misc,name-defined]
        def on_start(self) -> None:
            self.count = 0
            self.placed: Any = None
            self.subscribe_quote_ticks(instrument.id)

        def on_quote_tick(self, _tick: Any) -> None:
            self.count += 1
            if kind == "idle":
                return
            if self.count % 2 == 0:
                if kind == "cancel":
                    self.cancel_order(self.placed)
                return
            side = enums.OrderSide.BUY if self.count % 4 == 1 else enums.OrderSide.SELL
            quantity = instrument.make_qty(Decimal("0.01"))
            if kind == "market":
                self.submit_order(self.order_factory.market(instrument.id, side, quantity))
                return
            price = instrument.make_price(59_000 if side == enums.OrderSide.BUY else 61_000)
            self.placed = self.order_factory.limit(instrument.id, side, quantity, price)
            self.submit_order(self.placed)

    settings = backtest.BacktestEngineConfig(trader_id=names.TraderId("BENCH-001"), logging=logging)
    engine = backtest.BacktestEngine(settings)
    engine.add_venue(
        venue=instrument.id.venue,
        oms_type=enums.OmsType.NETTING,
        account_type=enums.AccountType.CASH,
        base_currency=None,
        starting_balances=[
            objects.Money(10**9, instrument.quote_currency),
            objects.Money(1_000, instrument.base_currency),
        ],
    )
    engine.add_instrument(instrument)
    engine.add_data(quotes)
    engine.add_strategy(Acting())
    started = time.process_time()
    engine.run()
    taken = time.process_time() - started
    wanted = {"idle": 0, "cancel": TICKS // 2, "market": TICKS // 2}[kind]
    if engine.cache.orders_closed_count() != wanted:
        raise RuntimeError(f"{engine.cache.orders_closed_count()} orders came to their end, {wanted} should have")
    engine.dispose()
    return taken


if __name__ == "__main__":
    main()
