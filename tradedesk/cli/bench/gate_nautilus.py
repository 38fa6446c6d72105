"""nautilus_trader's risk engine in process: what it takes to let one limit order pass. Run as a module; prints JSON or `null`.

It is given the order as a strategy gives it, and what it lets pass goes nowhere. It looks at the order's own precision,
quantity, price and rate; outside a run there is no account whose balance it would look at. It knows no totals over accounts
and reserves nothing, so it is no measure of the same work, but of the least that the control costs elsewhere.
"""

import importlib
import importlib.util
import json
import time

ORDERS = 5_000


def main() -> None:
    print("null" if importlib.util.find_spec("nautilus_trader") is None else json.dumps(_us()))


def _us() -> float:
    backtest, enums, names, objects, providers, messages, core, risk, factories = (
        importlib.import_module(f"nautilus_trader.{name}")
        for name in (
            "backtest.engine",
            "model.enums",
            "model.identifiers",
            "model.objects",
            "test_kit.providers",
            "execution.messages",
            "core.uuid",
            "risk.config",
            "common.factories",
        )
    )
    logging = importlib.import_module("nautilus_trader.config").LoggingConfig(bypass_logging=True)
    instrument = providers.TestInstrumentProvider.btcusdt_binance()
    trader, strategy = names.TraderId("BENCH-001"), names.StrategyId("S-001")
    unlimited = risk.RiskEngineConfig(max_order_submit_rate="1000000/00:00:01")
    engine = backtest.BacktestEngine(
        backtest.BacktestEngineConfig(trader_id=trader, logging=logging, risk_engine=unlimited)
    )
    engine.add_venue(
        venue=instrument.id.venue,
        oms_type=enums.OmsType.NETTING,
        account_type=enums.AccountType.CASH,
        base_currency=None,
        starting_balances=[objects.Money(10**9, instrument.quote_currency)],
    )
    engine.add_instrument(instrument)
    kernel = engine.kernel
    kernel.exec_engine.start()
    kernel.risk_engine.start()
    passed: list[object] = []
    kernel.msgbus.deregister("ExecEngine.execute", kernel.exec_engine.execute)
    kernel.msgbus.register("ExecEngine.execute", passed.append)
    make = factories.OrderFactory(trader_id=trader, strategy_id=strategy, clock=kernel.clock)
    commands = []
    for _ in range(ORDERS):
        order = make.limit(instrument.id, enums.OrderSide.BUY, instrument.make_qty(0.01), instrument.make_price(59_000))
        kernel.cache.add_order(order, None)
        commands.append(
            messages.SubmitOrder(
                trader_id=trader, strategy_id=strategy, order=order, command_id=core.UUID4(), ts_init=0
            )
        )
    began = time.process_time()
    for command in commands:
        kernel.risk_engine.execute(command)
    taken = time.process_time() - began
    if len(passed) != ORDERS:
        raise RuntimeError(f"{len(passed)} of {ORDERS} orders passed")
    return taken / ORDERS * 10**6


if __name__ == "__main__":
    main()
