"""A whole desk on a real paper exchange in a process of its own, whose faults are posted to it: what went wrong, on sockets."""

import contextlib
import hashlib
import hmac
import http.client
import itertools
import json
import os
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from paper_process import account as account_row
from paper_process import paper_process

from tradedesk import log
from tradedesk.access.operators import Operator
from tradedesk.access.vault import open_vault
from tradedesk.cli.demo import make_desk, new_vault
from tradedesk.clock import SystemClock
from tradedesk.config import Settings, find_home, load, private_folder
from tradedesk.desk.build import build, real_parts
from tradedesk.desk.desk import Desk
from tradedesk.domain import events as ev
from tradedesk.domain.accounts import AccountState, SignsIn
from tradedesk.domain.commands import CancelOrder, PlaceOrder, Submitted
from tradedesk.domain.instruments import FeedState
from tradedesk.domain.orders import Order, OrderState, state
from tradedesk.domain.words import AccountId, ClientOrderId, InstrumentId, OperatorId, OrderType, Side, TimeInForce
from tradedesk.views.feed import DeskView, Numbered

WITHIN_S = 30.0  # longer than anything here takes; reached only by a test that fails
BTC, ETH = InstrumentId("binance:BTCUSDT"), InstrumentId("binance:ETHUSDT")
ACME, BIRCH = AccountId("acme"), AccountId("birch")
ME = OperatorId("")  # whoever the control belongs to
E = TypeVar("E", bound=ev.Event)
_numbers = itertools.count(1)


class Paper:
    """The exchange's other side: faults put in force and taken back, what it saw, what it holds."""

    def __init__(self, described: dict[str, Any]) -> None:
        self.described = described
        self.pid: int = described["pid"]

    def ask(self, method: str, path: str, body: object = None) -> Any:
        request = urllib.request.Request(
            self.described["admin"] + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.described['admin_token']}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=WITHIN_S) as answer:
            return json.load(answer)

    def fault(self, kind: str, **fields: object) -> int:
        """Put one in force and return its id. `for_` and `set_` stand for the words Python keeps for itself."""
        ids = self.ask("POST", "/faults", {"kind": kind} | {name.removesuffix("_"): it for name, it in fields.items()})
        return int(ids["ids"][0])

    def struck(self, number: int) -> int:
        return int(next(row for row in self.ask("GET", "/faults")["faults"] if row["id"] == number)["struck"])

    def end_faults(self) -> None:
        self.ask("DELETE", "/faults")

    def requests(self, *, path: str, method: str = "GET") -> list[dict[str, Any]]:
        """What the exchange saw of one path, oldest first."""
        rows = self.ask("GET", "/requests")["requests"]
        return [row for row in rows if (row["method"], row["path"]) == (method, path)]

    def books(self, account: str) -> dict[str, Any]:
        return dict(self.ask("GET", f"/accounts/{account}"))

    def public(self, path: str) -> Any:
        """A question of market data, from the address that the desk's feed asks from."""
        with urllib.request.urlopen(self.described["rest"] + path, timeout=WITHIN_S) as answer:
            return json.load(answer)


class FaultyDesk:
    """The desk, its exchange, and the means to wait for what it publishes."""

    def __init__(self, desk: Desk, paper: Paper) -> None:
        self.desk, self.paper = desk, paper
        self.view = DeskView(desk.open_feed())
        self.events: list[ev.Event] = []
        self.clock = SystemClock()
        operator = desk.who(None, os.getuid())
        assert isinstance(operator, Operator)
        self.control = desk.control(operator)
        self._never = threading.Event()

    def poll(self) -> None:
        self.events += [update.event for update in self.view.poll() if isinstance(update, Numbered)]

    def until(self, happened: Callable[[], Any], what: str | Callable[[], str], within_s: float = WITHIN_S) -> None:
        deadline = time.monotonic() + within_s
        while True:
            self.poll()
            if happened():
                return
            if time.monotonic() > deadline:
                told = what if isinstance(what, str) else what()
                raise AssertionError(f"not within {within_s:.0f} s: {told}")
            self._never.wait(0.005)

    def mark(self) -> int:
        """A place in what was published: `since` looks at what came after it."""
        self.poll()
        return len(self.events)

    def since(self, mark: int, kind: type[E]) -> list[E]:
        return [event for event in self.events[mark:] if isinstance(event, kind)]

    # -- the market -----------------------------------------------------------------------------------------------------

    def states(self, mark: int, instrument: InstrumentId = BTC) -> list[FeedState]:
        return [event.state for event in self.since(mark, ev.FeedChanged) if event.instrument == instrument]

    def is_live(self, instrument: InstrumentId = BTC) -> bool:
        return self.view.replica.market(instrument).state is FeedState.Live

    def is_well(self) -> bool:
        rows = self.view.replica.accounts.values()
        return (
            bool(rows)
            and all(row.state is AccountState.Ready for row in rows)
            and len(self.view.replica.instruments) == len(self.view.replica.markets)
            and all(self.is_live(instrument) for instrument in self.view.replica.markets)
        )

    def agrees_with_the_exchange(self, instrument: str = "BTCUSDT") -> bool:
        """Whether the best prices shown are those of the exchange, at one moment of a market that moves."""
        bids, asks = (self.view.replica.market(BTC).bids, self.view.replica.market(BTC).asks)
        told = self.paper.public(f"/api/v3/depth?symbol={instrument}&limit=5")
        best = (Decimal(told["bids"][0][0]), Decimal(told["asks"][0][0]))
        return bool(bids) and bool(asks) and (bids[0][0], asks[0][0]) == best

    # -- orders ---------------------------------------------------------------------------------------------------------

    def place(
        self,
        side: Side,
        qty: str,
        price: Decimal | None = None,
        *,
        account: AccountId = ACME,
        reduce_only: bool = False,
        within_s: float = 10.0,
        block: str | None = None,
        confirm: str | None = None,
    ) -> ClientOrderId:
        """Hand over an order; at market without a price."""
        key = ClientOrderId(f"f{next(_numbers)}-{self.clock.now() // 1_000_000}")
        command = PlaceOrder(
            account=account,
            client_order_id=key,
            instrument=BTC,
            side=side,
            order_type=OrderType.Market if price is None else OrderType.Limit,
            time_in_force=TimeInForce.GoodTillCancel,
            order_qty=Decimal(qty),
            price=price,
            reduce_only=reduce_only,
            block=block,
            confirm=confirm,
            operator=ME,
            deadline=self.clock.now() + int(within_s * 10**9),
        )
        reply = self.control.submit(command)
        assert isinstance(reply, Submitted), reply
        return key

    def order(self, key: ClientOrderId) -> Order | None:
        return self.view.replica.orders.get(key)

    def is_order(self, key: ClientOrderId, *wanted: OrderState) -> bool:
        order = self.order(key)
        return order is not None and state(order) in wanted

    def until_order(self, key: ClientOrderId, *wanted: OrderState) -> Order:
        self.until(lambda: self.is_order(key, *wanted), lambda: f"{key} is {wanted}, but {self.order(key)}")
        order = self.order(key)
        assert order is not None
        return order

    def denials(self, key: ClientOrderId) -> str:
        """Why the Gate said no, once it has."""
        return " ".join(self.until_order(key, OrderState.Denied).requests[0].reasons)

    def cancel(self, key: ClientOrderId, account: AccountId = ACME) -> None:
        self.control.submit(CancelOrder(account=account, client_order_id=key, operator=ME))
        self.until_order(key, OrderState.Canceled, OrderState.Filled)

    def bid(self) -> Decimal:
        return self.view.replica.market(BTC).bids[0][0]

    def ask(self) -> Decimal:
        return self.view.replica.market(BTC).asks[0][0]


def by_hand(desk: FaultyDesk, method: str, path: str, account: AccountId = ACME, **parameters: object) -> Any:
    """Other software with the same key: a signed request that the desk knows nothing of."""
    row = account_row(desk.paper.described, account)
    query = urllib.parse.urlencode(parameters | {"timestamp": time.time_ns() // 10**6})
    signature = hmac.new(row["secret"].encode(), query.encode(), hashlib.sha256).hexdigest()
    site = urllib.parse.urlsplit(desk.paper.described["rest"])
    connection = http.client.HTTPConnection(
        str(site.hostname), site.port, timeout=10, source_address=(row["addresses"][0], 0)
    )
    with contextlib.closing(connection):
        connection.request(method, f"{path}?{query}&signature={signature}", headers={"X-MBX-APIKEY": row["api_key"]})
        answer = connection.getresponse()
        body = json.loads(answer.read())
    assert answer.status == 200, body
    return body


@contextmanager
def faulty_desk(
    folder: Path,
    *arguments: str,
    signer: str = "thread",
    change: Callable[[Settings], Settings] = lambda settings: settings,
) -> Iterator[FaultyDesk]:
    """A desk of three accounts, all ready, both its markets live. `change` makes its desk.toml another."""
    home = find_home({"TRADEDESK_HOME": str(folder)})
    with paper_process("--seed", "11", *arguments) as described:
        make_desk(home, described, new_vault(home))
        private_folder(home.log)
        log_file = log.open_log(home.log / "tradedesk.log")
        settings, clock = change(signing_in(load(home.config), SignsIn(signer))), SystemClock()
        desk = build(
            settings, home, real_parts(settings, open_vault(home.vault, home.passphrase), clock, home), clock=clock
        )
        desk.start()
        try:
            found = FaultyDesk(desk, Paper(described))
            found.until(found.is_well, "every account ready and every market live")
            yield found
        finally:
            desk.stop()
            log_file.close()


def signing_in(settings: Settings, signer: SignsIn) -> Settings:
    """The same, every account's requests signed there."""
    accounts = {name: msgspec.structs.replace(account, signer=signer) for name, account in settings.accounts.items()}
    return msgspec.structs.replace(settings, accounts=accounts)
