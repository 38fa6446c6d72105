"""Money of an account that moves other than by trading: deposits, withdrawals, transfers, dividends, interest.

Each query shows exactly the movements the exchange made, newest first: of every kind in one place. Deposits, withdrawals,
transfers and interest have ledgers of their own; whatever else came or went (dividends, fees) is in assetDividend.

Queries leave parameters alone that they do not know, as the venue's wallet does and clients rely on; what moves money
refuses them.
"""

from collections.abc import Callable
from decimal import Decimal
from urllib.parse import urlencode

from tradedesk.paper.rows import Movement, Refusal
from tradedesk.paper.server import wallet_json
from tradedesk.paper.server.front import Call
from tradedesk.paper.server.parameters import Parameters, invalid, missing
from tradedesk.paper.server.render import Json
from tradedesk.paper.server.wallet_front import WalletFront

SPOT, FUTURES = "SPOT", "USDT_FUTURE"
_OF_THEIR_OWN = ("DEPOSIT", "WITHDRAW", "TRANSFER", "INTEREST")
_LONGEST = 90 * 86_400 * 1_000_000_000  # ns between the ends of one query
_ALL = 10**9
_DONE = {"deposit": 1, "withdraw": 6}  # the only status anything here is ever seen in


def _span(parameters: Parameters) -> tuple[int | None, int | None]:
    """startTime and endTime in ns."""
    start, end = parameters.time("startTime"), parameters.time("endTime")
    if start is not None and end is not None and not 0 <= end - start <= _LONGEST:
        raise Refusal(-4047, "Time interval must be within 0-90 days")
    return start, end


def _moved(
    front: WalletFront, account: str, wanted: Callable[[Movement], bool], *, asset: str | None, span: tuple[int | None, int | None]
) -> list[Movement]:  # fmt: skip
    """All movements of the account that are `wanted`, newest first."""
    start, end = span
    rows = front.spot.exchange.movements(account, asset=asset, start=start, end=end, limit=_ALL)
    return [row for row in reversed(rows) if wanted(row)]


def _page(rows: list[Movement], parameters: Parameters) -> list[Movement]:
    """By offset and limit, as the capital endpoints have it."""
    offset, limit = parameters.integer("offset") or 0, parameters.limit("limit", 1_000, 1_000)
    return rows[offset : offset + limit]


def _numbered(rows: list[Movement], parameters: Parameters, render: Callable[[Movement], Json]) -> Json:
    """By current and size, with the total: as the transfers have it."""
    current, size = parameters.integer("current"), parameters.limit("size", 10, 100)
    if current == 0:
        raise invalid("current")
    first = ((current or 1) - 1) * size
    return {"total": len(rows), "rows": [render(row) for row in rows[first : first + size]]}


# -- deposits and withdrawals ---------------------------------------------------------------------------------------------


def deposits(front: WalletFront, call: Call, parameters: Parameters) -> object:
    coin, span, status = parameters.text("coin"), _span(parameters), parameters.integer("status")
    transaction = parameters.text("txId")
    rows = _moved(front, call.name, lambda row: row.kind == "DEPOSIT", asset=coin, span=span)
    if status not in (None, _DONE["deposit"]):
        rows = []
    if transaction is not None:
        rows = [row for row in rows if wallet_json.deposit(row)["txId"] == transaction]
    return [wallet_json.deposit(row) for row in _page(rows, parameters)]


def withdrawals(front: WalletFront, call: Call, parameters: Parameters) -> object:
    coin, span, status = parameters.text("coin"), _span(parameters), parameters.integer("status")
    client_id, listed = parameters.text("withdrawOrderId"), parameters.text("idList")
    rows = _moved(front, call.name, lambda row: row.kind == "WITHDRAW", asset=coin, span=span)
    if status not in (None, _DONE["withdraw"]):
        rows = []
    if client_id is not None:
        rows = [row for row in rows if wallet_json.details(row).get("withdrawOrderId") == client_id]
    if listed is not None:
        wanted = listed.split(",")
        rows = [row for row in rows if str(row.id) in wanted]
    return [wallet_json.withdrawal(row) for row in _page(rows, parameters)]


def withdraw(front: WalletFront, call: Call, parameters: Parameters) -> object:
    """The money is gone at once; a paper chain confirms nothing."""
    coin, address, amount = parameters.must("coin"), parameters.must("address"), amount_of(parameters)
    words = {"address": address[:200]}
    for name in ("addressTag", "network", "withdrawOrderId"):
        text = parameters.text(name)
        if text is not None:
            words[name] = text[:100]
    parameters.flag("transactionFeeFlag")
    parameters.text("name")
    parameters.choice("walletType", ("0", "1"))
    parameters.finish()
    _known(front, call, coin)
    if front.spot.exchange.balances(call.name).get(coin, (Decimal(0),))[0] < amount:
        raise Refusal(-4026, "You have insufficient balance.")
    moved = front.spot.exchange.move(call.name, coin, -amount, "WITHDRAW", call.now, reference=said(**words))
    return {"id": str(moved.id)}


def deposit_address(front: WalletFront, call: Call, parameters: Parameters) -> object:
    """One per account and coin; what is sent there arrives when the admin door says so."""
    coin = parameters.must("coin")
    _known(front, call, coin)
    return {"coin": coin, "address": f"paper-{call.name}-{coin.lower()}", "tag": "", "url": ""}


def said(**words: str) -> str:
    """A movement's reference in words of the wallet."""
    return urlencode(words)


def _known(front: WalletFront, call: Call, asset: str) -> None:
    if asset not in front.assets(call.name):
        raise Refusal(-4018, "We don't have this asset.")


def amount_of(parameters: Parameters) -> Decimal:
    amount = parameters.decimal("amount")
    if amount is None:
        raise missing("amount")
    if amount == 0:
        raise invalid("amount")
    return amount


# -- transfers ------------------------------------------------------------------------------------------------------------


def transfer(front: WalletFront, call: Call, parameters: Parameters) -> object:
    """Between the spot and the USD-M wallet of the account."""
    kind, asset, amount = parameters.must("type"), parameters.must("asset"), amount_of(parameters)
    for name in ("fromSymbol", "toSymbol"):
        parameters.text(name)
    parameters.finish()
    match kind:
        case "MAIN_UMFUTURE":
            ends = ((call.name, SPOT), (call.name, FUTURES))
        case "UMFUTURE_MAIN":
            ends = ((call.name, FUTURES), (call.name, SPOT))
        case _:
            raise Refusal(-1020, "This operation is not supported.")
    return {"tranId": relocate(front, call, asset, amount, *ends, reference=kind)}


def relocate(
    front: WalletFront,
    call: Call,
    asset: str,
    amount: Decimal,
    source: tuple[str, str],
    target: tuple[str, str],
    *,
    reference: str,
    counter_reference: str | None = None,
) -> int:
    """Move `amount` between two (account, wallet); the transfer's id. Raises Refusal, and then nothing has moved."""
    _known(front, call, asset)
    exchange, futures = front.spot.exchange, front.commons.futures_wallet
    if FUTURES in (source[1], target[1]) and futures is None:
        raise Refusal(-1020, "This operation is not supported.")
    insufficient = Refusal(-5013, "Asset transfer failed: insufficient balance")
    if source[1] == SPOT and exchange.balances(source[0]).get(asset, (Decimal(0),))[0] < amount:
        raise insufficient
    # the wallet that may still refuse comes first: spot, seen to have enough, then cannot
    number = 0
    if futures is not None and source[1] == FUTURES:
        try:
            number = futures(source[0], asset, -amount, call.now)
        except Refusal as refused:
            raise (insufficient if refused.code == -2018 else refused) from None
    if futures is not None and target[1] == FUTURES:
        number = futures(target[0], asset, amount, call.now)
    if source[1] == SPOT:
        number = exchange.move(source[0], asset, -amount, "TRANSFER", call.now, reference=reference).id
    if target[1] == SPOT:
        if counter_reference is not None and source[1] == SPOT:
            counter_reference += f"&tranId={number}"  # both sides know the transfer by one number
        moved = exchange.move(target[0], asset, amount, "TRANSFER", call.now, reference=counter_reference or reference)
        number = number if source[1] == SPOT else moved.id
    return number


def transfers(front: WalletFront, call: Call, parameters: Parameters) -> object:
    kind, span = parameters.must("type"), _span(parameters)

    def wanted(row: Movement) -> bool:
        is_own = row.kind == "TRANSFER" and "counterparty" not in wallet_json.details(row)
        return is_own and wallet_json.transfer_type(row) == kind

    return _numbered(_moved(front, call.name, wanted, asset=None, span=span), parameters, wallet_json.transfer)


def with_others(front: WalletFront, account: str, parameters: Parameters) -> list[Movement]:
    """The transfers between the account and its master or sub-accounts."""
    span, asset = _span(parameters), parameters.text("asset")

    def wanted(row: Movement) -> bool:
        return row.kind == "TRANSFER" and "counterparty" in wallet_json.details(row)

    return _moved(front, account, wanted, asset=asset, span=span)


# -- what comes and goes by itself ----------------------------------------------------------------------------------------


def dividends(front: WalletFront, call: Call, parameters: Parameters) -> object:
    asset, span, limit = parameters.text("asset"), _span(parameters), parameters.limit("limit", 20, 500)
    rows = _moved(front, call.name, lambda row: row.kind not in _OF_THEIR_OWN, asset=asset, span=span)
    return {"rows": [wallet_json.dividend(row) for row in rows[:limit]], "total": len(rows)}


def interest(front: WalletFront, call: Call, parameters: Parameters) -> object:
    asset, span = parameters.text("asset"), _span(parameters)
    isolated = parameters.text("isolatedSymbol")
    rows = _moved(front, call.name, lambda row: row.kind == "INTEREST" and isolated is None, asset=asset, span=span)
    return _numbered(rows, parameters, wallet_json.interest)


def dust(_front: WalletFront, _call: Call, parameters: Parameters) -> object:
    """Small balances are never converted here, so there is never one."""
    _span(parameters)
    return {"total": 0, "userAssetDribblets": []}
