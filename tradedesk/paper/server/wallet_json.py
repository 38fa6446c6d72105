"""The wallet's JSON: coins, movements of money and what a key may do. Times are milliseconds here, whatever the client asks.

A movement's `reference` is a query string with any of address, addressTag, network, txId, withdrawOrderId, and of a
transfer in a family counterparty, from, to, tranId, clientTranId. One without `=` in it is the id of the transaction on
its chain; of a transfer its type.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import parse_qsl

from tradedesk.paper.accounts import Key, Right
from tradedesk.paper.rows import AccountSpec, Movement
from tradedesk.paper.server.render import MILLISECOND, Json, number

NETWORK = "PAPER"  # of every coin, the only one
_TYPE = re.compile(r"[A-Z]+_[A-Z]+", re.ASCII)
_MOST = "9999999999.99999999"


def details(movement: Movement) -> dict[str, str]:
    """What the reference says, by name."""
    if "=" in movement.reference:
        return dict(parse_qsl(movement.reference))
    return {"txId": movement.reference} if movement.reference else {}


def transfer_type(movement: Movement) -> str:
    """MAIN_UMFUTURE and its kin; by the direction where the reference names none."""
    if _TYPE.fullmatch(movement.reference):
        return movement.reference
    return "MAIN_UMFUTURE" if movement.amount < 0 else "UMFUTURE_MAIN"


def email(account: str) -> str:
    """The address the venue would know a sub-account by."""
    return f"{account}@paper.invalid"


def _text_time(moment: int) -> str:
    return datetime.fromtimestamp(moment // 1_000_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def deposit(movement: Movement) -> Json:
    said = details(movement)
    return {
        "id": str(movement.id),
        "amount": number(movement.amount),
        "coin": movement.asset,
        "network": said.get("network", NETWORK),
        "status": 1,
        "address": said.get("address", ""),
        "addressTag": said.get("addressTag", ""),
        "txId": said.get("txId", str(movement.id)),
        "insertTime": movement.time // MILLISECOND,
        "completeTime": movement.time // MILLISECOND,
        "transferType": 0,
        "confirmTimes": "1/1",
        "unlockConfirm": 0,
        "walletType": 0,
    }


def withdrawal(movement: Movement) -> Json:
    said = details(movement)
    return {
        "id": str(movement.id),
        "amount": number(-movement.amount),
        "transactionFee": "0",
        "coin": movement.asset,
        "status": 6,
        "address": said.get("address", ""),
        "addressTag": said.get("addressTag", ""),
        "txId": said.get("txId", str(movement.id)),
        "applyTime": _text_time(movement.time),
        "network": said.get("network", NETWORK),
        "transferType": 0,
        "withdrawOrderId": said.get("withdrawOrderId", ""),
        "info": "",
        "confirmNo": 1,
        "walletType": 0,
        "txKey": "",
        "completeTime": _text_time(movement.time),
    }


def transfer(movement: Movement) -> Json:
    return {
        "asset": movement.asset,
        "amount": number(abs(movement.amount)),
        "type": transfer_type(movement),
        "status": "CONFIRMED",
        "tranId": movement.id,
        "timestamp": movement.time // MILLISECOND,
    }


def dividend(movement: Movement) -> Json:
    """Dividends, and whatever came or went otherwise: `direction` -1 is a deduction."""
    return {
        "id": movement.id,
        "amount": number(abs(movement.amount)),
        "asset": movement.asset,
        "divTime": movement.time // MILLISECOND,
        "enInfo": movement.reference or movement.kind,
        "tranId": movement.id,
        "direction": 1 if movement.amount > 0 else -1,
    }


def interest(movement: Movement) -> Json:
    """What is owed is a positive interest here, though it left the balance."""
    return {
        "txId": movement.id,
        "interestAccuredTime": movement.time // MILLISECOND,  # the venue's spelling
        "asset": movement.asset,
        "rawAsset": movement.asset,
        "principal": number(Decimal(0)),
        "interest": number(-movement.amount),
        "interestRate": number(Decimal(0)),
        "type": "PERIODIC",
    }


def sub_transfer(movement: Movement) -> Json:
    """A transfer between a master and a sub-account, as the one it is asked of sees it."""
    said = details(movement)
    common = said.get("tranId", "")
    return {
        "counterParty": said.get("counterparty", ""),
        "email": email(said.get("counterparty", "")),
        "type": 1 if movement.amount > 0 else 2,
        "asset": movement.asset,
        "qty": number(abs(movement.amount)),
        "fromAccountType": said.get("from", "SPOT"),
        "toAccountType": said.get("to", "SPOT"),
        "status": "SUCCESS",
        "tranId": int(common) if common.isdecimal() else movement.id,
        "time": movement.time // MILLISECOND,
    }


def is_listed_once(movement: Movement) -> bool:
    """Of a transfer that two spot wallets saw only the one that gave; of others the one there is."""
    return movement.amount < 0 or details(movement).get("from") != "SPOT"


def sub_transfer_made(movement: Movement) -> Json:
    """A transfer between a master and a sub-account, as the master sees it."""
    said = details(movement)
    ends = [email(movement.account), email(said.get("counterparty", ""))]
    if movement.amount > 0:
        ends.reverse()
    return {
        "tranId": movement.id,
        "fromEmail": ends[0],
        "toEmail": ends[1],
        "asset": movement.asset,
        "amount": number(abs(movement.amount)),
        "createTimeStamp": movement.time // MILLISECOND,
        "fromAccountType": said.get("from", "SPOT"),
        "toAccountType": said.get("to", "SPOT"),
        "status": "SUCCESS",
        "clientTranId": said.get("clientTranId", ""),
    }


def coins(assets: Iterable[str], held: dict[str, tuple[Decimal, Decimal]]) -> list[Json]:
    """Every coin with its one network; withdrawals cost nothing here."""
    return [_coin(asset, *held.get(asset, (Decimal(0), Decimal(0)))) for asset in assets]


def _coin(asset: str, free: Decimal, locked: Decimal) -> Json:
    return {
        "coin": asset,
        "depositAllEnable": True,
        "withdrawAllEnable": True,
        "name": asset,
        "free": number(free),
        "locked": number(locked),
        "freeze": "0",
        "withdrawing": "0",
        "ipoing": "0",
        "ipoable": "0",
        "storage": "0",
        "isLegalMoney": False,
        "trading": True,
        "networkList": [
            {
                "network": NETWORK,
                "coin": asset,
                "withdrawIntegerMultiple": "0.00000001",
                "isDefault": True,
                "depositEnable": True,
                "withdrawEnable": True,
                "depositDesc": "",
                "withdrawDesc": "",
                "specialTips": "",
                "name": "Paper",
                "resetAddressStatus": False,
                "addressRegex": "",
                "memoRegex": "",
                "withdrawFee": "0",
                "withdrawMin": "0.00000001",
                "withdrawMax": _MOST,
                "withdrawInternalMin": "0.00000001",
                "depositDust": "0.00000001",
                "minConfirm": 1,
                "unLockConfirm": 0,
                "sameAddress": False,
                "withdrawTag": False,
                "estimatedArrivalTime": 0,
                "busy": False,
                "contractAddressUrl": "",
                "contractAddress": "",
            }
        ],
    }


def restrictions(key: Key, started: int, now: int) -> Json:
    """What the key may do. `started` (ns) stands for its creation where nobody said."""
    may_trade = key.may(Right.SPOT, now)
    ends: Json = {} if key.trades_until is None else {"tradingAuthorityExpirationTime": key.trades_until // MILLISECOND}
    return {
        "ipRestrict": bool(key.addresses),
        "createTime": (started if key.created is None else key.created) // MILLISECOND,
        "enableReading": Right.READ in key.rights,
        "enableWithdrawals": Right.WITHDRAW in key.rights,
        "enableInternalTransfer": Right.TRANSFER in key.rights,
        "enableMargin": False,
        "enableFutures": key.may(Right.FUTURES, now),
        "permitsUniversalTransfer": Right.TRANSFER in key.rights,
        "enableVanillaOptions": False,
        "enableFixApiTrade": False,
        "enableFixReadOnly": False,
        "enableSpotAndMarginTrading": may_trade,
        "enablePortfolioMarginTrading": False,
        **ends,
    }


def user_assets(held: dict[str, tuple[Decimal, Decimal]]) -> list[Json]:
    return [
        {
            "asset": asset,
            "free": number(free),
            "locked": number(locked),
            "freeze": "0",
            "withdrawing": "0",
            "ipoable": "0",
            "btcValuation": "0",
        }
        for asset, (free, locked) in held.items()
    ]


def trade_fee(spec: AccountSpec, symbol: str) -> Json:
    return {"symbol": symbol, "makerCommission": str(spec.maker), "takerCommission": str(spec.taker)}
