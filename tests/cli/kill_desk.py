"""One demo for the stops of a whole file: what is asked of it, and how it is made whole again between two tests."""

import json
import os
import signal
import urllib.request
from contextlib import suppress
from typing import Any
from urllib.error import HTTPError

from demo_desk import MINUTE_S, Demo

from tradedesk.cli import drill_desk as drilling
from tradedesk.cli.drill_desk import ENDED
from tradedesk.cli.kill import latch_now
from tradedesk.cli.reach import Watch
from tradedesk.desk.kill import Order
from tradedesk.domain.accounts import HaltLevel
from tradedesk.domain.words import AccountId, OperatorId

ACCOUNTS = ("acme", "birch", "cedar")


def make_calm(desk: Demo) -> None:
    """Its halts lifted, its faults ended, nothing open, every account compared with its venue.

    The exchange itself cancels what is left: a kill for each test would use up the minute's rate budget of every exit.
    """
    admin(desk, "DELETE", "/faults")
    for ban in (desk.home.state / "bans").glob("*.json"):  # taken back by the exchange; the next start would heed it
        ban.unlink()
    os.kill(desk.desk_pid, signal.SIGCONT)
    for account in ACCOUNTS:
        cancel_at_venue(desk, account)
    latch_now(
        desk.home,
        Order(
            accounts=tuple(AccountId(name) for name in ACCOUNTS),
            is_desk_wide=True,
            level=HaltLevel.BlockNew,
            by=OperatorId("demo"),
            reason="between two tests",
        ),
    )
    assert desk.until(lambda watch: None in watch.replica.halts)  # so that the desk has read every latch
    for scope in ((), *(("--account", name) for name in ACCOUNTS)):
        desk.ask("rearm", *scope, "--reason", "the next test")
    assert desk.until(lambda watch: not watch.replica.halts)
    assert desk.until(are_ready, MINUTE_S), desk.ask("status", "--json").out
    assert desk.until(lambda watch: all(order.is_dead for order in watch.replica.orders.values()))


def cancel_at_venue(desk: Demo, account: str) -> None:
    for row in desk.books(account)["orders"]:
        key = row["clientOrderId"]
        if row["status"] not in ENDED:
            named = {"account": account, "instrument": row["symbol"], "client_order_id": key}
            with suppress(HTTPError):  # a thawed desk's own cancel came first
                fault(desk, "ext", what="cancel", **named)
            assert at_venue(desk, account)[key] in ENDED


def are_ready(watch: Watch) -> bool:
    return drilling.are_ready(watch.replica)


def admin(desk: Demo, method: str, path: str, body: object = None) -> Any:
    request = urllib.request.Request(
        desk.paper["admin"] + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {desk.paper['admin_token']}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def fault(desk: Demo, kind: str, **fields: object) -> None:
    admin(desk, "POST", "/faults", {"kind": kind} | fields)


def rest(desk: Demo, account: str = "acme", side: str = "buy") -> str:
    """An order of ours that rests at the venue; its client order id."""
    price = desk.below(2) if side == "buy" else f"{desk.market()['ask'] * 102 / 100:.2f}"
    ran = desk.place("--type", "limit", "--price", price, account=account, side=side)
    assert ran.status == 0, ran
    return str(ran.json["orders"][0]["client_order_id"])


def at_venue(desk: Demo, account: str = "acme") -> dict[str, str]:
    """The exchange's own word for each order of an account."""
    return {row["clientOrderId"]: row["status"] for row in desk.books(account)["orders"]}


def killed(desk: Demo, *options: str, status: int = 0, is_a_process: bool = False) -> dict[str, Any]:
    """`tradedesk kill`; its receipt, by account. Where it is not `is_a_process`, the second that one takes to start is spared."""
    run = desk.call if is_a_process else desk.ask
    ran = run("kill", *(options or ("--all",)), "--reason", "a drill", "--json")
    assert ran.status == status, ran
    document = ran.json
    assert document["schema"] == "kill.v1"
    return document | {"by_account": {row["account"]: row for row in document["accounts"]}}


def agrees(desk: Demo, document: dict[str, Any]) -> None:
    """Every order of the receipt is at the exchange what the receipt says, and what is open there stands in it."""
    for row in document["accounts"]:
        assert drilling.disagreements(row, at_venue(desk, row["account"])) == []
