"""The operations of an account: balances, positions, settings, income, listen keys. Who asks was settled before (`Call.name`)."""

from tradedesk.paper.futures.contracts import Bracket
from tradedesk.paper.rows import Refusal
from tradedesk.paper.server.front import Call
from tradedesk.paper.server.futures import account_json
from tradedesk.paper.server.futures.digits import plain
from tradedesk.paper.server.futures.front import FuturesFront
from tradedesk.paper.server.futures.order_parameters import flag, position_side_of
from tradedesk.paper.server.parameters import Parameters, invalid, missing
from tradedesk.paper.server.render import Json
from tradedesk.paper.server.users import ListenKey

_SUCCESS = {"code": 200, "msg": "success"}
_INCOME_TYPES = (
    "TRANSFER", "WELCOME_BONUS", "REALIZED_PNL", "FUNDING_FEE", "COMMISSION", "INSURANCE_CLEAR", "REFERRAL_KICKBACK",
    "COMMISSION_REBATE", "API_REBATE", "CONTEST_REWARD", "CROSS_COLLATERAL_TRANSFER", "OPTIONS_PREMIUM_FEE",
    "OPTIONS_SETTLE_PROFIT", "INTERNAL_TRANSFER", "AUTO_EXCHANGE", "DELIVERED_SETTELMENT", "COIN_SWAP_DEPOSIT",
    "COIN_SWAP_WITHDRAW", "POSITION_LIMIT_INCREASE_FEE", "STRATEGY_UMFUTURES_TRANSFER", "FEE_RETURN", "BFUSD_REWARD",
)  # fmt: skip

# -- balances and positions -----------------------------------------------------------------------------------------------


def account_v2(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    parameters.finish()
    row = futures.exchange.account(call.name, call.now)
    return account_json.account_v2(row, futures.digits, call.unit) | {"feeBurn": futures.exchange.fee_burn(call.name)}


def account_v3(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    parameters.finish()
    return account_json.account_v3(futures.exchange.account(call.name, call.now), futures.digits, call.unit)


def account_config(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    parameters.finish()
    return account_json.account_config(futures.exchange.account(call.name, call.now), call.unit)


def balance(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    parameters.finish()
    alias = _alias(futures.commons.uids[call.name])
    return [account_json.balance(row, alias, call.unit) for row in futures.exchange.assets(call.name, call.now)]


def _alias(uid: int) -> str:
    """The venue's own code of an account: a few letters, the same every time."""
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    code = ""
    while uid:
        uid, rest = divmod(uid, len(letters))
        code += letters[rest]
    return code


def positions_v2(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    symbol = parameters.optional_symbol()
    parameters.finish()
    rows = futures.exchange.positions(call.name, call.now, symbol)
    return [account_json.position_risk_v2(row, futures.digits[row.symbol], call.unit) for row in rows]


def positions_v3(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    """Only those that are, or may come of open orders."""
    symbol = parameters.optional_symbol()
    parameters.finish()
    rows = futures.exchange.positions(call.name, call.now, symbol)
    return [
        account_json.position_risk_v3(row, futures.digits[row.symbol], call.unit)
        for row in rows
        if account_json.is_used(row)
    ]


def adl_quantile(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    symbol = parameters.optional_symbol()
    parameters.finish()
    rows = futures.exchange.positions(call.name, call.now, symbol)
    answers = [
        account_json.adl_quantile(name, [row for row in rows if row.symbol == name])
        for name in dict.fromkeys(row.symbol for row in rows if row.amount)
    ]
    if symbol is None:
        return answers
    return answers[0] if answers else account_json.adl_quantile(symbol, rows)


# -- settings -------------------------------------------------------------------------------------------------------------


def set_leverage(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    symbol, leverage = parameters.symbol(), parameters.integer("leverage")
    parameters.finish()
    if leverage is None:
        raise missing("leverage")
    return account_json.leverage_set(futures.exchange.set_leverage(call.name, symbol, leverage, call.now))


def set_margin_type(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    symbol, margin_type = parameters.symbol(), parameters.must("marginType")
    parameters.finish()
    if margin_type not in ("ISOLATED", "CROSSED"):
        raise invalid("marginType")
    futures.exchange.set_margin_type(call.name, symbol, margin_type, call.now)
    return _SUCCESS


def change_margin(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    symbol, side = parameters.symbol(), position_side_of(parameters)
    amount, kind = parameters.must_decimal("amount"), parameters.choice("type", ("1", "2"))
    parameters.finish()
    if kind is None:
        raise missing("type")
    futures.exchange.change_position_margin(call.name, symbol, amount, call.now, add=kind == "1", position_side=side)
    return {
        "amount": float(amount),
        "code": 200,
        "msg": "Successfully modify position margin.",
        "type": int(kind),
    }


def margin_history(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    symbol, kind = parameters.symbol(), parameters.choice("type", ("1", "2"))
    (start, end), limit = parameters.span(), parameters.limit("limit", 500, 1_000)
    parameters.finish()
    rows = futures.exchange.margin_history(
        call.name, symbol, is_add=None if kind is None else kind == "1", start=start, end=end, limit=limit
    )
    return [account_json.margin_change(row, call.unit) for row in rows]


def position_mode(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    parameters.finish()
    return {"dualSidePosition": futures.exchange.dual_side(call.name)}


def set_position_mode(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    dual = _must_flag(parameters, "dualSidePosition")
    parameters.finish()
    futures.exchange.set_dual_side(call.name, dual, call.now)
    return _SUCCESS


def multi_assets(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    parameters.finish()
    return {"multiAssetsMargin": futures.exchange.multi_assets(call.name)}


def set_multi_assets(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    multi = _must_flag(parameters, "multiAssetsMargin")
    parameters.finish()
    futures.exchange.set_multi_assets(call.name, multi, call.now)
    return _SUCCESS


def fee_burn(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    parameters.finish()
    return {"feeBurn": futures.exchange.fee_burn(call.name)}


def set_fee_burn(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    burns = _must_flag(parameters, "feeBurn")
    parameters.finish()
    futures.exchange.set_fee_burn(call.name, burns)
    return _SUCCESS


def _must_flag(parameters: Parameters, name: str) -> bool:
    parameters.must(name)
    return flag(parameters, name)


def symbol_config(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    symbol = parameters.optional_symbol()
    parameters.finish()
    return [account_json.symbol_config(row) for row in futures.exchange.symbol_config(call.name, symbol)]


def leverage_brackets(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    symbol = parameters.optional_symbol()
    parameters.finish()
    found: list[tuple[str, tuple[Bracket, ...]]] = futures.exchange.leverage_brackets(symbol)
    return [account_json.leverage_brackets(name, brackets) for name, brackets in found]


def commission_rate(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    symbol = parameters.symbol()
    parameters.finish()
    futures.exchange.contract(symbol)
    spec = futures.exchange.account_spec(call.name)
    return {"symbol": symbol, "makerCommissionRate": plain(spec.maker), "takerCommissionRate": plain(spec.taker)}


# -- history and limits ---------------------------------------------------------------------------------------------------


def income(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    """Of the last seven days unless told."""
    symbol, kind = parameters.optional_symbol(), parameters.choice("incomeType", _INCOME_TYPES)
    page, limit = parameters.limit("page", 1, 1_000_000), parameters.limit("limit", 100, 1_000)
    start, end = parameters.span()
    parameters.finish()
    rows = futures.exchange.income(
        call.name, symbol=symbol, income_type=kind, start=start, end=end, page=page, limit=limit
    )
    return [account_json.income(row, call.unit) for row in rows]


def order_rate_limits(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    parameters.finish()
    return [row for row in futures.limits.announced() if row["rateLimitType"] == "ORDERS"]


def trading_status(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    """The venue's quantitative rules: no account here breaks them."""
    parameters.optional_symbol()
    parameters.finish()
    none: Json = {"indicators": {}, "updateTime": call.now // call.unit}
    return none


def trading_status_weight(parameters: Parameters) -> int:
    return 1 if parameters.peek("symbol") else 10


# -- listen keys ----------------------------------------------------------------------------------------------------------


def open_listen_key(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    """The account's own: a second request extends the first one's."""
    parameters.text("listenKey")
    parameters.finish()
    return {"listenKey": futures.users.open_key(call.name, call.now)}


def keep_listen_key(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    key = _listen_key(futures, call, parameters)
    futures.users.keep_alive(key, call.now)
    return {"listenKey": key.key}


def close_listen_key(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    futures.users.close_key(_listen_key(futures, call, parameters))
    return {}


def _listen_key(futures: FuturesFront, call: Call, parameters: Parameters) -> ListenKey:
    """The account's listen key; it need not be named, since there is but one."""
    named = parameters.text("listenKey")
    parameters.finish()
    key = futures.users.key_of(call.name) if named is None else futures.users.key(named)
    if key is None or key.account != call.name:
        raise Refusal(-1125, "This listenKey does not exist.")
    return key
