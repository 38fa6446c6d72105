"""The table of the wallet (`/sapi`), with what is asked there about the key, the account and the coins."""

from tradedesk.paper.accounts import Right
from tradedesk.paper.server import wallet_json, wallet_money, wallet_subs
from tradedesk.paper.server.front import Call, Operation, Route
from tradedesk.paper.server.parameters import Parameters, missing
from tradedesk.paper.server.wallet_front import WalletFront


def system_status(_front: WalletFront, _call: Call, _parameters: Parameters) -> object:
    return {"status": 0, "msg": "normal"}


def account_status(_front: WalletFront, _call: Call, _parameters: Parameters) -> object:
    return {"data": "Normal"}


def trading_status(_front: WalletFront, _call: Call, _parameters: Parameters) -> object:
    """The venue locks accounts whose orders are too often cancelled, not filled or tiny; this one never does."""
    triggers = {"GCR": 150, "IFER": 150, "UFR": 300}
    return {"data": {"isLocked": False, "plannedRecoverTime": 0, "triggerCondition": triggers, "updateTime": 0}}


def account_info(front: WalletFront, _call: Call, _parameters: Parameters) -> object:
    return {
        "vipLevel": 0,
        "isMarginEnabled": False,
        "isFutureEnabled": front.commons.futures_wallet is not None,
        "isOptionsEnabled": False,
        "isPortfolioMarginRetailEnabled": False,
    }


def restrictions(front: WalletFront, call: Call, _parameters: Parameters) -> object:
    if call.key is None:
        raise missing("apiKey")
    return wallet_json.restrictions(call.key, front.commons.started, call.now)


def coins(front: WalletFront, call: Call, _parameters: Parameters) -> object:
    return wallet_json.coins(front.assets(call.name), front.spot.exchange.balances(call.name))


def trade_fee(front: WalletFront, call: Call, parameters: Parameters) -> object:
    symbol = parameters.optional_symbol()
    exchange = front.spot.exchange
    symbols = [spec.symbol for spec in exchange.specs()] if symbol is None else [exchange.spec(symbol).symbol]
    return [wallet_json.trade_fee(exchange.account_spec(call.name), each) for each in symbols]


def user_assets(front: WalletFront, call: Call, parameters: Parameters) -> object:
    """What the account holds, without what it holds nothing of."""
    asset = parameters.text("asset")
    held = front.spot.exchange.balances(call.name)
    return wallet_json.user_assets({name: pair for name, pair in held.items() if any(pair) and asset in (None, name)})


def burn(front: WalletFront, call: Call, _parameters: Parameters) -> object:
    return _burning(front, call)


def set_burn(front: WalletFront, call: Call, parameters: Parameters) -> object:
    """Whether commission is paid in BNB; interest never is, for there is none to choose about."""
    asked = parameters.choice("spotBNBBurn", ("true", "false"))
    parameters.choice("interestBNBBurn", ("true", "false"))
    parameters.finish()
    if asked is not None:
        front.spot.exchange.set_pays_bnb(call.name, asked == "true")
    return _burning(front, call)


def _burning(front: WalletFront, call: Call) -> object:
    return {"spotBNBBurn": front.spot.exchange.account_spec(call.name).pays_bnb, "interestBNBBurn": False}


def snapshots(_front: WalletFront, _call: Call, parameters: Parameters) -> object:
    """The venue takes them at midnight and keeps a month; here none is ever taken."""
    parameters.must("type")
    return {"code": 200, "msg": "", "snapshotVos": []}


def nothing(_front: WalletFront, _call: Call, _parameters: Parameters) -> object:
    """A list of what this venue does not have: margin pairs, funding wallet."""
    return []


def _route(operation: Operation, weight: int = 1, right: Right | None = None) -> Route:
    return Route(operation=operation, weight=weight, security="signed", right=right)


_NOTHING_KEYED = Route(operation=nothing, weight=1, security="key")

REST = {
    ("GET", "/sapi/v1/system/status"): Route(operation=system_status, weight=1),
    ("GET", "/sapi/v1/account/status"): _route(account_status),
    ("GET", "/sapi/v1/account/apiTradingStatus"): _route(trading_status),
    ("GET", "/sapi/v1/account/info"): _route(account_info),
    ("GET", "/sapi/v1/account/apiRestrictions"): _route(restrictions),
    ("GET", "/sapi/v1/accountSnapshot"): _route(snapshots, 2_400),
    ("GET", "/sapi/v1/capital/config/getall"): _route(coins, 10),
    ("GET", "/sapi/v1/capital/deposit/address"): _route(wallet_money.deposit_address, 10),
    ("GET", "/sapi/v1/capital/deposit/hisrec"): _route(wallet_money.deposits),
    ("GET", "/sapi/v1/capital/withdraw/history"): _route(wallet_money.withdrawals),
    ("POST", "/sapi/v1/capital/withdraw/apply"): _route(wallet_money.withdraw, 1, Right.WITHDRAW),
    ("GET", "/sapi/v1/asset/tradeFee"): _route(trade_fee),
    ("POST", "/sapi/v3/asset/getUserAsset"): _route(user_assets, 5),
    ("POST", "/sapi/v1/asset/get-funding-asset"): _route(nothing),
    ("GET", "/sapi/v1/asset/transfer"): _route(wallet_money.transfers),
    ("POST", "/sapi/v1/asset/transfer"): _route(wallet_money.transfer, 1, Right.TRANSFER),
    ("GET", "/sapi/v1/asset/assetDividend"): _route(wallet_money.dividends, 10),
    ("GET", "/sapi/v1/asset/dribblet"): _route(wallet_money.dust),
    ("GET", "/sapi/v1/bnbBurn"): _route(burn),
    ("POST", "/sapi/v1/bnbBurn"): _route(set_burn, 1, Right.SPOT),
    ("GET", "/sapi/v1/margin/interestHistory"): _route(wallet_money.interest),
    ("GET", "/sapi/v1/margin/allPairs"): _NOTHING_KEYED,
    ("GET", "/sapi/v1/margin/allAssets"): _NOTHING_KEYED,
    ("GET", "/sapi/v1/margin/isolated/allPairs"): _NOTHING_KEYED,
    ("GET", "/sapi/v1/sub-account/list"): _route(wallet_subs.listed),
    ("POST", "/sapi/v1/sub-account/universalTransfer"): _route(wallet_subs.transfer, 1, Right.TRANSFER),
    ("GET", "/sapi/v1/sub-account/universalTransfer"): _route(wallet_subs.made),
    ("GET", "/sapi/v1/sub-account/transfer/subUserHistory"): _route(wallet_subs.history),
    ("GET", "/sapi/v1/sub-account/subAccountApi/ipRestriction"): _route(wallet_subs.addresses),
    ("POST", "/sapi/v2/sub-account/subAccountApi/ipRestriction"): _route(wallet_subs.restrict, 1, Right.TRANSFER),
}
