"""The two tables of what can be asked: by method and path over REST, by name over the WebSocket API; weights as listed 2026-07."""

from tradedesk.paper.accounts import Right
from tradedesk.paper.server.front import Route
from tradedesk.paper.server.spot import account, history, lists, market_data, trading

_PING = Route(operation=market_data.ping, weight=1)
_TIME = Route(operation=market_data.time, weight=1)
_INFO = Route(operation=market_data.exchange_info, weight=20)
_DEPTH = Route(operation=market_data.depth, weight=market_data.depth_weight)
_TRADES = Route(operation=market_data.trades, weight=25)
_HISTORICAL = Route(operation=market_data.historical_trades, weight=25)
_AGGREGATES = Route(operation=market_data.agg_trades, weight=4)
_KLINES = Route(operation=market_data.klines, weight=2)
_AVERAGE = Route(operation=market_data.average_price, weight=2)
_TICKER_24H = Route(operation=market_data.ticker_24h, weight=market_data.ticker_24h_weight)
_TICKER_WINDOW = Route(operation=market_data.ticker_window, weight=market_data.ticker_window_weight)
_TRADING_DAY = Route(operation=market_data.ticker_trading_day, weight=market_data.ticker_window_weight)
_RULES = Route(operation=market_data.execution_rules, weight=market_data.execution_rules_weight)
_REFERENCE = Route(operation=market_data.reference_price, weight=2)
_TICKER_PRICE = Route(operation=market_data.ticker_price, weight=market_data.ticker_weight)
_TICKER_BOOK = Route(operation=market_data.ticker_book, weight=market_data.ticker_weight)

_PLACE = Route(operation=trading.place, weight=1, security="signed", is_order=True)
_TEST = Route(operation=trading.test, weight=trading.test_weight, security="signed", right=Right.SPOT)
_CANCEL = Route(operation=trading.cancel, weight=1, security="signed", is_order=True)
_CANCEL_ALL = Route(operation=trading.cancel_all, weight=1, security="signed", is_order=True)
_CANCEL_REPLACE = Route(operation=trading.cancel_replace, weight=1, security="signed", is_order=True)
_AMEND = Route(operation=trading.amend, weight=4, security="signed", right=Right.SPOT)
_SOR = Route(operation=trading.routed, weight=1, security="signed", is_order=True)
_SOR_TEST = Route(operation=trading.routed, weight=trading.test_weight, security="signed", right=Right.SPOT)
_OCO = Route(operation=lists.place_oco, weight=1, security="signed", is_order=True)
_OLD_OCO = Route(operation=lists.place_old_oco, weight=1, security="signed", is_order=True)
_OTO = Route(operation=lists.place_oto, weight=1, security="signed", is_order=True)
_OTOCO = Route(operation=lists.place_otoco, weight=1, security="signed", is_order=True)
_OPO = Route(operation=lists.place_opo, weight=1, security="signed", is_order=True)
_CANCEL_LIST = Route(operation=lists.cancel, weight=1, security="signed", is_order=True)
_LIST = Route(operation=lists.order_list, weight=4, security="signed")
_ALL_LISTS = Route(operation=lists.all_lists, weight=20, security="signed")
_OPEN_LISTS = Route(operation=lists.open_lists, weight=6, security="signed")
_ORDER = Route(operation=history.order, weight=4, security="signed")
_OPEN_ORDERS = Route(operation=history.open_orders, weight=history.open_orders_weight, security="signed")
_ALL_ORDERS = Route(operation=history.all_orders, weight=20, security="signed")
_MY_TRADES = Route(operation=history.my_trades, weight=history.my_trades_weight, security="signed")
_AMENDMENTS = Route(operation=history.amendments, weight=4, security="signed")
_PREVENTED = Route(operation=history.prevented_matches, weight=history.prevented_matches_weight, security="signed")
_ALLOCATIONS = Route(operation=history.allocations, weight=20, security="signed")
_ACCOUNT = Route(operation=account.account, weight=20, security="signed")
_COMMISSION = Route(operation=account.commission, weight=20, security="signed")
_FILTERS = Route(operation=account.filters, weight=40, security="signed")
_ORDER_LIMITS = Route(operation=account.order_rate_limits, weight=40, security="signed")
_OPEN_KEY = Route(operation=account.open_listen_key, weight=2, security="key")
_KEEP_KEY = Route(operation=account.keep_listen_key, weight=2, security="key")
_CLOSE_KEY = Route(operation=account.close_listen_key, weight=2, security="key")

REST = {
    ("GET", "/api/v3/ping"): _PING,
    ("GET", "/api/v3/time"): _TIME,
    ("GET", "/api/v3/exchangeInfo"): _INFO,
    ("GET", "/api/v3/depth"): _DEPTH,
    ("GET", "/api/v3/trades"): _TRADES,
    ("GET", "/api/v3/historicalTrades"): _HISTORICAL,
    ("GET", "/api/v3/aggTrades"): _AGGREGATES,
    ("GET", "/api/v3/klines"): _KLINES,
    ("GET", "/api/v3/uiKlines"): _KLINES,
    ("GET", "/api/v3/avgPrice"): _AVERAGE,
    ("GET", "/api/v3/ticker/24hr"): _TICKER_24H,
    ("GET", "/api/v3/ticker"): _TICKER_WINDOW,
    ("GET", "/api/v3/ticker/tradingDay"): _TRADING_DAY,
    ("GET", "/api/v3/executionRules"): _RULES,
    ("GET", "/api/v3/referencePrice"): _REFERENCE,
    ("GET", "/api/v3/referencePrice/calculation"): _REFERENCE,
    ("GET", "/api/v3/ticker/price"): _TICKER_PRICE,
    ("GET", "/api/v3/ticker/bookTicker"): _TICKER_BOOK,
    ("POST", "/api/v3/order"): _PLACE,
    ("POST", "/api/v3/order/test"): _TEST,
    ("POST", "/api/v3/order/cancelReplace"): _CANCEL_REPLACE,
    ("PUT", "/api/v3/order/amend/keepPriority"): _AMEND,
    ("GET", "/api/v3/order/amendments"): _AMENDMENTS,
    ("POST", "/api/v3/sor/order"): _SOR,
    ("POST", "/api/v3/sor/order/test"): _SOR_TEST,
    ("POST", "/api/v3/order/oco"): _OLD_OCO,
    ("POST", "/api/v3/orderList/oco"): _OCO,
    ("POST", "/api/v3/orderList/oto"): _OTO,
    ("POST", "/api/v3/orderList/otoco"): _OTOCO,
    ("POST", "/api/v3/orderList/opo"): _OPO,
    ("POST", "/api/v3/orderList/opoco"): _OPO,
    ("GET", "/api/v3/orderList"): _LIST,
    ("DELETE", "/api/v3/orderList"): _CANCEL_LIST,
    ("GET", "/api/v3/allOrderList"): _ALL_LISTS,
    ("GET", "/api/v3/openOrderList"): _OPEN_LISTS,
    ("GET", "/api/v3/order"): _ORDER,
    ("DELETE", "/api/v3/order"): _CANCEL,
    ("GET", "/api/v3/openOrders"): _OPEN_ORDERS,
    ("DELETE", "/api/v3/openOrders"): _CANCEL_ALL,
    ("GET", "/api/v3/allOrders"): _ALL_ORDERS,
    ("GET", "/api/v3/myTrades"): _MY_TRADES,
    ("GET", "/api/v3/myPreventedMatches"): _PREVENTED,
    ("GET", "/api/v3/myAllocations"): _ALLOCATIONS,
    ("GET", "/api/v3/myFilters"): _FILTERS,
    ("GET", "/api/v3/account"): _ACCOUNT,
    ("GET", "/api/v3/account/commission"): _COMMISSION,
    ("GET", "/api/v3/rateLimit/order"): _ORDER_LIMITS,
    ("POST", "/api/v3/userDataStream"): _OPEN_KEY,
    ("PUT", "/api/v3/userDataStream"): _KEEP_KEY,
    ("DELETE", "/api/v3/userDataStream"): _CLOSE_KEY,
}

SOCKET = {
    "ping": _PING,
    "time": _TIME,
    "exchangeInfo": _INFO,
    "depth": _DEPTH,
    "trades.recent": _TRADES,
    "trades.historical": _HISTORICAL,
    "trades.aggregate": _AGGREGATES,
    "klines": _KLINES,
    "uiKlines": _KLINES,
    "avgPrice": _AVERAGE,
    "ticker.24hr": _TICKER_24H,
    "ticker": _TICKER_WINDOW,
    "ticker.tradingDay": _TRADING_DAY,
    "executionRules": _RULES,
    "referencePrice": _REFERENCE,
    "referencePrice.calculation": _REFERENCE,
    "ticker.price": _TICKER_PRICE,
    "ticker.book": _TICKER_BOOK,
    "order.place": _PLACE,
    "order.test": _TEST,
    "order.status": _ORDER,
    "order.cancel": _CANCEL,
    "order.cancelReplace": _CANCEL_REPLACE,
    "order.amend.keepPriority": _AMEND,
    "order.amendments": _AMENDMENTS,
    "sor.order.place": _SOR,
    "sor.order.test": _SOR_TEST,
    "orderList.place": _OLD_OCO,
    "orderList.place.oco": _OCO,
    "orderList.place.oto": _OTO,
    "orderList.place.otoco": _OTOCO,
    "orderList.place.opo": _OPO,
    "orderList.place.opoco": _OPO,
    "orderList.status": _LIST,
    "orderList.cancel": _CANCEL_LIST,
    "openOrderLists.status": _OPEN_LISTS,
    "allOrderLists": _ALL_LISTS,
    "openOrders.status": _OPEN_ORDERS,
    "openOrders.cancelAll": _CANCEL_ALL,
    "allOrders": _ALL_ORDERS,
    "myTrades": _MY_TRADES,
    "myPreventedMatches": _PREVENTED,
    "myAllocations": _ALLOCATIONS,
    "myFilters": _FILTERS,
    "account.status": _ACCOUNT,
    "account.commission": _COMMISSION,
    "account.rateLimits.orders": _ORDER_LIMITS,
    "userDataStream.start": _OPEN_KEY,
    "userDataStream.ping": _KEEP_KEY,
    "userDataStream.stop": _CLOSE_KEY,
}
