"""The desk's books against the exchange's own, account by account, to the last digit. Pure."""

from decimal import Decimal
from typing import Any

from tradedesk.domain.words import AccountId
from tradedesk.views.replica import Replica

# The venue's word for a status, in ours; what a desk may call an order the venue has.
STATUSES = {
    "NEW": "New",
    "PARTIALLY_FILLED": "PartiallyFilled",
    "FILLED": "Filled",
    "CANCELED": "Canceled",
    "EXPIRED": "Expired",
    "EXPIRED_IN_MATCH": "Expired",
    "REJECTED": "Rejected",
}
NEVER_THERE = ("Denied", "NeverArrived", "Rejected")  # orders of ours that the exchange need not know


def differences(replica: Replica, account: AccountId, books: dict[str, Any]) -> list[str]:
    """Sentences, one for each thing in which the desk and the exchange differ; none if they agree.

    `books` is what the exchange's admin door says of the account: its orders, trades and balances.
    """
    return [
        *_orders(replica, account, books["orders"]),
        *_fills(replica, account, books["trades"]),
        *_positions(replica, account, books["balances"]),
        *_balances(replica, account, books["balances"]),
    ]


def _orders(replica: Replica, account: AccountId, theirs: list[dict[str, Any]]) -> list[str]:
    ours = {key: order for key, order in replica.orders.items() if order.account == account}
    found = []
    for row in theirs:
        order = ours.pop(row["clientOrderId"], None)
        if order is None:
            found.append(f"{account}: order {row['clientOrderId']} is at the exchange and not on the desk")
            continue
        status = STATUSES.get(row["status"], row["status"])
        if order.ord_status.value != status:
            found.append(f"{account}: order {order.client_order_id} is {order.ord_status} here and {status} there")
        if order.cum_qty != Decimal(row["executedQty"]):
            found.append(
                f"{account}: order {order.client_order_id} filled {order.cum_qty} here and {row['executedQty']} there"
            )
        if order.is_uncertain:
            found.append(f"{account}: order {order.client_order_id} still has an unknown request")
    found.extend(
        f"{account}: order {order.client_order_id} is {order.ord_status} on the desk and not at the exchange"
        for order in ours.values()
        if order.ord_status.value not in NEVER_THERE
    )
    return found


def _fills(replica: Replica, account: AccountId, theirs: list[dict[str, Any]]) -> list[str]:
    symbols = {instrument.id: instrument.venue_symbol for instrument in replica.instruments.values()}
    ours = {
        (symbols.get(fill.instrument, ""), fill.trade_id, str(fill.venue_order_id)): fill
        for fill in replica.fills
        if fill.account == account
    }
    count = sum(1 for fill in replica.fills if fill.account == account)
    found = [] if count == len(ours) else [f"{account}: {count - len(ours)} fills stand on the desk twice"]
    for row in theirs:
        key = (row["symbol"], str(row["id"]), str(row["orderId"]))
        fill = ours.pop(key, None)
        if fill is None:
            found.append(f"{account}: trade {row['id']} of {row['symbol']} is at the exchange and not on the desk")
        elif (fill.last_qty, fill.last_px) != (Decimal(row["qty"]), Decimal(row["price"])):
            found.append(
                f"{account}: trade {row['id']} is {fill.last_qty} at {fill.last_px} here, {row['qty']} at {row['price']} there"
            )
        elif fill.fee is None or (fill.fee.amount, fill.fee.currency) != (
            Decimal(row["commission"]),
            row["commissionAsset"],
        ):
            found.append(
                f"{account}: trade {row['id']} has another fee there: {row['commission']} {row['commissionAsset']}"
            )
    found.extend(f"{account}: trade {key[1]} of {key[0]} is on the desk and not at the exchange" for key in ours)
    return found


def _totals(theirs: list[dict[str, Any]]) -> dict[str, Decimal]:
    return {row["asset"]: Decimal(row["free"]) + Decimal(row["locked"]) for row in theirs}


def _positions(replica: Replica, account: AccountId, theirs: list[dict[str, Any]]) -> list[str]:
    totals = _totals(theirs)
    found = []
    for (owner, instrument_id), position in replica.positions.items():
        instrument = replica.instruments.get(instrument_id)
        if owner == account and instrument is not None and position.qty != totals.get(instrument.base, Decimal(0)):
            found.append(
                f"{account}: position {instrument.symbol} is {position.qty} here and {totals.get(instrument.base)} there"
            )
    return found


def _balances(replica: Replica, account: AccountId, theirs: list[dict[str, Any]]) -> list[str]:
    """Both what the desk reckons from opening and fills, and what it was last told, must be the exchange's."""
    found = []
    ledger = replica.ledgers.get(account, {})
    told = replica.accounts[account].balances if account in replica.accounts else {}
    for row in theirs:
        asset, free, locked = row["asset"], Decimal(row["free"]), Decimal(row["locked"])
        if ledger.get(asset, Decimal(0)) != free + locked:
            found.append(f"{account}: {asset} reckons to {ledger.get(asset)} here and is {free + locked} there")
        balance = told.get(asset)
        if (balance.free, balance.locked) != (free, locked) if balance is not None else bool(free or locked):
            found.append(f"{account}: {asset} was last told as {balance} and is {free} free, {locked} locked there")
    return found
