"""The two tables of what can be asked of USD-M: by method and path over REST, by name over the WebSocket API; weights as listed 2026.

An order request weighs nothing where it succeeds; its place in the order count is what it costs.
"""

from tradedesk.paper.accounts import Right
from tradedesk.paper.server.front import Route
from tradedesk.paper.server.futures import account, market_data, trading

_PING = Route(operation=market_data.ping, weight=1)
_TIME = Route(operation=market_data.time, weight=1)
_DEPTH = Route(operation=market_data.depth, weight=market_data.depth_weight)
_TICKER_PRICE = Route(operation=market_data.ticker_price, weight=market_data.ticker_price_weight)
_TICKER_BOOK = Route(operation=market_data.ticker_book, weight=market_data.ticker_book_weight)

_PLACE = Route(operation=trading.place, weight=1, security="signed", is_order=True)
_MODIFY = Route(operation=trading.modify, weight=1, security="signed", is_order=True)
_CANCEL = Route(operation=trading.cancel, weight=1, security="signed", right=Right.FUTURES)
_ORDER = Route(operation=trading.order, weight=1, security="signed")
_PLACE_ALGO = Route(operation=trading.place_algo, weight=1, security="signed", is_order=True)
_CANCEL_ALGO = Route(operation=trading.cancel_algo, weight=1, security="signed", right=Right.FUTURES)

_ACCOUNT_V2 = Route(operation=account.account_v2, weight=5, security="signed")
_ACCOUNT_V3 = Route(operation=account.account_v3, weight=5, security="signed")
_BALANCE = Route(operation=account.balance, weight=5, security="signed")
_POSITIONS_V2 = Route(operation=account.positions_v2, weight=5, security="signed")
_POSITIONS_V3 = Route(operation=account.positions_v3, weight=5, security="signed")
_OPEN_KEY = Route(operation=account.open_listen_key, weight=1, security="key")
_KEEP_KEY = Route(operation=account.keep_listen_key, weight=1, security="key")
_CLOSE_KEY = Route(operation=account.close_listen_key, weight=1, security="key")

REST = {
    ("GET", "/fapi/v1/ping"): _PING,
    ("GET", "/fapi/v1/time"): _TIME,
    ("GET", "/fapi/v1/exchangeInfo"): Route(operation=market_data.exchange_info, weight=1),
    ("GET", "/fapi/v1/depth"): _DEPTH,
    ("GET", "/fapi/v1/trades"): Route(operation=market_data.trades, weight=5),
    ("GET", "/fapi/v1/historicalTrades"): Route(operation=market_data.historical_trades, weight=20, security="key"),
    ("GET", "/fapi/v1/aggTrades"): Route(operation=market_data.agg_trades, weight=20),
    ("GET", "/fapi/v1/klines"): Route(operation=market_data.klines, weight=market_data.klines_weight),
    ("GET", "/fapi/v1/continuousKlines"): Route(
        operation=market_data.continuous_klines, weight=market_data.klines_weight
    ),
    ("GET", "/fapi/v1/markPriceKlines"): Route(
        operation=market_data.mark_price_klines, weight=market_data.klines_weight
    ),
    ("GET", "/fapi/v1/indexPriceKlines"): Route(
        operation=market_data.index_price_klines, weight=market_data.klines_weight
    ),
    ("GET", "/fapi/v1/premiumIndexKlines"): Route(
        operation=market_data.premium_index_klines, weight=market_data.klines_weight
    ),
    ("GET", "/fapi/v1/premiumIndex"): Route(
        operation=market_data.premium_index, weight=market_data.premium_index_weight
    ),
    ("GET", "/fapi/v1/fundingRate"): Route(operation=market_data.funding_rate, weight=0),
    ("GET", "/fapi/v1/fundingInfo"): Route(operation=market_data.funding_info, weight=0),
    ("GET", "/fapi/v1/ticker/24hr"): Route(operation=market_data.ticker_24h, weight=market_data.ticker_24h_weight),
    ("GET", "/fapi/v1/ticker/price"): _TICKER_PRICE,
    ("GET", "/fapi/v2/ticker/price"): _TICKER_PRICE,
    ("GET", "/fapi/v1/ticker/bookTicker"): _TICKER_BOOK,
    ("GET", "/fapi/v1/openInterest"): Route(operation=market_data.open_interest, weight=1),
    ("GET", "/fapi/v1/constituents"): Route(operation=market_data.constituents, weight=2),
    ("GET", "/fapi/v1/rpiDepth"): Route(operation=market_data.rpi_depth, weight=20),
    ("GET", "/fapi/v1/symbolAdlRisk"): Route(operation=market_data.adl_risk, weight=1),
    ("GET", "/fapi/v1/insuranceBalance"): Route(operation=market_data.insurance_balance, weight=1),
    ("GET", "/fapi/v1/assetIndex"): Route(operation=market_data.asset_index, weight=market_data.asset_index_weight),
    ("GET", "/fapi/v1/indexInfo"): Route(operation=market_data.index_info, weight=1),
    ("POST", "/fapi/v1/order"): _PLACE,
    ("POST", "/fapi/v1/order/test"): Route(operation=trading.test, weight=1, security="signed", right=Right.FUTURES),
    ("PUT", "/fapi/v1/order"): _MODIFY,
    ("GET", "/fapi/v1/order"): _ORDER,
    ("DELETE", "/fapi/v1/order"): _CANCEL,
    ("POST", "/fapi/v1/batchOrders"): Route(operation=trading.place_batch, weight=5, security="signed", is_order=True),
    ("PUT", "/fapi/v1/batchOrders"): Route(operation=trading.modify_batch, weight=5, security="signed", is_order=True),
    ("DELETE", "/fapi/v1/batchOrders"): Route(
        operation=trading.cancel_batch, weight=1, security="signed", right=Right.FUTURES
    ),
    ("DELETE", "/fapi/v1/allOpenOrders"): Route(
        operation=trading.cancel_all, weight=1, security="signed", right=Right.FUTURES
    ),
    ("POST", "/fapi/v1/countdownCancelAll"): Route(
        operation=trading.countdown_cancel_all, weight=10, security="signed", right=Right.FUTURES
    ),
    ("GET", "/fapi/v1/openOrder"): Route(operation=trading.open_order, weight=1, security="signed"),
    ("GET", "/fapi/v1/openOrders"): Route(
        operation=trading.open_orders, weight=trading.open_orders_weight, security="signed"
    ),
    ("GET", "/fapi/v1/allOrders"): Route(operation=trading.all_orders, weight=5, security="signed"),
    ("GET", "/fapi/v1/orderAmendment"): Route(operation=trading.amendments, weight=1, security="signed"),
    ("GET", "/fapi/v1/userTrades"): Route(operation=trading.user_trades, weight=5, security="signed"),
    ("GET", "/fapi/v1/forceOrders"): Route(
        operation=trading.force_orders, weight=trading.force_orders_weight, security="signed"
    ),
    ("POST", "/fapi/v1/algoOrder"): _PLACE_ALGO,
    ("GET", "/fapi/v1/algoOrder"): Route(operation=trading.algo, weight=1, security="signed"),
    ("DELETE", "/fapi/v1/algoOrder"): _CANCEL_ALGO,
    ("DELETE", "/fapi/v1/algoOpenOrders"): Route(
        operation=trading.cancel_all_algo, weight=1, security="signed", right=Right.FUTURES
    ),
    ("GET", "/fapi/v1/openAlgoOrders"): Route(
        operation=trading.open_algos, weight=trading.open_orders_weight, security="signed"
    ),
    ("GET", "/fapi/v1/allAlgoOrders"): Route(operation=trading.all_algos, weight=5, security="signed"),
    ("GET", "/fapi/v1/account"): _ACCOUNT_V2,
    ("GET", "/fapi/v2/account"): _ACCOUNT_V2,
    ("GET", "/fapi/v3/account"): _ACCOUNT_V3,
    ("GET", "/fapi/v1/balance"): _BALANCE,
    ("GET", "/fapi/v2/balance"): _BALANCE,
    ("GET", "/fapi/v3/balance"): _BALANCE,
    ("GET", "/fapi/v1/positionRisk"): _POSITIONS_V2,
    ("GET", "/fapi/v2/positionRisk"): _POSITIONS_V2,
    ("GET", "/fapi/v3/positionRisk"): _POSITIONS_V3,
    ("GET", "/fapi/v1/accountConfig"): Route(operation=account.account_config, weight=5, security="signed"),
    ("GET", "/fapi/v1/symbolConfig"): Route(operation=account.symbol_config, weight=5, security="signed"),
    ("POST", "/fapi/v1/leverage"): Route(
        operation=account.set_leverage, weight=1, security="signed", right=Right.FUTURES
    ),
    ("POST", "/fapi/v1/marginType"): Route(
        operation=account.set_margin_type, weight=1, security="signed", right=Right.FUTURES
    ),
    ("POST", "/fapi/v1/positionMargin"): Route(
        operation=account.change_margin, weight=1, security="signed", right=Right.FUTURES
    ),
    ("GET", "/fapi/v1/positionMargin/history"): Route(operation=account.margin_history, weight=1, security="signed"),
    ("GET", "/fapi/v1/positionSide/dual"): Route(operation=account.position_mode, weight=30, security="signed"),
    ("POST", "/fapi/v1/positionSide/dual"): Route(
        operation=account.set_position_mode, weight=1, security="signed", right=Right.FUTURES
    ),
    ("GET", "/fapi/v1/multiAssetsMargin"): Route(operation=account.multi_assets, weight=30, security="signed"),
    ("POST", "/fapi/v1/multiAssetsMargin"): Route(
        operation=account.set_multi_assets, weight=1, security="signed", right=Right.FUTURES
    ),
    ("GET", "/fapi/v1/feeBurn"): Route(operation=account.fee_burn, weight=30, security="signed"),
    ("POST", "/fapi/v1/feeBurn"): Route(
        operation=account.set_fee_burn, weight=1, security="signed", right=Right.FUTURES
    ),
    ("GET", "/fapi/v1/leverageBracket"): Route(operation=account.leverage_brackets, weight=1, security="signed"),
    ("GET", "/fapi/v1/commissionRate"): Route(operation=account.commission_rate, weight=20, security="signed"),
    ("GET", "/fapi/v1/income"): Route(operation=account.income, weight=30, security="signed"),
    ("GET", "/fapi/v1/adlQuantile"): Route(operation=account.adl_quantile, weight=5, security="signed"),
    ("GET", "/fapi/v1/rateLimit/order"): Route(operation=account.order_rate_limits, weight=1, security="signed"),
    ("GET", "/fapi/v1/apiTradingStatus"): Route(
        operation=account.trading_status, weight=account.trading_status_weight, security="signed"
    ),
    ("POST", "/fapi/v1/listenKey"): _OPEN_KEY,
    ("PUT", "/fapi/v1/listenKey"): _KEEP_KEY,
    ("DELETE", "/fapi/v1/listenKey"): _CLOSE_KEY,
}

SOCKET = {
    "ping": _PING,
    "time": _TIME,
    "depth": _DEPTH,
    "ticker.price": _TICKER_PRICE,
    "ticker.book": _TICKER_BOOK,
    "order.place": _PLACE,
    "order.modify": _MODIFY,
    "order.cancel": _CANCEL,
    "order.status": _ORDER,
    "algoOrder.place": _PLACE_ALGO,
    "algoOrder.cancel": _CANCEL_ALGO,
    "account.balance": _BALANCE,
    "v2/account.balance": _BALANCE,
    "account.status": _ACCOUNT_V2,
    "v2/account.status": _ACCOUNT_V3,
    "account.position": _POSITIONS_V2,
    "v2/account.position": _POSITIONS_V3,
    "userDataStream.start": _OPEN_KEY,
    "userDataStream.ping": _KEEP_KEY,
    "userDataStream.stop": _CLOSE_KEY,
}
