"""Events of USD-M that are rare on a quiet market, field by field as the venue documents them (2026)."""

from decimal import Decimal

from tradedesk.paper.futures.contracts import default_contracts
from tradedesk.paper.futures.rows import (
    AccountUpdate,
    AlgoChanged,
    AlgoRow,
    AlgoStatus,
    BalanceChange,
    ConfigChanged,
    FundingRate,
    MarginCall,
    MarginCallPosition,
    OrderChanged,
    OrderRow,
    PositionChange,
    Status,
    TradeRow,
    TriggerRejected,
    Type,
)
from tradedesk.paper.server.futures import account_json, market_json, orders_json
from tradedesk.paper.server.futures.digits import Digits
from tradedesk.paper.server.render import MICROSECOND, MILLISECOND

NOW = 1_723_161_254_123_456_789  # ns
MS = NOW // MILLISECOND
DIGITS = {contract.symbol: Digits.of(contract) for contract in default_contracts()}
BTC = DIGITS["BTCUSDT"]


def an_order(**more: object) -> OrderRow:
    terms: dict[str, object] = {
        "account": "acme", "symbol": "BTCUSDT", "order_id": 8, "client_order_id": "mine", "side": "SELL", "position_side": "BOTH",
        "type": Type.MARKET, "orig_type": Type.MARKET, "time_in_force": "GTC", "price": Decimal(0), "avg_price": Decimal(0),
        "orig_qty": Decimal("0.1"), "executed_qty": Decimal(0), "cum_quote": Decimal(0), "status": Status.NEW,
        "reduce_only": False, "close_position": False, "stop_price": Decimal(0), "activation_price": Decimal(0),
        "callback_rate": Decimal(0), "working_type": "CONTRACT_PRICE", "price_protect": False, "price_match": "NONE",
        "stp_mode": "NONE", "good_till_date": 0, "time": NOW, "update_time": NOW,
    }  # fmt: skip
    return OrderRow(**(terms | more))  # type: ignore[arg-type]


def an_algo(**more: object) -> AlgoRow:
    terms: dict[str, object] = {
        "account": "acme", "symbol": "BTCUSDT", "algo_id": 7, "client_algo_id": "stop", "side": "SELL", "position_side": "BOTH",
        "type": Type.STOP_MARKET, "time_in_force": "GTC", "quantity": Decimal("0.1"), "price": Decimal(0),
        "trigger_price": Decimal(59_000), "activation_price": Decimal(0), "callback_rate": Decimal(0),
        "working_type": "MARK_PRICE", "price_protect": False, "price_match": "NONE", "stp_mode": "EXPIRE_MAKER",
        "reduce_only": True, "close_position": False, "good_till_date": 0, "status": AlgoStatus.NEW, "time": NOW,
        "update_time": NOW,
    }  # fmt: skip
    return AlgoRow(**(terms | more))  # type: ignore[arg-type]


def test_a_margin_call_names_the_wallet_only_where_it_is_the_wallet_that_runs_out():
    position = MarginCallPosition(
        symbol="BTCUSDT", position_side="LONG", amount=Decimal("1.327"), margin_type="CROSSED", isolated_wallet=Decimal(0),
        mark=Decimal("58000.5"), unrealized=Decimal("-1.166074"), maint_margin=Decimal("1.614445"),
    )  # fmt: skip
    crossed = MarginCall(account="acme", cross_wallet=Decimal("3.16812045"), positions=(position,), time=NOW)
    assert account_json.margin_call(crossed, DIGITS, MILLISECOND) == {
        "e": "MARGIN_CALL",
        "E": MS,
        "cw": "3.16812045",
        "p": [
            {
                "s": "BTCUSDT", "ps": "LONG", "pa": "1.327", "mt": "CROSSED", "iw": "0", "mp": "58000.50000000",
                "up": "-1.16607400", "mm": "1.61444500",
            }
        ],
    }  # fmt: skip
    isolated = MarginCall(account="acme", cross_wallet=None, positions=(position,), time=NOW)
    assert "cw" not in account_json.margin_call(isolated, DIGITS, MILLISECOND)


def test_funding_is_an_account_update_with_the_money_that_moved():
    event = AccountUpdate(
        account="acme",
        reason="FUNDING_FEE",
        balances=(
            BalanceChange(asset="USDT", wallet=Decimal(100), cross_wallet=Decimal(90), change=Decimal("-0.61837")),
        ),
        positions=(
            PositionChange(
                symbol="SOLUSDT", position_side="SHORT", amount=Decimal(-12), entry_price=Decimal("150.125"),
                break_even_price=Decimal("150.2"), accumulated_realized=Decimal(0), unrealized=Decimal("1.5"),
                margin_type="ISOLATED", isolated_wallet=Decimal(10),
            ),
        ),
        time=NOW,
    )  # fmt: skip
    told = account_json.account_update(event, DIGITS, MICROSECOND)
    assert told == {
        "e": "ACCOUNT_UPDATE",
        "E": NOW // MICROSECOND,
        "T": NOW // MICROSECOND,
        "a": {
            "m": "FUNDING_FEE",
            "B": [{"a": "USDT", "wb": "100.00000000", "cw": "90.00000000", "bc": "-0.61837000"}],
            "P": [
                {
                    "s": "SOLUSDT", "pa": "-12", "ep": "150.125", "bep": "150.2", "cr": "0", "up": "1.50000000",
                    "mt": "isolated", "iw": "10.00000000", "ps": "SHORT",
                }
            ],
        },
    }  # fmt: skip
    rate = FundingRate(symbol="SOLUSDT", rate=Decimal("-0.0001"), mark=Decimal(150), time=NOW)
    assert market_json.funding_rate(rate, MILLISECOND) == {
        "symbol": "SOLUSDT", "fundingTime": MS, "fundingRate": "-0.00010000", "markPrice": "150.00000000",
    }  # fmt: skip


def test_a_trailing_order_shows_its_activation_and_rate_and_others_do_not():
    trailing = an_order(
        type=Type.TRAILING_STOP_MARKET, orig_type=Type.TRAILING_STOP_MARKET, activation_price=Decimal(61_000),
        callback_rate=Decimal("1.50"),
    )  # fmt: skip
    for row, expected in ((trailing, ("61000.00", "1.5")), (an_order(), (None, None))):
        told = orders_json.order_trade_update(OrderChanged(what="NEW", row=row, time=NOW), BTC, MILLISECOND)["o"]
        assert isinstance(told, dict)
        assert (told.get("AP"), told.get("cr")) == expected
        shown = orders_json.order(row, BTC, MILLISECOND)
        assert (shown.get("activatePrice"), shown.get("priceRate")) == expected


def test_a_fill_carries_profit_and_fee_and_an_expiry_its_reason():
    fill = TradeRow(
        symbol="BTCUSDT", trade_id=99, order_id=8, client_order_id="mine", side="SELL", position_side="BOTH",
        price=Decimal(60_000), quantity=Decimal("0.1"), quote_quantity=Decimal(6_000), realized_pnl=Decimal("-12.5"),
        commission=Decimal(3), commission_asset="USDT", time=NOW, is_buyer=False, is_maker=False,
    )  # fmt: skip
    row = an_order(status=Status.FILLED, executed_qty=Decimal("0.1"), avg_price=Decimal(60_000), good_till_date=NOW)
    told = orders_json.order_trade_update(OrderChanged(what="TRADE", row=row, time=NOW, fill=fill), BTC, MILLISECOND)[
        "o"
    ]
    assert isinstance(told, dict)
    assert (told["rp"], told["n"], told["N"], told["ap"], told["gtd"], told["er"]) == (
        "-12.50000000", "3.00000000", "USDT", "60000.00000", MS, "0",
    )  # fmt: skip
    expired = an_order(status=Status.EXPIRED, expiry_reason=9)
    told = orders_json.order_trade_update(OrderChanged(what="EXPIRED", row=expired, time=NOW), BTC, MILLISECOND)["o"]
    assert isinstance(told, dict)
    assert (told["x"], told["er"], "n" in told) == ("EXPIRED", "9", False)


def test_a_conditional_order_tells_its_real_order_only_once_there_is_one():
    waiting = orders_json.algo_update(AlgoChanged(row=an_algo(), time=NOW), BTC, MILLISECOND)["o"]
    assert waiting == {
        "caid": "stop", "aid": 7, "at": "CONDITIONAL", "o": "STOP_MARKET", "s": "BTCUSDT", "S": "SELL", "ps": "BOTH", "f": "GTC",
        "q": "0.100", "X": "NEW", "ai": "", "tp": "59000.00", "p": "0", "V": "EXPIRE_MAKER", "wt": "MARK_PRICE", "pm": "NONE",
        "cp": False, "pP": False, "R": True, "tt": 0, "gtd": 0,
    }  # fmt: skip
    done = an_algo(
        status=AlgoStatus.FINISHED, order_id=8, order_type="MARKET", trigger_time=NOW, avg_price=Decimal("58999.9"),
        executed_qty=Decimal("0.1"),
    )  # fmt: skip
    finished = orders_json.algo_update(AlgoChanged(row=done, time=NOW), BTC, MILLISECOND)["o"]
    assert isinstance(finished, dict)
    assert (finished["ai"], finished["ap"], finished["aq"], finished["act"], finished["tt"]) == (
        "8", "58999.90000", "0.100", "MARKET", MS,
    )  # fmt: skip
    refused = an_algo(status=AlgoStatus.REJECTED, reject_reason="ReduceOnly Order is rejected.", trigger_time=NOW)
    told = orders_json.algo_update(AlgoChanged(row=refused, time=NOW), BTC, MILLISECOND)["o"]
    assert isinstance(told, dict)
    assert told["rm"] == "ReduceOnly Order is rejected."


def test_settings_and_refused_triggers_are_told_by_their_own_events():
    leverage = ConfigChanged(account="acme", time=NOW, symbol="BTCUSDT", leverage=25)
    assert account_json.config_update(leverage, MILLISECOND) == {
        "e": "ACCOUNT_CONFIG_UPDATE", "E": MS, "T": MS, "ac": {"s": "BTCUSDT", "l": 25},
    }  # fmt: skip
    both = ConfigChanged(account="acme", time=NOW, multi_assets=True)
    assert account_json.config_update(both, MILLISECOND)["ai"] == {"j": True}
    rejected = TriggerRejected(account="acme", symbol="BTCUSDT", order_id=8, reason="Margin is insufficient.", time=NOW)
    assert orders_json.trigger_reject(rejected, MILLISECOND) == {
        "e": "CONDITIONAL_ORDER_TRIGGER_REJECT", "E": MS, "T": MS, "or": {"s": "BTCUSDT", "i": 8, "r": "Margin is insufficient."},
    }  # fmt: skip
